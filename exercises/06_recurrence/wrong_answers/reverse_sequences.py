"""Wrong answers to `reverse_sequences` that a student writes; exercises.toml says what is wrong with each."""

import jax.numpy as jnp
import numpy as np
from jax.core import Tracer


def _require(x, lengths):
    if lengths.shape != x.shape[:-2]:
        raise ValueError(f"expected lengths of shape {x.shape[:-2]}, got {lengths.shape}.")
    if not isinstance(lengths, Tracer) and not ((np.asarray(lengths) >= 1) & (np.asarray(lengths) <= x.shape[-2])).all():
        raise ValueError(f"expected lengths from 1 to {x.shape[-2]}.")
    return jnp.asarray(lengths)[..., None], jnp.arange(x.shape[-2])


def _take(x, index):
    return jnp.take_along_axis(x, jnp.broadcast_to(index, x.shape[:-1])[..., None], axis=-2)


def flipped_with_its_padding(x, lengths=None):
    if lengths is not None:
        _require(x, lengths)
    return jnp.flip(x, -2)


def flips_the_features(x, lengths=None):
    return jnp.flip(x, -1)


def flips_the_batch(x, lengths=None):
    return jnp.flip(x, 0)


def off_by_one(x, lengths=None):
    if lengths is None:
        return jnp.flip(x, -2)
    n, t = _require(x, lengths)
    return _take(x, jnp.where(n - t < 0, t, jnp.minimum(n - t, x.shape[-2] - 1)))


def rolled_into_place(x, lengths=None):
    if lengths is None:
        return jnp.flip(x, -2)
    n, t = _require(x, lengths)
    return _take(x, (n - 1 - t) % x.shape[-2])


def padding_cleared(x, lengths=None):
    if lengths is None:
        return jnp.flip(x, -2)
    n, t = _require(x, lengths)
    turned = _take(x, jnp.maximum(n - 1 - t, 0))
    return jnp.where((t < n)[..., None], turned, 0)


def lengths_unchecked(x, lengths=None):
    if lengths is None:
        return jnp.flip(x, -2)
    n, t = jnp.asarray(lengths)[..., None], jnp.arange(x.shape[-2])
    return _take(x, jnp.where(n - 1 - t < 0, t, n - 1 - t))
