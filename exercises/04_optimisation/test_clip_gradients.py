"""What `clip_gradients` must do. The tree has two arrays whose numbers are one vector, [6, 0, 0, 8], of length 10."""

import jax
import jax.numpy as jnp
import pytest

from exercises.runner.expectations import expect, expect_refusal, expect_that

GRADIENTS = {"kernel": jnp.array([[6.0, 0.0]]), "bias": [jnp.array([0.0, 8.0])]}
WITH = "with gradients = {kernel: [[6, 0]], bias: [[0, 8]]}"


@pytest.fixture(scope="module")
def clip_gradients(answer):
    return answer


def clip(clip_gradients, gradients, max_norm):
    """The clipped arrays, [bias, kernel], and the call in words."""
    clipped, call = clip_gradients(gradients, max_norm), f"clip_gradients(gradients, {max_norm}) {WITH}"
    same = jax.tree.structure(clipped) == jax.tree.structure(gradients)
    expect_that(same, call, clipped, "the same tree: a dict of an array and a list of one array")
    return *jax.tree.leaves(clipped), call


@pytest.mark.parametrize("max_norm", [5.0, 7.0])
def test_long_gradients_are_scaled_by_one_factor_to_the_length_allowed(clip_gradients, max_norm):
    bias, kernel, call = clip(clip_gradients, GRADIENTS, max_norm)
    because = f"all numbers together have the length √(6² + 8²) = 10, so that all are multiplied by {max_norm / 10:g}"
    expect(kernel, [[0.6 * max_norm, 0]], f"{call}: kernel", because)
    expect(bias, [0, 0.8 * max_norm], f"{call}: bias", because)


@pytest.mark.parametrize("max_norm", [10.0, 11.0])
def test_gradients_that_are_short_enough_stay_as_they_are(clip_gradients, max_norm):
    bias, kernel, call = clip(clip_gradients, GRADIENTS, max_norm)
    because = "their length is 10, no longer than allowed"
    expect(kernel, [[6, 0]], f"{call}: kernel", because)
    expect(bias, [0, 8], f"{call}: bias", because)


def test_the_length_of_a_matrix_is_that_of_all_its_numbers(clip_gradients):
    kernel = jnp.array([[3.0, 0.0], [0.0, -4.0]])
    (clipped,) = jax.tree.leaves(clip_gradients([kernel], 1.0))
    because = "its length is √(3² + 4²) = 5; jnp.linalg.norm(matrix, 2) is something else, the largest singular value, 4"
    expect(clipped, [[0.6, 0], [0, -0.8]], "clip_gradients(gradients, 1.0) with gradients = [[[3, 0], [0, -4]]]", because)


def test_tiny_gradients_are_clipped_as_exactly_as_others(clip_gradients):
    tiny = jnp.array([3e-6, 4e-6])
    (clipped,) = jax.tree.leaves(clip_gradients([tiny], 1e-6))
    call = "clip_gradients(gradients, 1e-6) with gradients = [[3e-6, 4e-6]]"
    because = "their length is 5e-6, and a fifth of them is left: an epsilon beside the length would be as large as max_norm"
    expect(clipped, [6e-7, 8e-7], call, because, atol=0)


def test_zero_gradients_stay_zero(clip_gradients):
    zeros = jax.tree.map(jnp.zeros_like, GRADIENTS)
    bias, *_ = jax.tree.leaves(clip_gradients(zeros, 1.0))
    expect(bias, [0, 0], "clip_gradients(gradients, 1.0) with all gradients 0: bias", "a length of 0 must divide nothing")


def test_dtypes_are_kept(clip_gradients):
    gradients = {"narrow": jnp.array([3.0], jnp.bfloat16), "wide": jnp.array([4.0])}
    narrow, wide = jax.tree.leaves(clip_gradients(gradients, 1.0))
    call = "clip_gradients({narrow: [3] in bfloat16, wide: [4] in float32}, 1.0)"
    dtypes = (str(narrow.dtype), str(wide.dtype))
    expect_that(dtypes == ("bfloat16", "float32"), f"{call}: dtypes", dtypes, "bfloat16 and float32", "a step keeps its type")
    expect(wide, [0.8], f"{call}: wide", "the length is 5")


def test_it_works_under_jit(clip_gradients):
    bias, _ = jax.tree.leaves(jax.jit(clip_gradients, static_argnums=1)(GRADIENTS, 1.0))
    expect(bias, [0, 0.8], f"jax.jit(clip_gradients)(gradients, 1.0) {WITH}: bias", "compiling must not change the result")


@pytest.mark.parametrize("max_norm", [0.0, -1.0, float("nan")])
def test_a_length_that_is_not_above_zero_is_refused(clip_gradients, max_norm):
    call = f"clip_gradients(gradients, {max_norm})"
    expect_refusal(lambda: clip_gradients(GRADIENTS, max_norm), call, "no gradient but 0 is so short")
