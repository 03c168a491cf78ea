"""What `adamw_step` must do."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from exercises.runner.expectations import expect, expect_that, shown


@pytest.fixture(scope="module")
def adamw_step(answer):
    return answer


ZERO = np.zeros(2)


def three(adamw_step, gradient, parameter, mean, mean_square, step, **options):
    """Direction and both means, and the call in words."""
    arrays = dict(gradient=gradient, parameter=parameter, mean=mean, mean_square=mean_square)
    arrays = {name: jnp.asarray(array, jnp.float32) for name, array in arrays.items()}
    result = adamw_step(*arrays.values(), step, **options)
    call = f"adamw_step(…, {', '.join(f'{n}={v}' for n, v in dict(step=step, **options).items())}) with {shown(**arrays)}"
    expect_that(isinstance(result, tuple) and len(result) == 3, call, result, "the direction, the new m and the new s")
    return *result, call


@pytest.mark.parametrize("size", [1.0, 1000.0])
def test_the_first_direction_is_the_sign_of_the_gradient_however_large(adamw_step, size):
    direction, *_, call = three(adamw_step, [2 * size, -size], ZERO, ZERO, ZERO, 1, weight_decay=0.0)
    because = "m has 1 − β₁ of g, s has 1 − β₂ of g²; each divided by what it lacks, m / √s is g / |g|"
    expect(direction, [1, -1], f"{call}: the direction", because)


def test_the_means_come_back_uncorrected(adamw_step):
    _, mean, mean_square, call = three(adamw_step, [2.0, -4.0], ZERO, [1.0, 1.0], [1.0, 1.0], 3, b1=0.75, b2=0.5)
    expect(mean, [1.25, -0.25], f"{call}: the new m", "m = 0.75 · 1 + 0.25 · g; the correction is for use, not for keeping")
    expect(mean_square, [2.5, 8.5], f"{call}: the new s", "s = 0.5 · 1 + 0.5 · g²")


def test_the_direction_is_the_corrected_mean_over_the_corrected_root(adamw_step):
    options = dict(b1=0.5, b2=0.75, weight_decay=0.0)
    direction, *_, call = three(adamw_step, [2.0, -1.0], ZERO, [1.0, 1.0], [4.0, 0.0], 2, **options)
    mean, square = np.array([1.5, 0.0]), np.array([4.0, 0.25])
    expected = (mean / (1 - 0.5**2)) / np.sqrt(square / (1 - 0.75**2))
    expect(direction, expected, f"{call}: the direction", "m / (1 − 0.5²) over √(s / (1 − 0.75²)), at step 2")


def test_epsilon_is_added_to_the_root(adamw_step):
    options = dict(eps=0.5, weight_decay=0.0)
    direction, *_, call = three(adamw_step, [1.0, -3.0], ZERO, ZERO, ZERO, 1, **options)
    expect(direction, [1 / 1.5, -3 / 3.5], f"{call}: the direction", "ĝ / (√ĝ² + ε): the root first, then + ε")


def test_the_decay_is_the_same_share_of_every_weight_whatever_its_gradient(adamw_step):
    weights, options = [2.0, 2.0], dict(weight_decay=0.5)
    direction, *_, call = three(adamw_step, [1.0, 1000.0], weights, ZERO, ZERO, 1, **options)
    because = "the sign of g, plus 0.5 · w: added to the gradient instead, the decay would be divided by √s with it"
    expect(direction, [2, 2], f"{call}: the direction", because)
    direction, *_, call = three(adamw_step, ZERO, weights, ZERO, ZERO, 1, **options)
    expect(direction, [1, 1], f"{call}: the direction", "with no gradient there is still the decay, 0.5 · w")


def test_gradients_that_are_noise_give_a_short_direction(adamw_step):
    mean, mean_square = ZERO, ZERO
    for step in range(1, 101):
        noise = [(-1.0) ** step, 1.0]
        direction, mean, mean_square, _ = three(adamw_step, noise, ZERO, mean, mean_square, step)
    call = "adamw_step(…), 100 times with gradient = [-1, 1], [1, 1], [-1, 1] …: the direction"
    because = "the mean of what alternates is near 0, and that of its square is 1"
    expect(np.asarray(direction), [0.0526, 1], call, because, atol=2e-3)


def test_it_works_under_jit_with_a_traced_step(adamw_step):
    one = jnp.ones(2)
    direction, *_ = jax.jit(adamw_step)(one, one, 0 * one, 0 * one, jnp.array(1))
    call = "jax.jit(adamw_step)(gradient, parameter, mean, mean_square, 1), all ones and zeros: the direction"
    expect(direction, [1.0001, 1.0001], call, "the sign of g, plus the default decay of 1e-4 · w")
