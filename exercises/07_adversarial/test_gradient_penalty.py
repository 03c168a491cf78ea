"""What `gradient_penalty` must do."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from exercises.runner.expectations import expect, expect_refusal


@pytest.fixture(scope="module")
def gradient_penalty(answer):
    return answer


@pytest.mark.parametrize("slope", [0.6, 1.0, 3.0])
def test_a_critic_that_rises_evenly_has_the_square_of_its_slope_less_1(gradient_penalty, slope):
    w = jnp.array([0.6 * slope, 0.8 * slope])
    call = f"gradient_penalty(critic, x) with critic(x) = {slope} · (0.6 x₁ + 0.8 x₂), x of shape (2, 2)"
    because = f"the gradient is {slope} · [0.6, 0.8] at every x, of length {slope}, and the penalty (length − 1)²"
    expect(gradient_penalty(lambda x: x @ w, jnp.array([[1.0, 2.0], [3.0, 4.0]])), (slope - 1) ** 2, call, because)


def test_each_example_has_its_own_slope_and_the_penalty_is_their_mean(gradient_penalty):
    x = jnp.array([[0.3, 0.4], [3.0, 4.0], [0.0, 1.0]])
    call = "gradient_penalty(critic, x) with critic(x) = |x|², x = [[0.3, 0.4], [3, 4], [0, 1]]"
    because = "the gradient of |x|² is 2 x, of lengths 1, 10 and 2: the penalties are 0, 81 and 1"
    expect(gradient_penalty(lambda x: (x**2).sum(-1), x), 82 / 3, call, because)


def test_the_slope_of_an_image_is_that_of_all_its_pixels(gradient_penalty):
    x = jnp.array(np.ones((2, 3, 3, 1), np.float32))
    call = "gradient_penalty(critic, x) with critic = the sum of all pixels, x of shape (2, 3, 3, 1)"
    because = "9 pixels with a gradient of 1 each: the length is √9 = 3, whatever the axes of an image, and (3 − 1)² = 4"
    expect(gradient_penalty(lambda x: x.sum((1, 2, 3)), x), 4, call, because)


def test_a_flat_critic_has_a_gradient_to_learn_from_that_is_a_number(gradient_penalty):
    x = jnp.array([[1.0, 2.0]])

    def penalty(v):
        return gradient_penalty(lambda x: v * x[:, 0], x)

    call = "gradient_penalty(critic, x) with critic(x) = v · x₁, v = 0"
    expect(penalty(0.0), 1, call, "slope 0: (0 − 1)²")
    slope = jax.grad(penalty)(0.0)
    because = "√ has an infinite slope at 0, and ∞ · 0 is NaN: choose another argument for it where the gradient is 0"
    expect(np.isfinite(slope), True, f"np.isfinite(jax.grad of {call}, by v)", because)


def test_no_examples_have_no_mean(gradient_penalty):
    none = jnp.array(np.zeros((0, 2), np.float32))
    because = "the mean of no numbers is NaN: say so at once"
    expect_refusal(
        lambda: gradient_penalty(lambda x: x.sum(-1), none), "gradient_penalty(critic, x) with x of shape (0, 2)", because
    )
