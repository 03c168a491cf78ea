"""What `warmup_cosine_decay_schedule` must do."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from exercises.runner.expectations import expect, expect_refusal, expect_that

ARGUMENTS = (0.1, 0.9, 4, 10, 0.3)


@pytest.fixture(scope="module")
def warmup_cosine_decay_schedule(answer):
    return answer


@pytest.fixture
def schedule(warmup_cosine_decay_schedule):
    """The function of the step, whose plain numbers are made arrays."""
    schedule = warmup_cosine_decay_schedule(*ARGUMENTS)
    expect_that(callable(schedule), CALL, schedule, "a function of the step")
    return lambda step: None if (value := schedule(step)) is None else jnp.asarray(value)


CALL = "warmup_cosine_decay_schedule(init_value=0.1, peak_value=0.9, warmup_steps=4, decay_steps=10, end_value=0.3)"


@pytest.mark.parametrize(
    ("step", "value", "because"),
    [
        (0, 0.1, "it begins at init_value"),
        (1, 0.3, "a quarter of the way up"),
        (3, 0.7, "three quarters of the way up, in a straight line"),
        (4, 0.9, "the top, at warmup_steps"),
        (7, 0.6, "halfway down in time, and halfway between 0.9 and 0.3: the cosine is 0 there"),
        (10, 0.3, "end_value, at decay_steps, which is counted from step 0"),
        (15, 0.3, "after the end it stays at end_value"),
    ],
)
def test_the_value_at_each_corner(schedule, step, value, because):
    expect(schedule(step), value, f"{CALL}({step})", because)


def test_the_fall_is_half_a_cosine_not_a_line(schedule):
    expected = 0.3 + 0.6 * 0.5 * (1 + np.cos(np.pi * 1 / 6))
    expect(schedule(5), expected, f"{CALL}(5)", "a sixth of the way: ½ (1 + cos(π/6)) of the height is left, flat at first")


def test_it_ends_at_zero_where_no_end_is_given(warmup_cosine_decay_schedule):
    call = "warmup_cosine_decay_schedule(0.0, 1.0, 1, 3)(3)"
    expect(warmup_cosine_decay_schedule(0.0, 1.0, 1, 3)(3), 0, call, "end_value is 0 by default")


def test_it_works_on_traced_steps(schedule):
    steps = jnp.array([0, 4, 10])
    call = f"jax.vmap({CALL})(steps) with steps = [0, 4, 10]"
    try:
        values = jax.vmap(schedule)(steps)
    except jax.errors.JAXTypeError as error:
        values = f"{type(error).__name__}"
    expected = "[0.1, 0.9, 0.3]"
    because = "in a compiled step the step's number is traced: it has no value yet, and no `if` can ask for it"
    expect_that(not isinstance(values, str), call, values, expected, because)
    expect(values, [0.1, 0.9, 0.3], call, because)


@pytest.mark.parametrize(("warmup", "decay"), [(0, 10), (10, 10), (12, 10)])
def test_lengths_that_do_not_fit_are_refused(warmup_cosine_decay_schedule, warmup, decay):
    call = f"warmup_cosine_decay_schedule(0.0, 1.0, warmup_steps={warmup}, decay_steps={decay})"
    because = "there must be a step of warmup, and the end of the decay must come after it"
    expect_refusal(lambda: warmup_cosine_decay_schedule(0.0, 1.0, warmup, decay), call, because)
