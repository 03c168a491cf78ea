"""Exercise: points between real and made examples, where the slope of a critic is measured."""

import jax.numpy as jnp  # noqa: F401 (for your answer)
from jaxtyping import Array, Float


def interpolate(
    real: Float[Array, "batch *shape"], fake: Float[Array, "batch *shape"], shares: Float[Array, " batch"]
) -> Float[Array, "batch *shape"]:
    """share · real + (1 − share) · fake: on the straight line between each pair, one point.

    Args:
      real: examples.
      fake: as many, of the same shape.
      shares: of the real one, from 0 to 1, one number for each pair.

    Raises:
      ValueError: if the three differ in number, or the examples in shape.

    Reference: Gulrajani et al. 2017, "Improved Training of Wasserstein GANs", algorithm 1.
    """
    raise NotImplementedError(
        "TODO: the shares have one axis and the examples any number: which shape must the shares take to meet the right axis?"
    )
