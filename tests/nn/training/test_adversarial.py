"""Losses of both sides against their equations."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nn.training import (
    HINGE,
    NON_SATURATING,
    WASSERSTEIN,
    discriminator_objective,
    gradient_penalty,
    interpolate,
    saturating_generator_loss,
)

PAIRS = {"non-saturating": NON_SATURATING, "hinge": HINGE, "Wasserstein": WASSERSTEIN}
random = np.random.default_rng(0)


def log_sigmoid(x):
    return -np.log1p(np.exp(-x))


# The equations in float64: (discriminator's, generator's).
EQUATIONS = {
    "non-saturating": (
        lambda real, fake: -log_sigmoid(real).mean() - np.log(1 - 1 / (1 + np.exp(-fake))).mean(),
        lambda fake: -log_sigmoid(fake).mean(),
    ),
    "hinge": (
        lambda real, fake: np.maximum(0, 1 - real).mean() + np.maximum(0, 1 + fake).mean(),
        lambda fake: -fake.mean(),
    ),
    "Wasserstein": (lambda real, fake: fake.mean() - real.mean(), lambda fake: -fake.mean()),
}


def single(array):
    return jnp.asarray(array, jnp.float32)


@pytest.mark.parametrize("name", PAIRS)
def test_both_losses_are_their_equations_in_float64(name):
    real, fake = random.normal(0, 2, (5, 2)), random.normal(0, 2, (3,))  # as many scores as a discriminator likes
    discriminator, generator = EQUATIONS[name]
    np.testing.assert_allclose(PAIRS[name].discriminator(single(real), single(fake)), discriminator(real, fake), rtol=1e-5)
    np.testing.assert_allclose(PAIRS[name].generator(single(fake)), generator(fake), rtol=1e-5)


def test_the_saturating_loss_is_the_discriminators_with_its_sign_turned():
    fake = random.normal(0, 2, 5)
    np.testing.assert_allclose(saturating_generator_loss(single(fake)), np.log(1 - 1 / (1 + np.exp(-fake))).mean(), rtol=1e-5)


@pytest.mark.parametrize("name", PAIRS)
def test_no_score_is_too_large(name):
    large = jnp.array([1e4, -1e4])
    values = PAIRS[name].discriminator(large, -large), PAIRS[name].generator(large)
    assert np.isfinite(values).all()


@pytest.mark.parametrize("name", PAIRS)
def test_no_scores_have_no_loss(name):
    none, one = jnp.zeros(0), jnp.zeros(1)
    for attempt in (
        lambda: PAIRS[name].discriminator(one, none),
        lambda: PAIRS[name].discriminator(none, one),
        lambda: PAIRS[name].generator(none),
    ):
        with pytest.raises(ValueError, match="expects at least one, got an empty batch"):
            attempt()


def test_the_best_discriminator_of_two_distributions_scores_log_p_over_q_and_its_loss_is_log_4_less_their_divergence():
    """Goodfellow et al. 2014, proposition 1 and theorem 1; the points are dealt out as often as p and q say."""
    p, q = np.array([0.5, 0.25, 0.25]), np.array([0.25, 0.5, 0.25])
    real, fake = np.array([0, 0, 1, 2]), np.array([0, 1, 1, 2])
    value, slope = jax.value_and_grad(lambda scores: NON_SATURATING.discriminator(scores[real], scores[fake]))(
        single(np.log(p / q))
    )
    middle = (p + q) / 2
    divergence = (p * np.log(p / middle) + q * np.log(q / middle)).sum() / 2
    np.testing.assert_allclose(value, np.log(4) - 2 * divergence, rtol=1e-6)
    np.testing.assert_allclose(slope, np.zeros(3), atol=1e-7)
    np.testing.assert_allclose(NON_SATURATING.discriminator(jnp.zeros(4), jnp.zeros(4)), np.log(4), rtol=1e-6)


def test_where_the_discriminator_is_sure_one_generator_still_learns_and_the_other_does_not():
    sure = jnp.full(1, -20.0)
    assert jax.grad(NON_SATURATING.generator)(sure) == pytest.approx(-1)
    assert abs(jax.grad(saturating_generator_loss)(sure)[0]) < 1e-8


def test_interpolation_goes_from_the_fake_to_the_real_one_of_its_own_pair():
    real, fake = random.normal(size=(3, 2, 2)), random.normal(size=(3, 2, 2))
    between = interpolate(single(real), single(fake), jnp.array([0.0, 1.0, 0.25]))
    np.testing.assert_allclose(between, [fake[0], real[1], 0.25 * real[2] + 0.75 * fake[2]], rtol=1e-5)


@pytest.mark.parametrize(("fake", "shares"), [((3, 1), (3,)), ((2, 2), (3,)), ((3, 2), (1,)), ((3, 2), (3, 1))], ids=str)
def test_interpolation_broadcasts_nothing(fake, shares, without_type_checks):
    with pytest.raises(
        ValueError, match=r"interpolate expects pairs of one shape and a share for each, got real.shape=\(3, 2\)"
    ):
        interpolate(jnp.zeros((3, 2)), jnp.zeros(fake), jnp.zeros(shares))


def test_the_penalty_of_a_linear_critic_is_the_square_of_its_slope_less_1():
    w, x = random.normal(size=(2, 3)), random.normal(size=(5, 2, 3))
    penalty = gradient_penalty(lambda x: (x * jnp.broadcast_to(single(w), x.shape)).sum((1, 2)), single(x))
    np.testing.assert_allclose(penalty, (np.linalg.norm(w) - 1) ** 2, rtol=1e-5)


def test_the_penalty_is_a_mean_over_examples_each_with_its_own_slope():
    x = np.array([[0.3, 0.4], [3.0, 4.0]])  # the slope of |x|² is 2 |x|: here 1 and 10
    np.testing.assert_allclose(gradient_penalty(lambda x: (x**2).sum(1), single(x)), (0 + 81) / 2, rtol=1e-5)


def test_a_flat_critic_has_penalty_1_and_a_gradient_that_is_a_number():
    def penalty(w):
        return gradient_penalty(lambda x: w * x[:, 0], jnp.ones((2, 3)))

    value, slope = jax.value_and_grad(penalty)(0.0)
    assert value == 1 and np.isfinite(slope)


def test_the_discriminators_gradient_does_not_reach_what_made_the_fakes():
    real, noise = single(random.normal(size=(4, 2))), single(random.normal(size=(3, 2)))

    def objective(w, v):
        return discriminator_objective(NON_SATURATING.discriminator, lambda x: v * (x**3).sum(1), real, w * noise)

    (makers, own), scores = jax.grad(objective, argnums=(0, 1), has_aux=True)(0.7, 0.2)
    assert makers == 0 and own != 0
    np.testing.assert_allclose(scores["real_score"], 0.2 * (real**3).sum(1).mean(), rtol=1e-5)
    np.testing.assert_allclose(scores["fake_score"], 0.2 * ((0.7 * noise) ** 3).sum(1).mean(), rtol=1e-5)


def test_in_half_precision_slopes_and_means_of_scores_keep_their_digits():
    """1 + 1/256 and 1 have one square in bfloat16, and of 1,000 ones a sum in it would stop at 256."""
    narrow = jnp.ones((1000, 1), jnp.bfloat16)
    penalty = gradient_penalty(lambda x: x.sum(1), jnp.ones((2, 3), jnp.bfloat16))
    np.testing.assert_allclose(penalty, (np.sqrt(3) - 1) ** 2, rtol=1e-6)
    for pair in PAIRS.values():
        _, scores = discriminator_objective(pair.discriminator, lambda x: x, narrow, 2 * narrow)
        assert {name: (score.dtype, float(score)) for name, score in scores.items()} == {
            "real_score": (jnp.float32, 1.0),
            "fake_score": (jnp.float32, 2.0),
        }
