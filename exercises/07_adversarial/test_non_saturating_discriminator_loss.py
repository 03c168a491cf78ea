"""What `non_saturating_discriminator_loss` must do."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from exercises.runner.expectations import expect, expect_refusal, shown

NAME = "non_saturating_discriminator_loss"


@pytest.fixture(scope="module")
def non_saturating_discriminator_loss(answer):
    return answer


def test_who_can_only_guess_pays_log_4(non_saturating_discriminator_loss):
    zeros = jnp.array(np.zeros(3, np.float32))
    because = "a score of 0 is D = 1/2, and −log(1/2) twice, once for each sort, is log 4 = 1.3863"
    expect(non_saturating_discriminator_loss(zeros, zeros), np.log(4), f"{NAME}([0, 0, 0], [0, 0, 0])", because)


def test_each_sort_has_its_own_label_and_its_own_mean(non_saturating_discriminator_loss):
    real, fake = np.log([[4.0], [1.5]]), np.log([[1 / 3], [1 / 4], [1.0]])  # D: 0.8, 0.6 and 0.25, 0.2, 0.5
    expected = -np.log([0.8, 0.6]).mean() - np.log([0.75, 0.8, 0.5]).mean()
    call = (
        f"{NAME}(real_scores, fake_scores) of shapes (2, 1) and (3, 1), where D(real) = 0.8, 0.6 and D(fake) = 0.25, 0.2, 0.5"
    )
    because = "−mean log D over the two real ones, −mean log(1 − D) over the three fakes: real is 1, fake is 0"
    expect(
        non_saturating_discriminator_loss(jnp.array(real, jnp.float32), jnp.array(fake, jnp.float32)), expected, call, because
    )


def test_being_sure_and_wrong_costs_the_score_and_not_infinity(non_saturating_discriminator_loss):
    real, fake = jnp.array([-200.0, 200.0, 0.0]), jnp.array([300.0, -300.0, 0.0])
    call = f"{NAME}(real_scores, fake_scores) with {shown(real_scores=real, fake_scores=fake)}"
    because = "σ(−200) is 0 in float32 and its logarithm −∞: take the logarithm on paper, log σ(s) = −log(1 + e^(−s))"
    expected = (200 + np.log(2)) / 3 + (300 + np.log(2)) / 3
    expect(non_saturating_discriminator_loss(real, fake), expected, call, because)
    slope = jax.grad(non_saturating_discriminator_loss, argnums=1)(real, fake)
    because = "the slope at each fake is D(fake) / 3: steepest where the discriminator is most wrong"
    expect(slope, np.array([1, 0, 0.5]) / 3, f"jax.grad of {call}, by fake_scores", because)


@pytest.mark.parametrize("empty", ["real_scores", "fake_scores"])
def test_no_scores_have_no_mean(non_saturating_discriminator_loss, empty):
    scores = {"real_scores": jnp.array([1.0]), "fake_scores": jnp.array([1.0]), empty: jnp.array(np.zeros(0, np.float32))}
    call = f"{NAME}(real_scores, fake_scores) with {shown(**scores)}"
    expect_refusal(lambda: non_saturating_discriminator_loss(**scores), call, "the mean of no numbers is NaN: say so at once")
