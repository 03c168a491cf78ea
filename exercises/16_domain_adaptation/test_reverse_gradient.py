"""What `reverse_gradient` must do."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from exercises.runner.expectations import expect, expect_refusal, expect_that, shown

X = jnp.array([0.1, -0.7, 2.3, 1.9])


@pytest.fixture(scope="module")
def reverse_gradient(answer):
    return answer


@pytest.mark.parametrize("strength", [0.0, 0.3, 2.0])
def test_forward_nothing_happens(reverse_gradient, strength):
    value = reverse_gradient(X, strength)
    call = f"reverse_gradient(x, {strength}) with {shown(x=X)}"
    expect(value, X, call, "on the way forward it is the identity: the domain classifier sees the features as they are")
    because = "to the last bit: x − λx + λx rounds three times. Nothing has to be computed here"
    expect_that((np.asarray(value) == np.asarray(X)).all(), call, value - X, "exactly x; shown is the difference", because)


@pytest.mark.parametrize("strength", [0.3, 2.0])
def test_backward_the_gradient_is_turned_and_scaled(reverse_gradient, strength):
    got = jax.grad(lambda x: (3 * reverse_gradient(x, strength)).sum())(X)
    call = f"jax.grad of the sum of 3 · reverse_gradient(x, {strength})"
    because = f"the sum's gradient is 3, and −{strength} times that is what may pass: descent on it is ascent for the features"
    expect(got, np.full(4, -3 * strength), call, because)


def test_a_strength_of_0_lets_nothing_through(reverse_gradient):
    got = jax.grad(lambda x: (3 * reverse_gradient(x, 0.0)).sum())(X)
    expect(got, np.zeros(4), "jax.grad of the sum of 3 · reverse_gradient(x, 0.0)", "−0 times the gradient")


def test_what_is_behind_it_keeps_its_own_gradient(reverse_gradient):
    weights = jnp.array([1.0, 2.0, 3.0, 4.0])
    got = jax.grad(lambda w: (w * reverse_gradient(X, 2.0)).sum())(weights)
    call = "jax.grad, by w, of the sum of w · reverse_gradient(x, 2.0)"
    expect(got, X, call, "the classifier behind the reversal learns as always: its gradient is x")


def test_strength_may_change_without_compiling_anew_and_is_not_trained(reverse_gradient):
    @jax.jit
    def slopes(x, strength):
        return jax.grad(lambda x, strength: reverse_gradient(x, strength).sum(), argnums=(0, 1))(x, strength)

    by_x, by_strength = slopes(X, 0.5)
    call = "jax.jit(jax.grad) of the sum of reverse_gradient(x, strength), strength = 0.5, by x"
    expect(by_x, np.full(4, -0.5), call, "strength may be an array that jit does not know yet")
    expect(by_strength, 0, call.replace("by x", "by strength"), "strength comes from the schedule: it gets no gradient")


@pytest.mark.parametrize(
    ("strength", "because"),
    [
        (-0.5, "−(−λ) is no reversal: the domains would drift apart, and nobody would be told"),
        (
            float("nan"),
            "NaN is neither below 0 nor above: ask for `not strength >= 0`. It would make all features' weights NaN",
        ),
    ],
    ids=["below 0", "NaN"],
)
def test_a_strength_that_reverses_nothing_is_refused(reverse_gradient, strength, because):
    expect_refusal(lambda: reverse_gradient(X, strength), f"reverse_gradient(x, {strength})", because)
