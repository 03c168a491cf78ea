"""Wrong answers to `padding_mask` that a student writes; exercises.toml says what is wrong with each."""

import jax.numpy as jnp
from jax.core import Tracer


def _refuse(lengths, keys):
    if not isinstance(lengths, Tracer) and (lengths.min() < 0 or lengths.max() > keys):
        raise ValueError("a length that cannot be")


def one_too_many(lengths, keys):
    _refuse(lengths, keys)
    return (jnp.arange(keys) <= lengths[..., None])[..., None, None, :]


def true_means_padding(lengths, keys):
    _refuse(lengths, keys)
    return (jnp.arange(keys) >= lengths[..., None])[..., None, None, :]


def no_axes_for_heads_and_queries(lengths, keys):
    _refuse(lengths, keys)
    return jnp.arange(keys) < lengths[..., None]


def hides_queries(lengths, keys):
    _refuse(lengths, keys)
    return (jnp.arange(keys) < lengths[..., None])[..., None, :, None]


def padded_in_front(lengths, keys):
    _refuse(lengths, keys)
    return (jnp.arange(keys) >= keys - lengths[..., None])[..., None, None, :]


def ones_and_zeros(lengths, keys):
    _refuse(lengths, keys)
    return jnp.where(jnp.arange(keys) < lengths[..., None], 1.0, 0.0)[..., None, None, :]


def axes_of_lengths_flattened(lengths, keys):
    _refuse(lengths, keys)
    return (jnp.arange(keys) < lengths.reshape(-1, 1))[:, None, None, :]


def any_length_accepted(lengths, keys):
    return (jnp.arange(keys) < lengths[..., None])[..., None, None, :]


def negative_length_accepted(lengths, keys):
    if not isinstance(lengths, Tracer) and lengths.max() > keys:
        raise ValueError("a length above the number of keys")
    return (jnp.arange(keys) < lengths[..., None])[..., None, None, :]


def looks_at_values_under_jit(lengths, keys):
    if lengths.min() < 0 or lengths.max() > keys:
        raise ValueError("a length that cannot be")
    return (jnp.arange(keys) < lengths[..., None])[..., None, None, :]
