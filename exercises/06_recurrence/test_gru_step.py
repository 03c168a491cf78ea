"""What `gru_step` must do."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from exercises.runner.expectations import expect, shown

RANDOM = np.random.default_rng(2014)
HIDDEN = 3
KERNEL, RECURRENT, BIAS = (RANDOM.normal(0, 0.8, shape).astype(np.float32) for shape in ((2, 9), (3, 9), (9,)))
WEIGHTS = tuple(map(jnp.array, (KERNEL, RECURRENT, BIAS)))
SIZES = "kernel (2, 9), recurrent_kernel (3, 9) and bias (9,)"


@pytest.fixture(scope="module")
def gru_step(answer):
    return answer


def draw(*batch):
    return tuple(RANDOM.normal(0, 1, (*batch, size)).astype(np.float32) for size in (3, 2))


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def reference(h, x):
    """One step in float64, gate by gate."""
    r, z, n = (slice(k * HIDDEN, (k + 1) * HIDDEN) for k in range(3))
    of_x, of_h = x.astype(np.float64) @ KERNEL + BIAS, h.astype(np.float64) @ RECURRENT
    keep = sigmoid(of_x[..., z] + of_h[..., z])
    candidate = np.tanh(of_x[..., n] + sigmoid(of_x[..., r] + of_h[..., r]) * of_h[..., n])
    return keep * h + (1 - keep) * candidate


def alone(gru_step, bias, recurrent=0.0, h=0.8):
    """One unit whose gates are what the bias (r, z, n) makes them, with a weight of h in n; and the call in words."""
    bias, recurrent_kernel = jnp.array(bias), jnp.array([[0.0, 0.0, recurrent]])
    call = "gru_step(h, x, kernel, recurrent_kernel, bias) with "
    call += f"h = [{h:g}], x = [0], {shown(recurrent_kernel=recurrent_kernel, bias=bias)}"
    return gru_step(jnp.array([h]), jnp.zeros(1), jnp.zeros((1, 3)), recurrent_kernel, bias), call


def test_a_step_by_hand(gru_step):
    got, call = alone(gru_step, [-math.log(3), math.log(3), 0.3], recurrent=0.5)
    because = "r = σ(−log 3) = 0.25, z = σ(log 3) = 0.75, n = tanh(0.3 + 0.25 · 0.5 · 0.8) = 0.37995; h' = 0.25 n + 0.75 · 0.8"
    expect(got, [0.25 * math.tanh(0.4) + 0.6], call, because)


def test_an_update_gate_at_1_keeps_the_state(gru_step):
    got, call = alone(gru_step, [0.0, 100.0, 1.0])
    expect(got, [0.8], call, "z = 1: all of the old state, nothing of the candidate")


def test_an_update_gate_at_0_takes_the_candidate(gru_step):
    got, call = alone(gru_step, [0.0, -100.0, -1.0])
    expect(got, [math.tanh(-1)], call, "z = 0: nothing of the old state, all of the candidate n = tanh(−1)")


def test_a_reset_gate_at_0_hides_the_old_state_from_the_candidate_and_nothing_else(gru_step):
    got, call = alone(gru_step, [-100.0, -100.0, 0.5], recurrent=2.0)
    expect(got, [math.tanh(0.5)], call, "r = 0 takes h U_n out of n; the bias and the input stay in it")
    got, call = alone(gru_step, [-100.0, 100.0, 0.5], recurrent=2.0)
    expect(got, [0.8], call, "r = 0 does not touch what z = 1 keeps")


@pytest.mark.parametrize("batch", [(), (4,), (2, 2)], ids=str)
def test_every_leading_axis_is_kept_and_every_weight_is_in_its_place(gru_step, batch):
    h, x = draw(*batch)
    call = f"gru_step(h, x, …) with h.shape = {h.shape}, x.shape = {x.shape}, {SIZES}"
    because = "the columns are those of r, z and n, three each, side by side; r multiplies h U_n, behind the matrix"
    expect(gru_step(jnp.array(h), jnp.array(x), *WEIGHTS), reference(h, x), call, because, rtol=1e-4)


def test_a_kept_state_hands_the_gradient_on(gru_step):
    weights = (jnp.zeros((1, 3)), jnp.zeros((1, 3)), jnp.array([0.0, 100.0, 0.0]))

    def ten_steps(h):
        for _ in range(10):
            h = gru_step(h, jnp.ones(1), *weights)
        return h[0]

    call = "jax.grad of h after ten calls of gru_step(h, …) with z = 1, by the first h"
    expect(jax.grad(ten_steps)(jnp.array([0.3])), [1.0], call, "∂h'/∂h = z = 1 at every step: this is how it remembers")


def test_it_works_under_jit(gru_step):
    h, x = draw(4)
    call = f"jax.jit(gru_step)(h, x, …) with h.shape = (4, 3), {SIZES}"
    compiled = jax.jit(gru_step)(jnp.array(h), jnp.array(x), *WEIGHTS)
    expect(compiled, reference(h, x), call, "compiling must not change the result", rtol=1e-4)
