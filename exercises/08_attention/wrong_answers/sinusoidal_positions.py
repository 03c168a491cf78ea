"""Wrong answers to `sinusoidal_positions` that a student writes; exercises.toml says what is wrong with each."""

import jax.numpy as jnp


def _angles(length, features, longest, *, first=0):
    if features % 2:
        raise ValueError("an odd number of features")
    return jnp.outer(jnp.arange(first, first + length), longest ** (-jnp.arange(0, features, 2) / features))


def _interleave(sines, cosines):
    return jnp.stack([sines, cosines], axis=-1).reshape(len(sines), -1)


def sines_first(length, features, *, longest=10_000.0):
    angles = _angles(length, features, longest)
    return jnp.concatenate([jnp.sin(angles), jnp.cos(angles)], axis=-1)


def cosine_first(length, features, *, longest=10_000.0):
    angles = _angles(length, features, longest)
    return _interleave(jnp.cos(angles), jnp.sin(angles))


def sine_only(length, features, *, longest=10_000.0):
    angles = _angles(length, features, longest)
    return _interleave(jnp.sin(angles), jnp.sin(angles))


def counts_from_one(length, features, *, longest=10_000.0):
    angles = _angles(length, features, longest, first=1)
    return _interleave(jnp.sin(angles), jnp.cos(angles))


def a_speed_for_each_column(length, features, *, longest=10_000.0):
    if features % 2:
        raise ValueError("an odd number of features")
    angles = jnp.outer(jnp.arange(length), longest ** (-jnp.arange(features) / features))
    return jnp.where(jnp.arange(features) % 2 == 0, jnp.sin(angles), jnp.cos(angles))


def two_forgotten(length, features, *, longest=10_000.0):
    if features % 2:
        raise ValueError("an odd number of features")
    angles = jnp.outer(jnp.arange(length), longest ** (-jnp.arange(features // 2) / features))
    return _interleave(jnp.sin(angles), jnp.cos(angles))


def times_for_divided_by(length, features, *, longest=10_000.0):
    if features % 2:
        raise ValueError("an odd number of features")
    angles = jnp.outer(jnp.arange(length), longest ** (jnp.arange(0, features, 2) / features))
    return _interleave(jnp.sin(angles), jnp.cos(angles))


def longest_ignored(length, features, *, longest=10_000.0):
    angles = _angles(length, features, 10_000.0)
    return _interleave(jnp.sin(angles), jnp.cos(angles))


def axes_swapped(length, features, *, longest=10_000.0):
    angles = _angles(length, features, longest)
    return _interleave(jnp.sin(angles), jnp.cos(angles)).T


def odd_features_cut_off(length, features, *, longest=10_000.0):
    angles = jnp.outer(jnp.arange(length), longest ** (-jnp.arange(0, features, 2) / features))
    return _interleave(jnp.sin(angles), jnp.cos(angles))[:, :features]
