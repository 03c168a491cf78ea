"""Wrong answers to `softmax` that a student writes; exercises.toml says what is wrong with each."""

import jax.numpy as jnp


def overflows(x, axis=-1):
    return jnp.exp(x) / jnp.exp(x).sum(axis, keepdims=True)


def one_maximum(x, axis=-1):
    unnormalized = jnp.exp(x - x.max())
    return unnormalized / unnormalized.sum(axis, keepdims=True)


def mean_taken_off(x, axis=-1):
    unnormalized = jnp.exp(x - x.mean(axis, keepdims=True))
    return unnormalized / unnormalized.sum(axis, keepdims=True)


def sums_over_first_axis(x, axis=-1):
    unnormalized = jnp.exp(x - x.max(axis, keepdims=True))
    return unnormalized / unnormalized.sum(0, keepdims=True)


def sums_over_everything(x, axis=-1):
    unnormalized = jnp.exp(x - x.max(axis, keepdims=True))
    return unnormalized / unnormalized.sum()


def axis_ignored(x, axis=-1):
    unnormalized = jnp.exp(x - x.max(-1, keepdims=True))
    return unnormalized / unnormalized.sum(-1, keepdims=True)


def scores_clipped(x, axis=-1):
    unnormalized = jnp.exp(jnp.clip(x, -80, 80))
    return unnormalized / unnormalized.sum(axis, keepdims=True)


def gradient_guarded_too_late(x, axis=-1):
    # The values are right. The gradient goes through both branches, and 0 · ∞ in the unused one is NaN.
    shifted = x - x.max(axis, keepdims=True)
    plain = jnp.exp(x) / jnp.exp(x).sum(axis, keepdims=True)
    stable = jnp.exp(shifted) / jnp.exp(shifted).sum(axis, keepdims=True)
    return jnp.where(jnp.abs(x).max(axis, keepdims=True) < 50, plain, stable)
