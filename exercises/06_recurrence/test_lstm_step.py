"""What `lstm_step` must do."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from exercises.runner.expectations import expect, expect_that, shown

RANDOM = np.random.default_rng(1997)
HIDDEN = 3
KERNEL, RECURRENT, BIAS = (RANDOM.normal(0, 0.8, shape).astype(np.float32) for shape in ((2, 12), (3, 12), (12,)))
WEIGHTS = tuple(map(jnp.array, (KERNEL, RECURRENT, BIAS)))
SIZES = "kernel (2, 12), recurrent_kernel (3, 12) and bias (12,)"


@pytest.fixture(scope="module")
def lstm_step(answer):
    return answer


def draw(*batch):
    """A cell, what it shows, and an input."""
    return tuple(RANDOM.normal(0, 1, (*batch, size)).astype(np.float32) for size in (3, 3, 2))


def step(lstm_step, c, h, x, weights, call):
    """The new (c, h), once it is sure that there are two."""
    result = lstm_step((jnp.array(c), jnp.array(h)), jnp.array(x), *weights)
    expect_that(
        isinstance(result, tuple) and len(result) == 2, call, result, "a pair (c, h)", "both are needed at the next step"
    )
    return result


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def reference(c, h, x):
    """One step in float64, gate by gate."""
    i, f, g, o = (
        x.astype(np.float64) @ KERNEL[:, k] + h.astype(np.float64) @ RECURRENT[:, k] + BIAS[k]
        for k in (slice(n * HIDDEN, (n + 1) * HIDDEN) for n in range(4))
    )
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return c, sigmoid(o) * np.tanh(c)


def alone(lstm_step, bias, c=2.0):
    """One unit without weights, whose gates are what the bias (i, f, g, o) makes them; and the call in words."""
    bias = jnp.array(bias)
    call = f"lstm_step((c, h), x, kernel, recurrent_kernel, bias) with c = [{c:g}], h = [0], {shown(bias=bias)}, all weights 0"
    weights = (jnp.zeros((1, 4)), jnp.zeros((1, 4)), bias)
    return *step(lstm_step, [c], [0.0], [1.0], weights, call), call


def test_a_step_by_hand(lstm_step):
    c, h, call = alone(lstm_step, [0.0, math.log(3), 1.0, -math.log(3)])
    cell = 0.75 * 2 + 0.5 * math.tanh(1)
    gates = "(i, f, g, o) = (σ(0), σ(log 3), tanh(1), σ(−log 3)) = (0.5, 0.75, 0.76159, 0.25)"
    expect(c, [cell], f"{call}; the new c", f"{gates}, and c' = 0.75 · 2 + 0.5 · 0.76159")
    expect(h, [0.25 * math.tanh(cell)], f"{call}; the new h", f"{gates}, and h' = 0.25 · tanh c'")


def test_an_open_forget_gate_and_a_shut_input_gate_carry_the_cell_unchanged(lstm_step):
    c, _, call = alone(lstm_step, [-100.0, 100.0, 1.0, 0.0])
    expect(c, [2.0], f"{call}; the new c", "f = 1 keeps all of the old, i = 0 writes nothing of the new")


def test_a_shut_forget_gate_leaves_only_what_is_written_now(lstm_step):
    c, _, call = alone(lstm_step, [100.0, -100.0, -0.5, 0.0])
    expect(c, [math.tanh(-0.5)], f"{call}; the new c", "f = 0 keeps nothing, i = 1 writes all of tanh(−0.5)")


def test_a_shut_output_gate_shows_nothing_and_forgets_nothing(lstm_step):
    c, h, call = alone(lstm_step, [-100.0, 100.0, 0.0, -100.0])
    expect(h, [0.0], f"{call}; the new h", "o = 0 shows nothing")
    expect(c, [2.0], f"{call}; the new c", "what is not shown is still there")


@pytest.mark.parametrize("batch", [(), (4,), (2, 2)], ids=str)
def test_every_leading_axis_is_kept_and_every_weight_is_in_its_place(lstm_step, batch):
    c, h, x = draw(*batch)
    call = f"lstm_step((c, h), x, …) with c.shape = h.shape = {c.shape}, x.shape = {x.shape}, {SIZES}"
    new_c, new_h = step(lstm_step, c, h, x, WEIGHTS, call)
    because = "the columns of kernel, recurrent_kernel and bias are those of i, f, g and o, three each, side by side"
    expect(new_c, reference(c, h, x)[0], f"{call}; the new c", because, rtol=1e-4)
    expect(new_h, reference(c, h, x)[1], f"{call}; the new h", because, rtol=1e-4)


def test_what_is_shown_stays_between_minus_1_and_1_however_full_the_cell(lstm_step):
    _, h, call = alone(lstm_step, [0.0, 100.0, 0.0, 100.0], c=50.0)
    expect(h, [1.0], f"{call}; the new h", "h' = o · tanh c': the cell may hold 50, its tanh is 1")


def test_through_an_open_gate_the_gradient_comes_back_whole(lstm_step):
    weights = (jnp.zeros((1, 4)), jnp.zeros((1, 4)), jnp.array([-100.0, 100.0, 0.0, 0.0]))

    def ten_steps(c):
        carry = (c, jnp.zeros(1))
        for _ in range(10):
            carry = lstm_step(carry, jnp.ones(1), *weights)
        return carry[0][0]

    call = "jax.grad of c after ten calls of lstm_step((c, h), …) with f = 1 and i = 0, by the first c"
    expect(jax.grad(ten_steps)(jnp.array([0.3])), [1.0], call, "∂c'/∂c = f = 1 at every step: this is how it remembers")


def test_it_works_under_jit(lstm_step):
    c, h, x = draw(4)
    call = f"jax.jit(lstm_step)((c, h), x, …) with c.shape = (4, 3), {SIZES}"
    new_c, new_h = step(jax.jit(lstm_step), c, h, x, WEIGHTS, call)
    expect(new_c, reference(c, h, x)[0], f"{call}; the new c", "compiling must not change the result", rtol=1e-4)
    expect(new_h, reference(c, h, x)[1], f"{call}; the new h", "compiling must not change the result", rtol=1e-4)
