"""Wrong answers to `dropout` that a student writes; exercises.toml says what is wrong with each."""

import jax
import jax.numpy as jnp


def _check(rate):
    if not 0 <= rate <= 1:
        raise ValueError("the rate is a probability")


def _masked(keep, x, rate):
    return jnp.zeros_like(x) if rate == 1 else jnp.where(keep, x / (1 - rate), 0)


def not_rescaled(key, x, rate):
    _check(rate)
    return jnp.where(jax.random.bernoulli(key, 1 - rate, x.shape), x, 0)


def rescaled_by_the_rate(key, x, rate):
    _check(rate)
    return jnp.where(jax.random.bernoulli(key, 1 - rate, x.shape), x / max(rate, 1e-12), 0)


def keeps_the_rate(key, x, rate):
    _check(rate)
    return _masked(jax.random.bernoulli(key, rate, x.shape), x, rate)


def key_ignored(key, x, rate):
    _check(rate)
    return _masked(jax.random.bernoulli(jax.random.key(0), 1 - rate, x.shape), x, rate)


def one_coin_for_a_row(key, x, rate):
    _check(rate)
    return _masked(jax.random.bernoulli(key, 1 - rate, (*x.shape[:-1], 1)), x, rate)


def one_mask_for_the_batch(key, x, rate):
    _check(rate)
    return _masked(jnp.broadcast_to(jax.random.bernoulli(key, 1 - rate, x.shape[-1:]), x.shape), x, rate)


def exact_share(key, x, rate):
    _check(rate)
    order = jax.random.permutation(key, x.size).reshape(x.shape)
    return _masked(order >= round(rate * x.size), x, rate)


def one_is_nan(key, x, rate):
    _check(rate)
    return x * jax.random.bernoulli(key, 1 - rate, x.shape) / jnp.asarray(1 - rate, x.dtype)


def any_rate(key, x, rate):
    return _masked(jax.random.bernoulli(key, 1 - rate, x.shape), x, rate)


def noise_on_the_zeros(key, x, rate):
    _check(rate)
    spread = jnp.sqrt(rate / max(1 - rate, 1e-6))
    return jnp.zeros_like(x) if rate == 1 else x * (1 + spread * jax.random.normal(key, x.shape))


def nan_rate_accepted(key, x, rate):
    if rate < 0 or rate > 1:
        raise ValueError("the rate is a probability")
    return _masked(jax.random.bernoulli(key, 1 - rate, x.shape), x, rate)
