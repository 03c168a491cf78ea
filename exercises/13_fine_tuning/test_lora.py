"""What `lora` must do."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from exercises.runner.expectations import expect, expect_refusal, expect_that, shown

random = np.random.default_rng(0)
X, A, B = (random.normal(size=shape) for shape in ((2, 4, 5), (5, 3), (3, 2)))
x, a, b = (jnp.asarray(array, jnp.float32) for array in (X[0], A, B))
SHAPES = "x.shape = (4, 5), a.shape = (5, 3), b.shape = (3, 2)"


@pytest.fixture(scope="module")
def lora(answer):
    return answer


def test_one_example_by_hand(lora):
    one, down, up = jnp.array([1.0, 2.0]), jnp.array([[1.0], [10.0]]), jnp.array([[3.0, -1.0]])
    call = f"lora(x, a, b, alpha=2.0) with {shown(x=one, a=down, b=up)}"
    because = "x A = 1·1 + 2·10 = 21, times B is [63, −21], and α / rank = 2 / 1"
    expect(lora(one, down, up, alpha=2.0), [126, -42], call, because)


def test_alpha_is_divided_by_the_rank(lora):
    because = "the rank is 3, the size of what lies between A and B: α / rank = 5 / 3"
    call = f"lora(x, a, b, alpha=5.0) with {SHAPES}"
    expect(lora(x, a, b, alpha=5.0), 5 / 3 * X[0] @ A @ B, call, because, rtol=1e-4, atol=1e-5)


def test_what_is_said_twice_counts_once(lora):
    twice = lora(x, jnp.concatenate([a, a], axis=1), jnp.concatenate([b, b]), alpha=6.0)
    call = "lora(x, [a a], [b above b], alpha=6.0), of rank 6: twice the rank, and the same columns and rows again"
    because = "it sums twice as many terms and divides by twice the rank: that is why another rank needs no other learning rate"
    expect(twice, lora(x, a, b, alpha=6.0), call, because, rtol=1e-4, atol=1e-5)


def test_it_begins_with_nothing_and_b_learns_first(lora):
    nothing = jnp.zeros((3, 2))
    call = f"lora(x, a, b, alpha=6.0) with {SHAPES}, b = 0, as training begins"
    expect(lora(x, a, nothing, alpha=6.0), np.zeros((4, 2)), call, "the network is still the pretrained one, to the last bit")
    of_a, of_b = jax.grad(lambda a, b: lora(x, a, b, alpha=6.0).sum(), argnums=(0, 1))(a, nothing)
    expect(of_a, np.zeros((5, 3)), f"the gradient by a of the sum of {call}", "through B = 0 nothing comes back to A")
    slope = np.tile(2 * (X[0] @ A).sum(0)[:, None], (1, 2))
    because = "each number of B collects the number of x A that it meets, times α / rank: B moves at the first step"
    expect(of_b, slope, f"the gradient by b of the sum of {call}", because, rtol=1e-4, atol=1e-5)


def test_leading_axes_are_kept(lora):
    got = lora(jnp.asarray(X, jnp.float32), a, b, alpha=3.0)
    call = "lora(x, a, b, alpha=3.0) with x.shape = (2, 4, 5), a.shape = (5, 3), b.shape = (3, 2)"
    because = "only the last axis of x is summed over; (2, 4) are examples and places in them"
    expect(got, X @ A @ B, call, because, rtol=1e-4, atol=1e-5)


def test_nothing_of_the_layers_size_is_computed(lora):
    shapes = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in ((3, 50), (50, 2), (2, 60))]
    steps = str(jax.make_jaxpr(lambda x, a, b: lora(x, a, b, alpha=2.0))(*shapes))
    full = [size for size in ("[50,60]", "[60,50]") if size in steps]
    call = "lora(x, a, b, alpha=2.0) with x.shape = (3, 50), a.shape = (50, 2), b.shape = (2, 60); what it computes on the way"
    because = "A B is as large as the layer that LoRA spares you; x A has 2 numbers an example"
    expect_that(not full, call, f"an array of shape {' and '.join(full)}", "none of shape [50,60]", because)


@pytest.mark.parametrize(("of_x", "of_a", "of_b"), [((4, 3), (5, 2), (2, 6)), ((4, 5), (5, 2), (3, 6))], ids=["x", "rank"])
def test_shapes_that_do_not_follow_one_another_are_refused(lora, of_x, of_a, of_b):
    call = f"lora(x, a, b, alpha=1.0) with shapes {of_x}, {of_a} and {of_b}"
    because = "each last axis meets the next first one; say which do not, in the words of LoRA"
    expect_refusal(lambda: lora(jnp.ones(of_x), jnp.ones(of_a), jnp.ones(of_b), alpha=1.0), call, because)
