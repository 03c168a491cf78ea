"""What `simple_step` must do."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from exercises.runner.expectations import expect, expect_that, shown

RANDOM = np.random.default_rng(1990)
KERNEL, RECURRENT, BIAS = (RANDOM.normal(0, 0.6, shape).astype(np.float32) for shape in ((2, 3), (3, 3), (3,)))
WEIGHTS = tuple(map(jnp.array, (KERNEL, RECURRENT, BIAS)))
SIZES = "kernel (2, 3), recurrent_kernel (3, 3) and bias (3,)"


@pytest.fixture(scope="module")
def simple_step(answer):
    return answer


def draw(*batch):
    return (RANDOM.normal(0, 0.5, (*batch, size)).astype(np.float32) for size in (3, 2))


def test_three_terms_are_added_and_bent(simple_step):
    one = [jnp.array(number) for number in ([0.5], [2.0], [[0.1]], [[0.6]], [0.3])]
    call = "simple_step(h, x, kernel, recurrent_kernel, bias) with h = [0.5], x = [2], kernel = [[0.1]], "
    call += "recurrent_kernel = [[0.6]], bias = [0.3]"
    expect(simple_step(*one), [math.tanh(0.8)], call, "2 · 0.1 + 0.5 · 0.6 + 0.3 = 0.8, and tanh 0.8 = 0.66404")


def test_a_state_goes_through_the_rows_of_its_matrix(simple_step):
    h, x = jnp.array([1.0, 0.0]), jnp.zeros(1)
    recurrent = jnp.array([[0.1, 0.2], [0.3, 0.4]])
    call = f"simple_step(h, x, kernel, recurrent_kernel, bias) with {shown(h=h, recurrent_kernel=recurrent)}, all else 0"
    expected = np.tanh([0.1, 0.2])
    because = "unit j receives Σᵢ h[i] · recurrent_kernel[i, j]: only the first row counts here"
    expect(simple_step(h, x, jnp.zeros((1, 2)), recurrent, jnp.zeros(2)), expected, call, because)


@pytest.mark.parametrize("batch", [(), (4,), (2, 2)], ids=str)
def test_every_leading_axis_is_kept(simple_step, batch):
    h, x = draw(*batch)
    call = f"simple_step(h, x, …) with h.shape = {h.shape}, x.shape = {x.shape}, {SIZES}"
    expected = np.tanh(x @ KERNEL + h @ RECURRENT + BIAS)
    expect(simple_step(jnp.array(h), jnp.array(x), *WEIGHTS), expected, call, "each example has a state of its own")


def test_the_state_stays_between_minus_1_and_1(simple_step):
    h = jnp.zeros((4, 3))
    for _ in range(10):
        h = simple_step(h, jnp.full((4, 2), 2.0), WEIGHTS[0], 3 * WEIGHTS[1], WEIGHTS[2])
    call = f"simple_step(h, x, …), ten times, its result fed back in as h, with h.shape = (4, 3), {SIZES}"
    expect_that(np.abs(h).max() <= 1, call, h, "numbers from −1 to 1", "tanh bends the whole sum, the old state included")


def test_what_a_nudge_of_the_state_does_to_the_next(simple_step):
    h, x = draw()
    new = np.tanh(x @ KERNEL + h @ RECURRENT + BIAS)
    call = "jax.jacobian(simple_step)(h, x, …) with h.shape = (3,)"
    because = "∂h'ⱼ/∂hᵢ = (1 − h'ⱼ²) U[i, j]: fifty of these matrices multiplied is what vanishes or explodes"
    jacobian = jax.jacobian(simple_step)(jnp.array(h), jnp.array(x), *WEIGHTS)
    expect(jacobian, (RECURRENT * (1 - new**2)).T, call, because, rtol=1e-4)


def test_it_works_under_jit(simple_step):
    h, x = draw(4)
    compiled = jax.jit(simple_step)(jnp.array(h), jnp.array(x), *WEIGHTS)
    call = f"jax.jit(simple_step)(h, x, …) with h.shape = (4, 3), {SIZES}"
    expect(compiled, np.tanh(x @ KERNEL + h @ RECURRENT + BIAS), call, "compiling must not change the result")
