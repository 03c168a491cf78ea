"""Exercise: one number for each feature, wherever in the image it was found."""

import jax.numpy as jnp  # noqa: F401 (for your answer)
from jaxtyping import Array, Float


def global_avg_pool(x: Float[Array, "*batch_and_space features"], spatial_axes: int = 2) -> Float[Array, "*batch features"]:
    """The mean of each feature over the whole image: what is there, and no longer where.

    Args:
      x: any number of batch axes, then the axes of space, then the features.
      spatial_axes: how many axes of space there are.

    Raises:
      ValueError: if x has too few axes, or no positions.

    Reference: Lin, Chen and Yan 2013, "Network In Network", section 3.2.
    """
    raise NotImplementedError("TODO: which axes of (*batch, height, width, features) disappear, counted from the end?")
