"""Exercise: the largest number in each window."""

from collections.abc import Sequence

import jax  # noqa: F401 (for your answer)
import jax.numpy as jnp  # noqa: F401 (for your answer)
import numpy as np  # noqa: F401 (for your answer)
from jaxtyping import Array, Float

Padding = str | Sequence[tuple[int, int]]  # "SAME", "VALID", or how much is outside


def max_pool(
    x: Float[Array, "*batch_and_space features"],
    window_shape: Sequence[int],
    strides: Sequence[int] | None = None,
    padding: Padding = "VALID",
) -> Float[Array, "*batch_and_space_out features"]:
    """The largest number in each window, feature by feature. A drop-in for `flax.nnx.max_pool`.

    Args:
      x: any number of batch axes, then as many axes of space as the window has, then the features.
      window_shape: the size of the window along each axis of space.
      strides: how far the window moves along each axis; 1 if None, as in Flax. Windows that touch but do not overlap have
        `strides=window_shape`.
      padding: "VALID": only windows inside the image. "SAME": an output for every stride begun. Or a pair (before, after)
        for each axis. What lies outside is never the largest.

    Raises:
      ValueError: if x has too few axes, the padded image is smaller than the window, or a size, the strides or the padding
        are not as above.
    """
    raise NotImplementedError("TODO: which number, put where the image ends, is never the largest?")
