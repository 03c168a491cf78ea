"""What `momentum_step` must do."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from exercises.runner.expectations import expect, expect_that, shown


@pytest.fixture(scope="module")
def momentum_step(answer):
    return answer


def both(momentum_step, gradient, velocity, decay):
    """Direction and new velocity, and the call in words."""
    gradient, velocity = jnp.array(gradient), jnp.array(velocity)
    call = f"momentum_step(gradient, velocity, decay={decay}) with {shown(gradient=gradient, velocity=velocity)}"
    result = momentum_step(gradient, velocity, decay=decay)
    expect_that(isinstance(result, tuple) and len(result) == 2, call, result, "a pair: the direction and the new velocity")
    return *result, call


def test_the_first_direction_is_the_gradient(momentum_step):
    direction, velocity, call = both(momentum_step, [2.0, -4.0], [0.0, 0.0], 0.5)
    expect(direction, [2, -4], f"{call}: the direction", "the velocity was 0, and the whole gradient is added to it")
    expect(velocity, [2, -4], f"{call}: the new velocity", "v = 0.5 · 0 + g")


def test_the_velocity_keeps_the_share_decay_of_itself(momentum_step):
    direction, velocity, call = both(momentum_step, [1.0, 1.0], [8.0, -8.0], 0.25)
    expect(velocity, [3, -1], f"{call}: the new velocity", "v = 0.25 · v + g")
    because = "the step goes along the new velocity; the learning rate and the minus come later"
    expect(direction, [3, -1], f"{call}: the direction", because)


def test_under_a_steady_gradient_it_grows_to_g_over_one_minus_decay(momentum_step):
    velocity, call = [0.0, 0.0], ""
    for _ in range(30):
        direction, velocity, call = both(momentum_step, [1.0, -2.0], velocity, 0.5)
    call = "momentum_step(gradient, velocity, decay=0.5), 30 times with gradient = [1, -2]: the direction"
    expect(direction, [2, -4], call, "1 + 0.5 + 0.25 + … = 1 / (1 − 0.5)")


def test_gradients_that_alternate_cancel(momentum_step):
    velocity = [0.0, 0.0]
    for step in range(30):
        direction, velocity, _ = both(momentum_step, [(-1.0) ** step, 0.0], velocity, 0.5)
    call = "momentum_step(gradient, velocity, decay=0.5), 30 times with gradient = [1, 0], [-1, 0], [1, 0] …: the direction"
    expect(np.abs(direction), [2 / 3, 0], f"abs of {call}", "1 − 0.5 + 0.25 − … = 1 / (1 + 0.5)")


def test_it_works_under_jit(momentum_step):
    call = "jax.jit(momentum_step)(gradient, velocity) with gradient = [1, 2], velocity = [10, 10]: the direction"
    direction, _ = jax.jit(momentum_step)(jnp.array([1.0, 2.0]), jnp.array([10.0, 10.0]))
    expect(direction, [10, 11], call, "by default the decay is 0.9")
