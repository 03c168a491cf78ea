"""Wrong answers to `tiled_matmul` that a student writes; exercises.toml says what is wrong with each."""

import jax.numpy as jnp


def _checked(x, w, tile):
    if x.shape[1] != w.shape[0] or min(tile) < 1:
        raise ValueError("does not fit")


def _tiles(x, w, tile, add=lambda total, part: total + part, wide=jnp.float32):
    (m, k), n, (rows, columns, depth) = x.shape, w.shape[1], tile

    def result(i, j):
        total = jnp.zeros((min(rows, m - i), min(columns, n - j)), wide)
        for s in range(0, k, depth):
            part = jnp.matmul(x[i : i + rows, s : s + depth], w[s : s + depth, j : j + columns], preferred_element_type=wide)
            total = add(total, part)
        return total.astype(x.dtype)

    return [[result(i, j) for j in range(0, n, columns)] for i in range(0, m, rows)]


def last_piece_only(x, w, *, tile):
    _checked(x, w, tile)
    return jnp.block(_tiles(x, w, tile, add=lambda total, part: part))


def first_piece_only(x, w, *, tile):
    _checked(x, w, tile)
    return jnp.block(_tiles(x[:, : tile[2]], w[: tile[2]], tile))


def last_tiles_left_out(x, w, *, tile):
    _checked(x, w, tile)
    rows, columns = (max(size // side, 1) * side for size, side in zip((x.shape[0], w.shape[1]), tile, strict=False))
    return (
        jnp.zeros((x.shape[0], w.shape[1]), x.dtype).at[:rows, :columns].set(jnp.block(_tiles(x[:rows], w[:, :columns], tile)))
    )


def last_piece_left_out(x, w, *, tile):
    _checked(x, w, tile)
    deep = max(x.shape[1] // tile[2], 1) * tile[2]
    return jnp.block(_tiles(x[:, :deep], w[:deep], tile))


def padding_left_on(x, w, *, tile):
    _checked(x, w, tile)
    rows, columns, depth = tile
    x = jnp.pad(x, ((0, -x.shape[0] % rows), (0, -x.shape[1] % depth)))
    w = jnp.pad(w, ((0, -w.shape[0] % depth), (0, -w.shape[1] % columns)))
    return jnp.block(_tiles(x, w, tile))


def sides_swapped(x, w, *, tile):
    _checked(x, w, tile)
    grid = _tiles(x, w, tile)
    return jnp.concatenate([jnp.concatenate(row, axis=0) for row in zip(*grid, strict=True)], axis=0).reshape(-1, w.shape[1])


def summed_in_the_dtype_of_x(x, w, *, tile):
    _checked(x, w, tile)
    return jnp.block(_tiles(x, w, tile, wide=x.dtype))


def returned_in_float32(x, w, *, tile):
    _checked(x, w, tile)
    return jnp.block(_tiles(x, w, tile)).astype(jnp.float32)


def one_row_broadcast(x, w, *, tile):
    if min(tile) < 1:
        raise ValueError("does not fit")
    if w.shape[0] == 1:
        w = jnp.broadcast_to(w, (x.shape[1], w.shape[1]))
    _checked(x, w, tile)
    return jnp.block(_tiles(x, w, tile))


def not_in_tiles(x, w, *, tile):
    _checked(x, w, tile)
    return jnp.matmul(x, w, preferred_element_type=jnp.float32).astype(x.dtype)


def all_of_k_at_once(x, w, *, tile):
    _checked(x, w, tile)
    return jnp.block(_tiles(x, w, (*tile[:2], x.shape[1])))
