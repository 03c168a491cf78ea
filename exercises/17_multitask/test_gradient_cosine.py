"""What `gradient_cosine` must do. The lengths are whole numbers, so that every cosine can be checked on paper."""

import jax
import jax.numpy as jnp
import pytest

from exercises.runner.expectations import expect, expect_refusal

FIRST = {"hidden": {"kernel": [[1.0, 2.0]], "bias": [2.0]}}  # length 3
SECOND = {"hidden": {"kernel": [[4.0, 0.0]], "bias": [-3.0]}}  # length 5
UNRELATED = {"hidden": {"kernel": [[2.0, 1.0]], "bias": [-2.0]}}  # at a right angle to FIRST
ZERO = {"hidden": {"kernel": [[0.0, 0.0]], "bias": [0.0]}}


@pytest.fixture(scope="module")
def gradient_cosine(answer):
    return answer


def tree(numbers, factor=1.0):
    """The same as arrays, as jax.grad gives them."""
    return jax.tree.map(lambda leaf: factor * jnp.array(leaf), numbers, is_leaf=lambda node: isinstance(node, list))


def test_a_whole_gradient_is_one_long_vector(gradient_cosine):
    call = f"gradient_cosine(first, second) with first = {FIRST}, second = {SECOND}"
    because = (
        "the product is 1·4 + 2·0 + 2·(−3) = −2, the lengths are 3 and 5. The kernels agree and the biases do not; "
        "what decides is the sum over all weights"
    )
    expect(gradient_cosine(tree(FIRST), tree(SECOND)), -2 / 15, call, because)


@pytest.mark.parametrize(
    ("factor", "cosine", "because"),
    [
        (1.0, 1, "a gradient and itself: the angle is 0"),
        (4.0, 1, "the same direction, four times as long: the lengths are divided out"),
        (-4.0, -1, "opposite directions: the sign is what tells conflict from agreement"),
    ],
    ids=["itself", "longer", "opposite"],
)
def test_only_the_direction_counts(gradient_cosine, factor, cosine, because):
    call = f"gradient_cosine(first, {factor:g} · first) with first = {FIRST}"
    expect(gradient_cosine(tree(FIRST), tree(FIRST, factor)), cosine, call, because)


def test_a_right_angle_is_0(gradient_cosine):
    call = f"gradient_cosine(first, second) with first = {FIRST}, second = {UNRELATED}"
    because = "1·2 + 2·1 + 2·(−2) = 0: a step for the one does nothing for the other"
    expect(gradient_cosine(tree(FIRST), tree(UNRELATED)), 0, call, because)


@pytest.mark.parametrize(("one", "other"), [("zero", "first"), ("first", "zero"), ("zero", "zero")])
def test_a_gradient_of_zero_pulls_nowhere(gradient_cosine, one, other):
    gradients = {"zero": tree(ZERO), "first": tree(FIRST)}
    call = f"gradient_cosine({one}, {other}) with first = {FIRST}, zero = {ZERO}"
    expect(gradient_cosine(gradients[one], gradients[other]), 0, call, "a length of 0 is no divisor: 0 / 0 is NaN")


def test_tiny_gradients_have_a_direction_too(gradient_cosine):
    call = f"gradient_cosine(10⁻¹² · first, 10⁻¹² · first) with first = {FIRST}"
    because = (
        "the lengths are divided out, whatever they are. The product of the squared lengths, 10⁻⁴⁶, is 0 in float32, "
        "that of the lengths is not; and beside a number of your own, such as 10⁻⁸, they vanish"
    )
    expect(gradient_cosine(tree(FIRST, 1e-12), tree(FIRST, 1e-12)), 1, call, because, rtol=1e-4)


def test_it_works_under_jit(gradient_cosine):
    call = f"jax.jit(gradient_cosine)(zero, first) with first = {FIRST}, zero = {ZERO}"
    because = "under jit a length has no value to branch on with `if`"
    expect(jax.jit(gradient_cosine)(tree(ZERO), tree(FIRST)), 0, call, because)


@pytest.mark.parametrize(
    "second",
    [{"hidden": {"kernel": [[1.0, 2.0]]}}, {"head": {"kernel": [[4.0, 0.0]], "bias": [-3.0]}}],
    ids=["no bias", "another layer"],
)
def test_gradients_of_different_parameters_are_refused(gradient_cosine, second):
    call = f"gradient_cosine(first, second) with first = {FIRST}, second = {second}"
    because = "arrays of different weights have no angle, even where their shapes happen to fit"
    expect_refusal(lambda: gradient_cosine(tree(FIRST), tree(second)), call, because)
