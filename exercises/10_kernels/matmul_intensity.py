"""Exercise: how many operations a tiled product does for each byte that it moves."""


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
    raise NotImplementedError("TODO: one row of x is read by how many tiles, and one column of w by how many?")
