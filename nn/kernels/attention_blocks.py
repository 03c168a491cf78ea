"""What a block of queries and a block of keys do with each other in flash attention, there and back.

The math is in attention.py beside it. Heads that share keys lie side by side, row r being head r % shared at position
r // shared, so that the keys are fetched once for all of them. Blocks are matrices, (rows or keys, width); what fills up the
last one is 0.
"""

from dataclasses import dataclass
from functools import partial
from typing import Literal

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from nn.kernels.products import wide_product
from nn.kernels.sweeps import Sweep, blocks_at, joined, over_heads

State = tuple[Float[Array, "rows 1"], Float[Array, "rows 1"], Float[Array, "rows value_depth"]]


@dataclass(frozen=True)
class Call:
    """What the program depends on beside its arrays.

    Attributes:
      causal: whether position i sees keys 0 … i only.
      scale: what scores are multiplied by.
      shared: how many rows a position has.
      rows: of a block of queries.
      keys: of a block of keys.
      way: how it is computed. By XLA's loops, for all "heads at once" or "head by head", see `over_heads`; head by head without
        further loops, where there are "few blocks" of rows and each meets all keys at once; or by Pallas, "mosaic" or "triton".
      interpret: whether Pallas interprets.
    """

    causal: bool
    scale: float
    shared: int
    rows: int
    keys: int
    way: Literal["heads at once", "head by head", "few blocks", "mosaic", "triton"]
    interpret: bool


def _scores(call, row_block, key_block, length, q, k):
    """Q Kᵀ · scale of two blocks, minus infinity where a key is not to be seen: behind the first `length`, or too late."""
    s = wide_product(q, k, over=(1, 1)) * call.scale
    key = key_block * call.keys + lax.broadcasted_iota(jnp.int32, s.shape, 1)
    seen = key < length
    if call.causal:
        row = row_block * call.rows + lax.broadcasted_iota(jnp.int32, s.shape, 0)
        seen &= key * call.shared <= row
    return jnp.where(seen, s, -jnp.inf)


def _keys_seen(call, row_block, length, blocks):
    """The first block of keys that a block of rows sees something of, and the one behind the last."""
    if call.causal:
        length = jnp.minimum(length, lax.div((row_block + 1) * call.rows - 1, np.int32(call.shared)) + 1)
    return np.int32(0), lax.div(length + (call.keys - 1), np.int32(call.keys))


def _rows_seeing(call, key_block, length, blocks):
    """The first of so many blocks of rows that see something of a block of keys, and the one behind the last."""
    first = lax.div(key_block * (call.keys * call.shared), np.int32(call.rows)) if call.causal else np.int32(0)
    real = (key_block * call.keys < length).astype(jnp.int32)  # a `where` of two numbers is what Triton's compiler rejects
    return first, blocks * real


def zeros(*like):
    """Of the shapes of these, in float32 or better."""
    return tuple(jnp.zeros(x.shape, jnp.promote_types(x.dtype, jnp.float32)) for x in like)


def forward_start(own, other):
    """(m, z, a) of a block of rows that has met no key."""
    (q,), (_, v) = own, other
    exact, rows = jnp.promote_types(q.dtype, jnp.float32), q.shape[0]
    # The lowest finite number, and not minus infinity: a difference of two m is then never ∞ − ∞.
    m = jnp.full((rows, 1), jnp.finfo(exact).min, exact)
    return m, jnp.zeros((rows, 1), exact), jnp.zeros((rows, v.shape[1]), exact)


def online_softmax(state: State, scores: Float[Array, "rows keys"], values: Float[Array, "keys value_depth"]) -> State:
    """One step of the online softmax: what is known of each row, after it has also met these keys.

    Args:
      state: of each row m, the largest score so far, z = Σ exp(s − m), and a = Σ exp(s − m) v; a / z is the attention to the
        keys met so far. Before the first, m is the lowest finite number and both sums are 0.
      scores: s, one for each row and new key; −∞ for a key that the row may not see.
      values: v, one for each new key.

    Returns:
      m, z and a of all keys met, these included.

    Reference: Milakov and Gimelshein 2018, "Online normalizer calculation for softmax", algorithm 3.
    """
    m, z, a = state
    largest = jnp.maximum(m, scores.max(1, keepdims=True))
    p, shrink = jnp.exp(scores - largest), jnp.exp(m - largest)
    return largest, z * shrink + p.sum(1, keepdims=True), a * shrink + wide_product(p.astype(values.dtype), values)


def forward_step(call, i, j, length, state, own, other):
    """(m, z, a) after block i of the rows has met block j of the keys."""
    (q,), (k, v), (m, z, a) = own, other, state
    return online_softmax((m, z, a), _scores(call, i, j, length, q, k), v)


def forward_finish(state, own):
    """o and L of a block of rows that has met all its keys."""
    m, z, a = state
    some = z > 0  # else the row saw no key: its output is 0, and L = 0 makes its weights exp(−∞ − 0) = 0
    z = jnp.where(some, z, 1)
    return (a / z).astype(own[0].dtype), jnp.where(some, m + jnp.log(z), 0)


def _weights_and_gradients(call, row_block, key_block, length, rows, keys):
    """p and ds of a block of rows (q, g, L, D) and a block of keys (k, v)."""
    (q, g, L, D), (k, v) = rows, keys
    p = jnp.exp(_scores(call, row_block, key_block, length, q, k) - L)
    ds = p * (wide_product(g, v, over=(1, 1)) - D) * call.scale
    return p.astype(q.dtype), ds.astype(q.dtype)


def rows_step(call, i, j, length, state, own, other):
    """dQ of a block of rows, after it has met one more block of keys."""
    _, ds = _weights_and_gradients(call, i, j, length, own, other)
    return (state[0] + wide_product(ds, other[0]),)


def keys_step(call, i, j, length, state, own, other):
    """dK and dV of a block of keys, after it has met one more block of rows."""
    (dk, dv), (q, g, _, _) = state, other
    p, ds = _weights_and_gradients(call, j, i, length, other, own)
    return dk + wide_product(ds, q, over=(0, 0)), dv + wide_product(p, g, over=(0, 0))


def in_dtype_of_own(state, own):
    """Sums in the dtype of the blocks that they are for."""
    return tuple(x.astype(own[0].dtype) for x in state)


def by_rows(call: Call, start, step, finish) -> Sweep:
    """A sweep of blocks of rows over blocks of keys."""
    return Sweep(call.rows, call.keys, partial(_keys_seen, call), start, partial(step, call), finish)


def by_keys(call: Call, start, step, finish) -> Sweep:
    """A sweep of blocks of keys over blocks of rows."""
    return Sweep(call.keys, call.rows, partial(_rows_seeing, call), start, partial(step, call), finish)


def all_gradients(call, lengths, rows, keys):
    """dQ, dK and dV in one sweep of XLA's, five products instead of seven: of blocks one after the other all may add to dQ."""

    def head(length, longest, arrays):
        rows, keys = arrays
        count = rows[0].shape[0] // call.rows

        def block(dq, j):
            k, v = blocks_at(keys, j, call.keys)

            def step(i, state):
                dq, dk, dv = state
                q, g, *_ = others = blocks_at(rows, i, call.rows)
                p, ds = _weights_and_gradients(call, i, j, length, others, (k, v))
                (here,) = blocks_at((dq,), i, call.rows)
                dq = lax.dynamic_update_slice_in_dim(dq, here + wide_product(ds, k), i * call.rows, 0)
                return dq, dk + wide_product(ds, q, over=(0, 0)), dv + wide_product(p, g, over=(0, 0))

            first, end = _rows_seeing(call, j, longest, count)
            dq, *gradients = lax.fori_loop(first, end, step, (dq, *zeros(k, v)))
            return dq, in_dtype_of_own(gradients, (k,))

        (dq,) = zeros(rows[0])
        dq, gradients = lax.scan(block, dq, jnp.arange(keys[0].shape[0] // call.keys, dtype=jnp.int32))
        return dq.astype(rows[0].dtype), *joined(gradients)

    return over_heads(head, lengths, (rows, keys), one_by_one=call.way == "head by head")


# A CPU's few blocks: each block of rows meets all keys that it may see at once, and all is written out, without a loop.


def _whole_rows(call: Call, i: int, keys: tuple[Array, Array]) -> list[Array]:
    """The keys that block i of the rows may see."""
    count = keys[0].shape[0]
    seen = min(count, -(-(i + 1) * call.rows // call.shared)) if call.causal else count
    return [x[:seen] for x in keys]


def forward_in_few(call: Call, lengths: Array, q: Array, keys: tuple[Array, Array]) -> tuple[Array, ...]:
    """o and L, head by head."""

    def head(length, _, arrays):
        q, keys = arrays
        results = []
        for i in range(q.shape[0] // call.rows):
            own, seen = blocks_at((q,), i, call.rows), _whole_rows(call, i, keys)
            state = forward_step(call, i, 0, length, forward_start(own, seen), own, seen)
            results.append(forward_finish(state, own))
        return tuple(map(jnp.concatenate, zip(*results, strict=True)))

    return over_heads(head, lengths, (q, keys), one_by_one=True)


def gradients_in_few(call: Call, lengths: Array, rows: tuple[Array, ...], keys: tuple[Array, Array]) -> tuple[Array, ...]:
    """dQ, dK and dV, head by head."""

    def head(length, _, arrays):
        rows, keys = arrays
        dqs, dk, dv = [], *zeros(*keys)
        for i in range(rows[0].shape[0] // call.rows):
            q, g, *_ = own = blocks_at(rows, i, call.rows)
            k, v = _whole_rows(call, i, keys)
            p, ds = _weights_and_gradients(call, i, 0, length, own, (k, v))
            dqs.append(wide_product(ds, k))
            unseen = ((0, keys[0].shape[0] - k.shape[0]), (0, 0))
            dk += jnp.pad(wide_product(ds, q, over=(0, 0)), unseen)
            dv += jnp.pad(wide_product(p, g, over=(0, 0)), unseen)
        return tuple(x.astype(rows[0].dtype) for x in (jnp.concatenate(dqs), dk, dv))

    return over_heads(head, lengths, (rows, keys), one_by_one=True)
