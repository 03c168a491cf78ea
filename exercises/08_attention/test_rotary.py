"""What `rotary` must do."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from exercises.runner.expectations import expect, expect_refusal, expect_that


@pytest.fixture(scope="module")
def rotary(answer):
    return answer


def reference(x, positions=None, longest=10_000.0):
    """Pair by pair, as complex numbers: to turn by an angle is to multiply by e^(i angle)."""
    x = np.asarray(x, np.float64)
    positions = np.arange(x.shape[-3]) if positions is None else np.asarray(positions)
    angles = positions[:, None] / longest ** (np.arange(0, x.shape[-1], 2) / x.shape[-1])
    turned = (x[..., 0::2] + 1j * x[..., 1::2]) * np.exp(1j * angles)[:, None, :]
    return np.stack([turned.real, turned.imag], -1).reshape(x.shape)


X = np.sin(1.7 * np.arange(2 * 3 * 2 * 4, dtype=np.float32) + 1).reshape(2, 3, 2, 4)  # batch, length, heads, depth


def test_an_arrow_turns_by_its_position(rotary):
    x = jnp.ones((4, 1, 2)) * jnp.array([1.0, 0.0])
    p = np.arange(4)
    call = "rotary(x) with x[p, 0] = [1, 0] for p = 0 … 3"
    because = "(1, 0) turned by the angle p is (cos p, sin p); of a depth of 2 the speed is longest⁰ = 1"
    expect(rotary(x), np.stack([np.cos(p), np.sin(p)], 1)[:, None], call, because, atol=1e-5)


def test_position_0_is_not_turned(rotary):
    call = "rotary(x)[:, 0] with x.shape = (2, 3, 2, 4)"
    expect(np.asarray(rotary(jnp.array(X)))[:, 0], X[:, 0], call, "the angle is 0 there", atol=1e-5)


def test_each_pair_of_neighbours_turns_at_its_own_speed(rotary):
    call = "rotary(x) with x.shape = (2, 3, 2, 4), which is (batch, length, heads, depth)"
    because = "(x₀, x₁) turns by p, (x₂, x₃) by p / 10000^(2/4), the same for all heads and in each example"
    expect(rotary(jnp.array(X)), reference(X), call, because, atol=1e-5)


def test_the_slowest_speed_can_be_chosen(rotary):
    call = "rotary(x, longest=50.0) with x.shape = (2, 3, 2, 4)"
    expect(rotary(jnp.array(X), longest=50.0), reference(X, longest=50.0), call, "longest stands in place of 10000", atol=1e-5)


def test_positions_may_be_given(rotary):
    positions = jnp.array([7, 7, 2])
    call = "rotary(x, jnp.array([7, 7, 2])) with x.shape = (2, 3, 2, 4)"
    because = "vector n stands at positions[n]: behind a cache the first new vector is not at 0"
    expect(rotary(jnp.array(X), positions), reference(X, positions), call, because, atol=1e-5)


def test_no_vector_changes_its_length(rotary):
    lengths = np.linalg.norm(np.asarray(rotary(jnp.array(X))), axis=-1)
    call = "the length of each vector of rotary(x) with x.shape = (2, 3, 2, 4)"
    expect(lengths, np.linalg.norm(X, axis=-1), call, "turning keeps lengths", atol=1e-5)


def test_the_product_depends_on_the_distance_alone(rotary):
    query, key = (jnp.broadcast_to(jnp.array(X[0, n, :1]), (12, 1, 4)) for n in (0, 1))
    query, key = (np.asarray(rotary(x), np.float64)[:, 0] for x in (query, key))
    products = (query[2:] * key[:-2]).sum(-1)
    call = "rotary(query)[p + 2] · rotary(key)[p] for p = 0 … 9, one query and one key at every position"
    because = "the product of two turned arrows depends on the angle between them, which is that of two steps"
    expect(products, np.full(10, products[0]), call, because, atol=1e-4)
    once = reference(X[0, :1, :1], [2])[0, 0] @ X[0, 1, 0]
    expect(products[0], once, call, because, atol=1e-4)


def test_the_dtype_stays(rotary):
    turned = rotary(jnp.array(X, jnp.bfloat16))
    expect_that(
        turned.dtype == jnp.bfloat16,
        "rotary(x) with x of bfloat16",
        turned.dtype,
        "bfloat16",
        "cast sine and cosine to x's dtype",
    )


def test_an_odd_depth_is_refused(rotary):
    because = "they turn in pairs, and one number is left over"
    expect_refusal(lambda: rotary(jnp.ones((2, 1, 3))), "rotary(x) with x.shape = (2, 1, 3)", because)


def test_it_works_under_jit(rotary):
    x = jnp.ones((2, 1, 2))
    call = "jax.jit(rotary)(x) with x of ones, x.shape = (2, 1, 2)"
    expect(jax.jit(rotary)(x), reference(x), call, "compiling must not change the result", atol=1e-5)
