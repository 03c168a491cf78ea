"""Wrong answers to `non_saturating_generator_loss` that a student writes; exercises.toml says what is wrong with each."""

import jax
import jax.numpy as jnp


def saturating(fake_scores):
    return -jnp.logaddexp(_required(fake_scores), 0).mean()


def wrong_way(fake_scores):
    return jnp.logaddexp(_required(fake_scores), 0).mean()


def log_of_sigmoid(fake_scores):
    return -jnp.log(jax.nn.sigmoid(_required(fake_scores))).mean()


def sign_lost(fake_scores):
    return -jnp.logaddexp(-_required(fake_scores), 0).mean()


def no_logarithm(fake_scores):
    return 1 - jax.nn.sigmoid(_required(fake_scores)).mean()


def score_itself(fake_scores):
    return -_required(fake_scores).mean()


def summed(fake_scores):
    return jnp.logaddexp(-_required(fake_scores), 0).sum()


def nan_of_no_scores(fake_scores):
    return jnp.logaddexp(-fake_scores, 0).mean()


def _required(scores):
    if scores.size == 0:
        raise ValueError("There are no scores.")
    return scores
