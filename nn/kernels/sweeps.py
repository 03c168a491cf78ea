"""A sweep: what one block of an array does with all blocks of another, one after the other, and three machines to run it on.

Flash attention is made of sweeps, and whoever reads what is done in them need not think of who does it: XLA's own loops, a
TPU's grid in Pallas for Mosaic, or one program of a GPU for each block in Pallas for Triton.

Arrays are (heads, length, width), their lengths whole numbers of blocks. A block is a matrix, of one head, and meets the blocks
of this head alone.
"""

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array


class Sweep(NamedTuple):
    """What the blocks of some arrays, its own, do with those of others.

    Attributes:
      own_size: the length of an own block.
      other_size: the length of one of the others.
      span: (i, length, blocks) → the first of so many blocks that own block i meets, and the one behind the last.
      start: (own, other) → the state before the first. Of what it is given only shapes and dtypes are known.
      step: (i, j, length, state, own, other) → the state after own block i has met block j.
      finish: (state, own) → the results of an own block, matrices of its length. Of `own` only shapes and dtypes are known.

    `length` is a number that each head has.
    """

    own_size: int
    other_size: int
    span: Callable[..., tuple[Any, Any]]
    start: Callable[..., tuple[Array, ...]]
    step: Callable[..., tuple[Array, ...]]
    finish: Callable[..., tuple[Array, ...]]


def run(
    sweep: Sweep,
    way: Literal["heads at once", "head by head", "mosaic", "triton"],
    lengths: Array,
    own: Sequence[Array],
    other: Sequence[Array],
    *,
    interpret: bool = False,
) -> Any:
    """The results of all own blocks, joined: a tuple of arrays (heads, length of the own ones, width).

    Args:
      sweep: what is done.
      way: XLA's loops, for all "heads at once" or "head by head" (see `over_heads`), or Pallas's "mosaic" or "triton".
      lengths: for each head the number that its steps are told.
      own: arrays whose blocks sweep.
      other: arrays over whose blocks they sweep.
      interpret: whether Pallas interprets, on any platform.
    """
    if way in ("mosaic", "triton"):
        return {"mosaic": _mosaic, "triton": _triton}[way](sweep, interpret, lengths, tuple(own), tuple(other))
    return _xla(sweep, way == "head by head", lengths, tuple(own), tuple(other))


def blocks_at(arrays: Sequence[Array], i, size: int) -> list[Array]:
    """The i-th block of each of these arrays of one head."""
    return [lax.dynamic_slice_in_dim(x, i * size, size) for x in arrays]


def joined(blocks: Sequence[Array]) -> tuple[Array, ...]:
    """Arrays of one head from all their blocks, which `lax.map` has stacked."""
    return tuple(x.reshape(-1, x.shape[-1]) for x in blocks)


def over_heads(head: Callable[..., Any], lengths: Array, arrays: Any, *, one_by_one: bool) -> Any:
    """head(length, longest, arrays) of every head; it need not meet blocks that only lengths above `longest` ask for.

    One by one, a head stays in a CPU's cache while it is worked on. All at once they keep a GPU or TPU busy, and can be split
    over several devices.
    """
    if one_by_one:
        return lax.map(lambda one: head(one[0], one[0], one[1]), (lengths, arrays))
    return jax.vmap(head, (0, None, 0))(lengths, lengths.max(), arrays)


def _meet(sweep, i, length, span, own, other):
    """The results of own block i, after it has met all of its span. `other(j)` fetches."""
    first, end = span
    step = lambda j, state: sweep.step(i, j, length, state, own, other(j))  # noqa: E731
    return sweep.finish(lax.fori_loop(first, end, step, sweep.start(own, other(0))), own)


def _xla(sweep, one_by_one, lengths, own, other):
    """XLA's own loops: over heads, over own blocks, and over the others."""
    count = own[0].shape[1] // sweep.own_size

    def head(length, longest, arrays):
        own, other = arrays
        blocks = other[0].shape[0] // sweep.other_size
        fetch = lambda j: blocks_at(other, j, sweep.other_size)  # noqa: E731
        block = lambda i: _meet(  # noqa: E731
            sweep, i, length, sweep.span(i, longest, blocks), blocks_at(own, i, sweep.own_size), fetch
        )
        return joined(lax.map(block, jnp.arange(count, dtype=jnp.int32)))

    return over_heads(head, lengths, (own, other), one_by_one=one_by_one)


def _shapes(sweep, own, other):
    """Of the state of a block, and of its results."""
    block = lambda x, size: jax.ShapeDtypeStruct((size, x.shape[-1]), x.dtype)  # noqa: E731
    own, other = [block(x, sweep.own_size) for x in own], [block(x, sweep.other_size) for x in other]
    state = jax.eval_shape(sweep.start, own, other)
    return state, jax.eval_shape(sweep.finish, state, own)


def _write(refs, values):
    for ref, x in zip(refs, values, strict=True):
        ref[...] = x


def _triton(sweep, interpret, lengths, own, other):
    """One program of a GPU for each head and own block. It loops over the others, which stay in the GPU's large memory.

    Triton asks that the sides of all matrices are powers of two, and those of products at least 16. JAX 0.12 says that later
    versions will do without this door to Triton.
    """
    from jax.experimental import pallas as pl

    from nn.kernels.blocks import compiler

    heads, length, _ = own[0].shape
    blocks = other[0].shape[1] // sweep.other_size
    _, results = _shapes(sweep, own, other)

    def program(lengths, *refs):
        own_refs, other_refs, result_refs = refs[: len(own)], refs[len(own) : -len(results)], refs[-len(results) :]
        i, real = pl.program_id(1), lengths[pl.program_id(0)]
        fetch = lambda j: [ref[pl.ds(j * sweep.other_size, sweep.other_size), :] for ref in other_refs]  # noqa: E731
        _write(result_refs, _meet(sweep, i, real, sweep.span(i, real, blocks), [ref[...] for ref in own_refs], fetch))

    block = lambda x: pl.BlockSpec((None, sweep.own_size, x.shape[-1]), lambda head, i: (head, i, 0))  # noqa: E731
    whole = lambda x: pl.BlockSpec((None, *x.shape[1:]), lambda head, i: (head, 0, 0))  # noqa: E731
    return pl.pallas_call(
        program,
        grid=(heads, length // sweep.own_size),
        in_specs=[pl.BlockSpec(lengths.shape, lambda head, i: (0,)), *map(block, own), *map(whole, other)],
        out_specs=tuple(map(block, results)),
        out_shape=tuple(jax.ShapeDtypeStruct((heads, length, x.shape[1]), x.dtype) for x in results),
        **compiler("triton", interpret, order=("parallel", "parallel"), numbers=sweep.own_size * sweep.other_size),
    )(lengths, *own, *other)


def _mosaic(sweep, interpret, lengths, own, other):
    """A TPU's grid of heads × own blocks × other blocks: while one is worked on the next is fetched, and the state stays.

    A block that is outside of the span is not worked on, nor fetched: its place is given as that of the nearest inside.
    """
    from jax.experimental import pallas as pl
    from jax.experimental.pallas import tpu

    from nn.kernels.blocks import compiler

    heads, length, _ = own[0].shape
    blocks = other[0].shape[1] // sweep.other_size
    state, results = _shapes(sweep, own, other)

    def program(lengths, *refs):
        refs, state_refs = refs[: -len(state)], refs[-len(state) :]
        own_refs, other_refs, result_refs = refs[: len(own)], refs[len(own) : -len(results)], refs[-len(results) :]
        i, j, real = pl.program_id(1), pl.program_id(2), lengths[pl.program_id(0)]
        first, end = sweep.span(i, real, blocks)

        @pl.when(j == 0)
        def _():
            _write(state_refs, sweep.start(own_refs, other_refs))

        @pl.when((first <= j) & (j < end))
        def _():
            before, own, other = ([ref[...] for ref in refs] for refs in (state_refs, own_refs, other_refs))
            _write(state_refs, sweep.step(i, j, real, before, own, other))

        @pl.when(j == blocks - 1)
        def _():
            _write(result_refs, sweep.finish([ref[...] for ref in state_refs], own_refs))

    def nearest(head, i, j, lengths):
        first, end = sweep.span(i, lengths[head], blocks)
        return head, jnp.clip(jnp.minimum(jnp.maximum(j, first), end - 1), 0, blocks - 1), 0

    block = lambda x: pl.BlockSpec((None, sweep.own_size, x.shape[-1]), lambda head, i, j, lengths: (head, i, 0))  # noqa: E731
    return pl.pallas_call(
        program,
        grid_spec=tpu.PrefetchScalarGridSpec(
            num_scalar_prefetch=1,
            grid=(heads, length // sweep.own_size, blocks),
            in_specs=[*map(block, own), *(pl.BlockSpec((None, sweep.other_size, x.shape[-1]), nearest) for x in other)],
            out_specs=tuple(map(block, results)),
            scratch_shapes=[tpu.VMEM(x.shape, x.dtype) for x in state],
        ),
        out_shape=tuple(jax.ShapeDtypeStruct((heads, length, x.shape[1]), x.dtype) for x in results),
        **compiler("mosaic", interpret, order=("parallel", "parallel", "arbitrary"), numbers=sweep.own_size * sweep.other_size),
    )(lengths, *own, *other)
