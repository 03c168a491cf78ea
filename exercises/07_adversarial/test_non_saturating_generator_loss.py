"""What `non_saturating_generator_loss` must do."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from exercises.runner.expectations import expect, expect_refusal, shown

NAME = "non_saturating_generator_loss"


@pytest.fixture(scope="module")
def non_saturating_generator_loss(answer):
    return answer


def test_it_is_the_mean_surprise_that_the_fakes_be_real(non_saturating_generator_loss):
    scores = np.log([[4.0], [1.0], [1 / 4]])
    call = f"{NAME}(fake_scores) of shape (3, 1), where D(fake) = 0.8, 0.5, 0.2"
    because = "−mean log D: the generator wants the label 1 for its examples"
    expect(non_saturating_generator_loss(jnp.array(scores, jnp.float32)), -np.log([0.8, 0.5, 0.2]).mean(), call, because)


def test_where_the_discriminator_is_sure_the_slope_is_steepest(non_saturating_generator_loss):
    scores = jnp.array([-200.0, 0.0, 200.0])
    call = f"{NAME}(fake_scores) with {shown(fake_scores=scores)}"
    because = "−log D = log(1 + e^(−s)) is about −s far below 0: log of the rounded sigmoid would be −∞"
    expect(non_saturating_generator_loss(scores), (200 + np.log(2)) / 3, call, because)
    because = "the slope at each score is −(1 − D) / 3: −1/3 for a fake that was recognised, 0 for one that passed"
    expect(jax.grad(non_saturating_generator_loss)(scores), np.array([-1, -0.5, 0]) / 3, f"jax.grad of {call}", because)


def test_no_scores_have_no_mean(non_saturating_generator_loss):
    none = jnp.array(np.zeros(0, np.float32))
    because = "the mean of no numbers is NaN: say so at once"
    expect_refusal(lambda: non_saturating_generator_loss(none), f"{NAME}(fake_scores) with no scores", because)
