"""Schedules are optax's, at every step and beyond the last, as functions of a number and under jit."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from nn.training import constant_schedule, cosine_decay_schedule, linear_schedule, warmup_cosine_decay_schedule

PAIRS = {
    "constant": (constant_schedule(0.3), optax.constant_schedule(0.3)),
    "linear": (linear_schedule(0.1, 0.7, 10), optax.linear_schedule(0.1, 0.7, 10)),
    "cosine": (cosine_decay_schedule(0.3, 10), optax.cosine_decay_schedule(0.3, 10)),
    "warmup and cosine": (
        warmup_cosine_decay_schedule(0.01, 0.3, 4, 10, 0.02),
        optax.warmup_cosine_decay_schedule(0.01, 0.3, 4, 10, 0.02),
    ),
}


@pytest.mark.parametrize("name", PAIRS)
def test_at_every_step_and_beyond_it_is_that_of_optax(name):
    ours, theirs = PAIRS[name]
    steps = jnp.arange(14)
    expected = [float(theirs(step)) for step in range(14)]
    np.testing.assert_allclose(jax.jit(jax.vmap(ours))(steps), expected, rtol=1e-5, atol=1e-7)
    for step in (0, 4, 10):
        np.testing.assert_allclose(ours(step), expected[step], rtol=1e-5, atol=1e-7)


def test_warmup_and_cosine_begins_peaks_and_ends_where_it_is_told():
    schedule = warmup_cosine_decay_schedule(0.01, 0.3, 4, 10, 0.02)
    np.testing.assert_allclose([schedule(0), schedule(4), schedule(7), schedule(10)], [0.01, 0.3, 0.16, 0.02], rtol=1e-5)


@pytest.mark.parametrize(
    "schedule", [lambda steps: linear_schedule(1, 0, steps), lambda steps: cosine_decay_schedule(1, steps)]
)
def test_no_steps_are_refused(schedule):
    with pytest.raises(ValueError, match=r"schedule expects (transition|decay)_steps of at least 1, got \w+=0\."):
        schedule(0)


@pytest.mark.parametrize(("warmup", "decay"), [(0, 10), (10, 10), (11, 10)])
def test_a_decay_that_ends_before_it_begins_is_refused(warmup, decay):
    with pytest.raises(ValueError, match=rf"got warmup_steps={warmup} and decay_steps={decay}\."):
        warmup_cosine_decay_schedule(0, 1, warmup, decay)
