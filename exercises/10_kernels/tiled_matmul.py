"""Exercise: a matrix product, tile by tile."""

import jax.numpy as jnp  # noqa: F401 (for your answer)
from jaxtyping import Array, Float


def tiled_matmul(x: Float[Array, "m k"], w: Float[Array, "k n"], *, tile: tuple[int, int, int]) -> Float[Array, "m n"]:
    """x w, tile by tile of the result, each summed up over pieces of k before it is written.

    Only a piece of x, a piece of w and one tile of sums are needed at a time: they can stay in a small and near memory.

    Args:
      x: the left matrix.
      w: the right one.
      tile: rows and columns of the result in a tile, and how much of k is in a piece. The last ones may be smaller.

    Returns:
      The product, summed in float32 or better and returned in the dtype of x.

    Raises:
      ValueError: if the matrices do not fit, or a side of the tile is below 1.
    """
    raise NotImplementedError("TODO: which piece of x and which piece of w does step s of tile (i, j) need, and what waits?")
