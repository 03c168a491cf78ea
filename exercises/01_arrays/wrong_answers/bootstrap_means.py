"""Wrong answers to `bootstrap_means` that a student writes; exercises.toml says what is wrong with each."""

import jax
import jax.numpy as jnp


def one_key_for_all(key, values, resamples=1000):
    _check(values, resamples)
    mean = _resampled_mean(key, values)
    return jnp.stack([mean for _ in range(resamples)])


def key_not_carried_on(key, values, resamples=1000):
    _check(values, resamples)
    means = []
    for _ in range(resamples):
        _, own = jax.random.split(key)  # and the first half is thrown away, so that the next split is the same
        means.append(own)
    return jax.vmap(_resampled_mean, (0, None))(jnp.stack(means), values)


def own_seed(key, values, resamples=1000):
    _check(values, resamples)
    return jax.vmap(_resampled_mean, (0, None))(jax.random.split(jax.random.key(42), resamples), values)


def without_replacement(key, values, resamples=1000):
    _check(values, resamples)
    keys = jax.random.split(key, resamples)
    return jax.vmap(lambda key: jax.random.permutation(key, values).mean())(keys)


def last_value_never(key, values, resamples=1000):
    _check(values, resamples)
    return jax.vmap(lambda key: _resampled_mean(key, values, end=len(values) - 1))(jax.random.split(key, resamples))


def single_draws(key, values, resamples=1000):
    _check(values, resamples)
    return values[jax.random.randint(key, (resamples,), 0, len(values))]


def half_as_many_draws(key, values, resamples=1000):
    _check(values, resamples)
    keys = jax.random.split(key, resamples)
    return jax.vmap(lambda key: _resampled_mean(key, values, draws=len(values) // 2))(keys)


def sliding_window(key, values, resamples=1000):
    _check(values, resamples)
    drawn = values[jax.random.randint(key, (resamples + len(values) - 1,), 0, len(values))]
    return jax.vmap(lambda start: jax.lax.dynamic_slice(drawn, (start,), values.shape).mean())(jnp.arange(resamples))


def sums(key, values, resamples=1000):
    _check(values, resamples)
    return len(values) * jax.vmap(_resampled_mean, (0, None))(jax.random.split(key, resamples), values)


def nothing_refused(key, values, resamples=1000):
    if len(values) == 0 or resamples < 1:
        return jnp.full(max(resamples, 0), jnp.nan)
    return jax.vmap(_resampled_mean, (0, None))(jax.random.split(key, resamples), values)


def _check(values, resamples):
    if len(values) == 0 or resamples < 1:
        raise ValueError("nothing to draw, or nothing to draw from.")


def _resampled_mean(key, values, end=None, draws=None):
    n = len(values)
    return values[jax.random.randint(key, (draws or n,), 0, end or n)].mean()
