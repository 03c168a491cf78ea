"""The checks that layers make of what they are given, so that what is wrong is named where it first arrives."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer


def require_features(layer: str, x: jax.Array, features: int) -> None:
    """Raises a ValueError, in the layer's name, unless the last axis of x has this many features."""
    if x.ndim == 0 or x.shape[-1] != features:
        plural = "feature" if features == 1 else "features"
        raise ValueError(f"{layer} expects {features} {plural} on the last axis of x, got x.shape={x.shape}.")


def require_positive(layer: str, **sizes: int) -> None:
    """Raises a ValueError, in the layer's name, unless every size is at least 1."""
    for name, size in sizes.items():
        if size < 1:
            raise ValueError(f"{layer} expects {name} of at least 1, got {name}={size}.")


def require_within(layer: str, name: str, values: jax.Array | np.ndarray, low: int, high: int) -> None:
    """Raises a ValueError, in the layer's name, unless the values are whole numbers from low to high.

    Arguments of a `jax.jit` are not known yet inside of it: of them only the dtype is checked.
    """
    if not jnp.issubdtype(values.dtype, jnp.integer):
        raise ValueError(f"{layer} expects {name} in whole numbers, got an array of {values.dtype}.")
    if isinstance(values, Tracer) or values.size == 0:
        return
    values = np.asarray(values)  # a constant of a jit is known there, but sums of it by JAX are not
    least, most = int(values.min()), int(values.max())
    if least < low or most > high:
        raise ValueError(f"{layer} expects {name} from {low} to {high}, got {least if least < low else most}.")
