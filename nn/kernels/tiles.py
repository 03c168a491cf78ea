"""A matrix product in tiles, and the count of what they save: the idea of every kernel here, without a machine in the way.

A machine has two limits: how many operations it does in a second, and how many bytes it fetches in a second. Which of the two
a program meets depends on its operational intensity, the operations that it does for each byte. A product that fetches two
numbers for every multiplication is slow on any machine; one that works on tiles uses each number many times.

This file is there to be read. matmul.py is the kernel that machines run.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float


def attainable(intensity: float, *, operations_per_second: float, bytes_per_second: float) -> float:
    """The most operations a second that a program of this intensity can do: the roofline.

    Args:
      intensity: operations for each byte that is moved between far memory and near memory.
      operations_per_second: of the machine, at its best.
      bytes_per_second: between the two memories, at its best.

    Reference: Williams, Waterman and Patterson 2009, "Roofline: An Insightful Visual Performance Model", section 3.
    """
    return min(operations_per_second, intensity * bytes_per_second)


def matmul_intensity(m: int, k: int, n: int, *, rows: int, columns: int, itemsize: int = 4) -> float:
    """Operations for each byte moved by x (m, k) times w (k, n), when the result is made in tiles of rows × columns.

    A multiplication and an addition are two operations. A tile reads its own rows of x and its own columns of w, once each and
    all k numbers of them; every number of the result is written once. Tiles at the end may be smaller.

    Args:
      m, k, n: sizes of the matrices.
      rows: of the result, in a tile.
      columns: of the result, in a tile.
      itemsize: bytes of a number.

    Raises:
      ValueError: if one of these is below 1.
    """
    if min(m, k, n, rows, columns, itemsize) < 1:
        raise ValueError(
            f"matmul_intensity expects sizes of 1 at least, got m={m}, k={k}, n={n}, rows={rows}, columns={columns} and "
            f"itemsize={itemsize}."
        )
    tiles_down, tiles_across = -(-m // rows), -(-n // columns)
    # Each column of tiles reads all of x, and each row of tiles all of w.
    moved = tiles_across * m * k + tiles_down * k * n + m * n
    return 2 * m * k * n / (moved * itemsize)


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
    (m, k), n = x.shape, w.shape[1]
    if k != w.shape[0] or min(tile) < 1:
        raise ValueError(
            "tiled_matmul expects x (m, k), w (k, n) and a tile with sides of 1 at least, "
            f"got x.shape={x.shape}, w.shape={w.shape} and tile={tile}."
        )
    rows, columns, depth = tile
    wide = jnp.promote_types(x.dtype, jnp.float32)

    def result(i, j):
        total = jnp.zeros((min(rows, m - i), min(columns, n - j)), wide)
        for s in range(0, k, depth):
            total += jnp.matmul(x[i : i + rows, s : s + depth], w[s : s + depth, j : j + columns], preferred_element_type=wide)
        return total.astype(x.dtype)

    return jnp.block([[result(i, j) for j in range(0, n, columns)] for i in range(0, m, rows)])
