"""Wrong answers to `discriminator_objective` that a student writes; exercises.toml says what is wrong with each."""

import jax
import jax.numpy as jnp


def stop_gradient_forgotten(loss, discriminator, real, fake):
    return _returned(loss, discriminator(real), discriminator(fake))


def scores_stopped(loss, discriminator, real, fake):
    return _returned(loss, discriminator(real), jax.lax.stop_gradient(discriminator(fake)))


def reals_stopped(loss, discriminator, real, fake):
    return _returned(loss, discriminator(jax.lax.stop_gradient(real)), discriminator(fake))


def scores_swapped(loss, discriminator, real, fake):
    real_scores, fake_scores = discriminator(real), discriminator(jax.lax.stop_gradient(fake))
    return loss(fake_scores, real_scores), {"real_score": real_scores.mean(), "fake_score": fake_scores.mean()}


def one_call_for_both(loss, discriminator, real, fake):
    scores = discriminator(jnp.concatenate([real, jax.lax.stop_gradient(fake)]))
    return _returned(loss, scores[: len(real)], scores[len(real) :])


def records_swapped(loss, discriminator, real, fake):
    real_scores, fake_scores = discriminator(real), discriminator(jax.lax.stop_gradient(fake))
    return loss(real_scores, fake_scores), {"real_score": fake_scores.mean(), "fake_score": real_scores.mean()}


def records_the_scores(loss, discriminator, real, fake):
    real_scores, fake_scores = discriminator(real), discriminator(jax.lax.stop_gradient(fake))
    return loss(real_scores, fake_scores), {"real_score": real_scores, "fake_score": fake_scores}


def loss_alone(loss, discriminator, real, fake):
    return loss(discriminator(real), discriminator(jax.lax.stop_gradient(fake)))


def _returned(loss, real_scores, fake_scores):
    return loss(real_scores, fake_scores), {"real_score": real_scores.mean(), "fake_score": fake_scores.mean()}
