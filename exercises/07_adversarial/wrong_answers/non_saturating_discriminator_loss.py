"""Wrong answers to `non_saturating_discriminator_loss` that a student writes; exercises.toml says what is wrong with each."""

import jax
import jax.numpy as jnp


def labels_swapped(real_scores, fake_scores):
    _require_scores(real_scores, fake_scores)
    return jnp.logaddexp(real_scores, 0).mean() + jnp.logaddexp(-fake_scores, 0).mean()


def log_of_sigmoid(real_scores, fake_scores):
    _require_scores(real_scores, fake_scores)
    return -jnp.log(jax.nn.sigmoid(real_scores)).mean() - jnp.log(1 - jax.nn.sigmoid(fake_scores)).mean()


def epsilon_in_the_logarithm(real_scores, fake_scores):
    _require_scores(real_scores, fake_scores)
    real, fake = jax.nn.sigmoid(real_scores), jax.nn.sigmoid(fake_scores)
    return -jnp.log(real + 1e-8).mean() - jnp.log(1 - fake + 1e-8).mean()


def one_mean_for_both(real_scores, fake_scores):
    _require_scores(real_scores, fake_scores)
    return jnp.concatenate([jnp.logaddexp(-real_scores, 0).ravel(), jnp.logaddexp(fake_scores, 0).ravel()]).mean()


def fakes_alone(real_scores, fake_scores):
    _require_scores(real_scores, fake_scores)
    return jnp.logaddexp(fake_scores, 0).mean()


def sign_lost(real_scores, fake_scores):
    _require_scores(real_scores, fake_scores)
    return -jnp.logaddexp(-real_scores, 0).mean() - jnp.logaddexp(fake_scores, 0).mean()


def summed(real_scores, fake_scores):
    _require_scores(real_scores, fake_scores)
    return jnp.logaddexp(-real_scores, 0).sum() + jnp.logaddexp(fake_scores, 0).sum()


def nan_of_no_scores(real_scores, fake_scores):
    return jnp.logaddexp(-real_scores, 0).mean() + jnp.logaddexp(fake_scores, 0).mean()


def _require_scores(*scores):
    if any(array.size == 0 for array in scores):
        raise ValueError("There are no scores.")
