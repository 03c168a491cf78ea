"""The one check that every layer makes of its input, so that a wrong shape is named where it first arrives."""

import jax


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
