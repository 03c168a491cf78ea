"""Wrong answers to `logsumexp` that a student writes; exercises.toml says what is wrong with each."""

import jax
import jax.numpy as jnp
from jax.experimental import pallas as pl


def _kernel(x_ref, y_ref):
    x = x_ref[...].astype(jnp.float32)
    largest = x.max(1, keepdims=True)
    y_ref[...] = (jnp.log(jnp.exp(x - largest).sum(1, keepdims=True)) + largest).astype(y_ref.dtype)


def _run(x, block, interpret, kernel=_kernel, grid=None, read=lambda i: (i, 0), write=lambda i: (i, 0), dtype=None):
    if x.size == 0 or block < 1:
        raise ValueError("nothing")
    rows, features = x.shape
    column = pl.pallas_call(
        kernel,
        grid=(pl.cdiv(rows, block) if grid is None else grid,),
        in_specs=[pl.BlockSpec((block, features), read)],
        out_specs=pl.BlockSpec((block, 1), write),
        out_shape=jax.ShapeDtypeStruct((rows, 1), dtype or x.dtype),
        interpret=interpret,
    )(x)
    return column[:, 0]


def first_block_read_by_all(x, *, block=8, interpret=False):
    return _run(x, block, interpret, read=lambda i: (0, 0))


def first_block_written_by_all(x, *, block=8, interpret=False):
    return _run(x, block, interpret, write=lambda i: (0, 0))


def rows_for_blocks(x, *, block=8, interpret=False):
    return _run(x, block, interpret, read=lambda i: (i * block, 0))


def last_block_left_out(x, *, block=8, interpret=False):
    return _run(x, block, interpret, grid=max(x.shape[0] // block, 1))


def _overflowing(x_ref, y_ref):
    x = x_ref[...].astype(jnp.float32)
    y_ref[...] = jnp.log(jnp.exp(x).sum(1, keepdims=True)).astype(y_ref.dtype)


def overflows(x, *, block=8, interpret=False):
    return _run(x, block, interpret, kernel=_overflowing)


def _one_largest(x_ref, y_ref):
    x = x_ref[...].astype(jnp.float32)
    y_ref[...] = (jnp.log(jnp.exp(x - x.max()).sum(1, keepdims=True)) + x.max()).astype(y_ref.dtype)


def one_largest_for_the_block(x, *, block=8, interpret=False):
    return _run(x, block, interpret, kernel=_one_largest)


def _never_added(x_ref, y_ref):
    x = x_ref[...].astype(jnp.float32)
    y_ref[...] = jnp.log(jnp.exp(x - x.max(1, keepdims=True)).sum(1, keepdims=True)).astype(y_ref.dtype)


def largest_not_added_again(x, *, block=8, interpret=False):
    return _run(x, block, interpret, kernel=_never_added)


def _in_dtype_of_x(x_ref, y_ref):
    def add(i, total):  # number by number, so that each sum is rounded
        return (total + jnp.exp(x_ref[:, pl.ds(i, 1)] - largest)).astype(x_ref.dtype)

    largest = x_ref[...].max(1, keepdims=True)
    y_ref[...] = jnp.log(jax.lax.fori_loop(0, x_ref.shape[1], add, jnp.zeros_like(largest))) + largest


def summed_in_the_dtype_of_x(x, *, block=8, interpret=False):
    return _run(x, block, interpret, kernel=_in_dtype_of_x)


def returned_in_float32(x, *, block=8, interpret=False):
    return _run(x, block, interpret, dtype=jnp.float32)


def no_kernel(x, *, block=8, interpret=False):
    if x.size == 0 or block < 1:
        raise ValueError("nothing")
    return jax.nn.logsumexp(x.astype(jnp.float32), axis=1).astype(x.dtype)


def whole_array_in_every_program(x, *, block=8, interpret=False):
    if x.size == 0 or block < 1:
        raise ValueError("nothing")
    column = pl.pallas_call(_kernel, out_shape=jax.ShapeDtypeStruct((x.shape[0], 1), x.dtype), interpret=interpret)(x)
    return column[:, 0]


def always_interpreted(x, *, block=8, interpret=False):
    return _run(x, block, True)
