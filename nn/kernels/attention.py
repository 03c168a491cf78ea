"""Flash attention: softmax(Q Kᵀ · scale) V block by block, so that the scores, one for each query and key, are never stored.

Stored, they are what long sequences die of: for 4096 tokens and 8 heads 512 MiB, written once and read several times.

**The online softmax.** A row of scores s₁ s₂ … arrives in pieces. Three things are carried along: the largest score so far, m;
the sum of exp(s − m), z; and the sum of exp(s − m) · v, a. When a piece brings a larger m, both sums are multiplied by
exp(old m − new m), and are then what they would have been with the new m from the start. At the end a / z is the attention
(Milakov and Gimelshein 2018, "Online normalizer calculation for softmax", algorithm 3).

**Backward.** Of the forward pass only the output o is kept, and one number for each row, L = m + log z. The weights come back
piece by piece as p = exp(s − L), and with the gradient g of o, and D = Σ o·g for each row:

    ds = p (g Vᵀ − D) · scale      dQ = ds K      dK = dsᵀ Q      dV = pᵀ g

(Dao et al. 2022, "FlashAttention", appendix B.2.)

**Cost**, for n heads, T queries and keys, depth d: 4 n T² d operations forward and 10 n T² d backward (14 where dQ has a sweep
of its own), half of each under the causal mask, for blocks that see nothing are skipped. The equation writes and reads n T²
scores, several times; blocks of B rows read 2 n T² d / B numbers of keys and values, from a near memory if all goes well.

**One algorithm, three machines.** All of it is three sweeps: of each block of rows over blocks of keys, for o and L, and again
for dQ; of each block of keys over blocks of rows, for dK and dV. attention_blocks.py says what is done in them. Who runs them
is the matter of sweeps.py: XLA's loops, a TPU's grid (Mosaic), or a program of a GPU for each block (Triton). Where a CPU has
only a few blocks of rows, they are written out one after the other, and each meets all its keys at once.

The Pallas forms have been interpreted. Mosaic's has been compiled for a TPU that was not there (v5e, up to 16,384 tokens),
Triton's has only been lowered. Neither has ever run on real hardware.
"""

import math
from functools import partial
from itertools import zip_longest
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.core import Tracer
from jaxtyping import Array, Bool, Float, Int

from nn.kernels.attention_blocks import (
    Call,
    all_gradients,
    by_keys,
    by_rows,
    forward_finish,
    forward_in_few,
    forward_start,
    forward_step,
    gradients_in_few,
    in_dtype_of_own,
    keys_step,
    rows_step,
    zeros,
)
from nn.kernels.attention_blocks import online_softmax as online_softmax
from nn.kernels.choice import Implementation, Reasons, choose, platform
from nn.kernels.devices import parts_for, per_device
from nn.kernels.sweeps import run

Queries = Float[Array, "*batch queries heads depth"]
Keys = Float[Array, "*batch keys kv_heads depth"]
Values = Float[Array, "*batch keys kv_heads value_depth"]
Outputs = Float[Array, "*batch queries heads value_depth"]
Lengths = Int[Array | np.ndarray, "*batch"]
Mask = Bool[Array | np.ndarray, "..."]
Scale = float | Float[Array, ""]

BLOCK = {
    "heads at once": (256, 256),
    "head by head": (256, 256),
    "few blocks": (128, 256),
    "mosaic": (128, 128),
    "triton": (64, 64),
}
"""The most rows, and keys, in a block: scores that fit a CPU's own cache, a TPU's lanes, the registers of a GPU's program."""

FEW_ROWS = 512
"""The most rows, and keys, for which a CPU's program is written out block by block of rows; each block meets all its keys."""


def flash_attention(
    query: Queries,
    key: Keys,
    value: Values,
    *,
    causal: bool = False,
    lengths: Lengths | None = None,
    mask: Mask | None = None,
    scale: Scale | None = None,
    implementation: Implementation | None = None,
    interpret: bool = False,
) -> Outputs:
    """softmax(Q Kᵀ · scale) V, in memory that grows like the length and not like its square.

    Summed in float32 or better, whatever comes in. A query that may see no key gets 0, and gives no gradient.

    Args:
      query: Q, one vector per position and head.
      key: K. There may be fewer heads of keys, if their number divides that of the queries: neighbouring heads then share one.
      value: V, one vector per key, of any depth.
      causal: whether query i sees keys 0 … i only.
      lengths: how many keys of each sequence are real, the first ones; None for all. Under jit, where nobody can say that one
        is out of range, it is cut off at 0 and at all keys.
      mask: which key each query may see, True for yes; of a shape that broadcasts to (*batch, heads, queries, keys). It is as
        large as the scores, so only the form "reference" takes one.
      scale: what scores are multiplied by; 1 / √depth if None. The blocks are compiled for one: a scale that is only known when
        the program runs, as one that is learned, leaves "reference".
      implementation: which form computes it; None leaves it to `attention_form`.
      interpret: run a Pallas form in Pallas's interpreter, on any platform and slowly.

    Raises:
      ValueError: if depths, lengths, heads or the mask do not fit, or the named form cannot run.

    Only "reference" is differentiable in forward mode. All forms are in reverse mode, as often as you like, but second
    derivatives store all scores. On a mesh XLA splits "reference"; each device runs a Pallas form, and on CPUs "xla", on an
    equal part of the first axis of the batch, where there is one. Else XLA splits "xla", too.

    References: Dao et al. 2022, "FlashAttention"; shared keys: Ainslie et al. 2023, "GQA".
    """
    _require_fitting(query, key, value, lengths, mask)
    form = attention_form(query, key, value, mask=mask, scale=scale, implementation=implementation, interpret=interpret)
    if form == "reference":
        return attention_reference(query, key, value, causal=causal, lengths=lengths, mask=mask, scale=scale)
    shared = query.shape[-2] // key.shape[-2]
    rows, keys = query.shape[-3] * shared, key.shape[-3]
    way: Any = form
    if form == "xla" and not (platform() == "cpu" and parts_for(_examples(query), query, key, value)):
        way = "heads at once"
    elif form == "xla":
        way = "few blocks" if max(rows, keys) <= FEW_ROWS else "head by head"
    call = Call(
        causal=causal,
        scale=float(_scale(query, scale)),
        shared=shared,
        rows=_block(way, BLOCK[way][0], rows),
        keys=_block(way, BLOCK[way][1], keys),
        way=way,
        interpret=interpret,
    )
    real = jnp.clip(jnp.asarray(keys if lengths is None else lengths, jnp.int32), 0, keys)
    arrays = query, key, value, jnp.broadcast_to(real, key.shape[:-3])
    attend = lambda *part: _attention(call, *part)[0]  # noqa: E731
    return attend(*arrays) if way == "heads at once" else per_device(attend, arrays)


def attention_form(
    query: Queries,
    key: Keys,
    value: Values,
    *,
    mask: Mask | None = None,
    scale: Scale | None = None,
    implementation: Implementation | None = None,
    interpret: bool = False,
) -> str:
    """The form in which `flash_attention` computes these.

    Left to itself, on a CPU "xla" from 256 × 256 scores a head, where it was measured to be the faster one: forward and back on
    one core, with 4 heads of depth 64, 1.05 to 1.6 times at 256 tokens and 4 to 8 times at 2048, in a twentieth of the memory.
    A GPU or TPU is kept busy by the equation as long as the scores fit, so there "xla" from 1 GiB of them, which nobody has
    measured. The Pallas forms never, because they have not run on hardware.

    Raises:
      ValueError: if the named form cannot run.
    """
    queries, keys = query.shape[-3], key.shape[-3]
    heads = math.prod(query.shape[:-3]) * query.shape[-2]
    scores, enough = (queries * keys, 2**16) if platform() == "cpu" else (heads * queries * keys, 2**28)
    long = isinstance(scores, int) and scores >= enough  # exported, a program may have symbols for sizes
    dtypes = sorted({str(x.dtype) for x in (query, key, value)})
    reason = None
    if mask is not None:
        reason = "it takes causal and lengths, but no mask"
    elif isinstance(scale, Tracer):
        reason = "its scale has to be a number that is known before the program is compiled"
    elif len(dtypes) > 1:
        reason = f"query, key and value have to be of one dtype, and are of {' and '.join(dtypes)}"
    elif 0 in (query.size, key.size, value.size):
        reason = "an array of size 0 has no blocks"

    def refused_by_pallas():
        from nn.kernels.blocks import refusals  # with Pallas, which takes a moment to import

        refused = refusals(interpret, query, key, value, examples=_examples(query))
        if max(query.shape[-1], value.shape[-1]) > 128:
            refused["triton"] = refused["triton"] or "the registers of a GPU's program hold blocks of depth 128 at most"
        return refused

    best = ("xla", "reference") if long else ("reference",)
    refused: Reasons = {"xla": reason, "mosaic": reason, "triton": reason}
    return choose("flash_attention", implementation, best=best, refused=refused, refused_by_pallas=refused_by_pallas)


def attention_reference(
    query: Queries,
    key: Keys,
    value: Values,
    *,
    causal: bool = False,
    lengths: Lengths | None = None,
    mask: Mask | None = None,
    scale: Scale | None = None,
) -> Outputs:
    """The equation, with all scores at once. The arguments are those of `flash_attention`."""
    key, value = (jnp.repeat(x, query.shape[-2] // key.shape[-2], axis=-2) for x in (key, value))
    exact = jnp.promote_types(query.dtype, jnp.float32)
    scores = jnp.einsum("...qhd,...khd->...hqk", query, key, preferred_element_type=exact) * _scale(query, scale)
    seen = jnp.ones(scores.shape, bool) if mask is None else jnp.broadcast_to(mask, scores.shape)
    if lengths is not None:
        seen &= lax.broadcasted_iota(jnp.int32, scores.shape, scores.ndim - 1) < jnp.asarray(lengths)[..., None, None, None]
    if causal:
        seen &= jnp.tril(jnp.ones(scores.shape, bool))
    # Minus infinity would make NaN of a row that sees nothing, in the gradient too.
    weights = jnp.where(seen, jax.nn.softmax(jnp.where(seen, scores, jnp.finfo(exact).min)), 0)
    output = jnp.einsum("...hqk,...khd->...qhd", weights.astype(value.dtype), value, preferred_element_type=exact)
    return output.astype(value.dtype)


def _examples(query: Queries) -> int:
    """How many devices could share: of several axes of batch the first is split."""
    return query.shape[0] if query.ndim > 3 else 1


def _scale(query: Queries, scale: Scale | None) -> Scale:
    return 1 / math.sqrt(query.shape[-1]) if scale is None else scale


def _require_fitting(query, key, value, lengths, mask) -> None:
    batch, shapes = key.shape[:-3], f"query.shape={query.shape}, key.shape={key.shape} and value.shape={value.shape}"
    if min(query.ndim, key.ndim, value.ndim) < 3 or key.shape[:-1] != value.shape[:-1] or query.shape[:-3] != batch:
        raise ValueError(
            "flash_attention expects (*batch, length, heads, depth), one batch for all, and a value for each key, "
            f"got {shapes}."
        )
    if query.shape[-1] != key.shape[-1] or query.shape[-2] % max(key.shape[-2], 1):
        raise ValueError(
            "flash_attention expects queries and keys of one depth, and heads of keys that divide those of queries, "
            f"got {shapes}."
        )
    scores = (*batch, query.shape[-2], query.shape[-3], key.shape[-3])
    if mask is not None and any(a not in (1, b) for a, b in zip_longest(mask.shape[::-1], scores[::-1], fillvalue=1)):
        raise ValueError(f"flash_attention expects a mask that broadcasts to {scores}, got mask.shape={mask.shape}.")
    if lengths is None:
        return
    if lengths.shape != batch:
        raise ValueError(f"flash_attention expects a length for each sequence of the batch {batch}, got {lengths.shape}.")
    if not jnp.issubdtype(lengths.dtype, jnp.integer):
        raise ValueError(f"flash_attention expects lengths in whole numbers, got an array of {lengths.dtype}.")
    if isinstance(lengths, Tracer):  # whose values are not known yet
        return
    lengths = np.asarray(lengths)
    if lengths.size and not 0 <= lengths.min() <= lengths.max() <= key.shape[-3]:
        raise ValueError(f"flash_attention expects lengths from 0 to {key.shape[-3]}, the number of keys, got {lengths}.")


# The layout and the gradient.


def _power_of_two(size: int) -> int:
    """That a GPU's program can count with: its smallest product is 16 wide."""
    return max(16, 1 << (size - 1).bit_length())


def _block(way: str, most: int, length: int) -> int:
    """The size of blocks for this length. XLA's may have any: they are even, so that little of the last is filled up."""
    if way in ("mosaic", "triton"):
        return most if way == "mosaic" else min(_power_of_two(length), most)
    blocks = math.ceil(length / most)
    return math.ceil(length / (8 * blocks)) * 8


def _to_heads(call: Call, x: Array, block: int, shared: int) -> Array:
    """(*batch, length, heads, width) → (batch × heads / shared, length × shared, width), filled up to whole blocks."""
    *batch, length, heads, width = x.shape
    x = x.reshape(math.prod(batch), length, heads // shared, shared, width).transpose(0, 2, 1, 3, 4)
    x = x.reshape(-1, length * shared, width)
    full = _power_of_two(width) if call.way == "triton" else width
    return jnp.pad(x, ((0, 0), (0, -x.shape[1] % block), (0, full - width)))


def _from_heads(x: Array, shared: int, shape: tuple[int, ...]) -> Array:
    """The way back of `_to_heads`, to this shape."""
    *batch, length, heads, width = shape
    x = x[:, : length * shared, :width].reshape(math.prod(batch), heads // shared, length, shared, width)
    return x.transpose(0, 2, 1, 3, 4).reshape(shape)


def _run(call, sweep, lengths, own, other):
    return run(sweep, call.way, lengths, own, other, interpret=call.interpret)


def _arranged(call, query, key, value, lengths):
    q = _to_heads(call, query, call.rows, call.shared)
    k, v = (_to_heads(call, x, call.keys, 1) for x in (key, value))
    return q, (k, v), jnp.repeat(lengths.reshape(-1), key.shape[-2])


# Compiled here, so that who calls it outside of any jit compiles it once. What it depends on beside its arrays is in the call.
@partial(jax.custom_vjp, nondiff_argnums=(0,))
@partial(jax.jit, static_argnums=0)
def _attention(call, query, key, value, lengths):
    """The output, and L, of which nobody takes a gradient."""
    q, keys, real = _arranged(call, query, key, value, lengths)
    if call.way == "few blocks":
        o, L = forward_in_few(call, real, q, keys)
    else:
        sweep = by_rows(call, forward_start, forward_step, forward_finish)
        o, L = _run(call, sweep, real, (q,), keys)
    return _from_heads(o, call.shared, (*query.shape[:-1], value.shape[-1])), L


def _attention_and_residuals(call, query, key, value, lengths):
    # By `_attention` itself, and not by the sweep: so a second derivative meets this rule again, and no loop or kernel.
    both: Any = _attention(call, query, key, value, lengths)
    output, L = both
    return (output, L), (query, key, value, lengths, output, L)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
@partial(jax.jit, static_argnums=0)
def _gradients(call, gradient, query, key, value, lengths, output, L):
    q, keys, real = _arranged(call, query, key, value, lengths)
    D = jnp.sum(output.astype(L.dtype) * gradient.astype(L.dtype), -1, keepdims=True)
    g, D = (_to_heads(call, x, call.rows, call.shared) for x in (gradient, D))
    rows = (q, g, L, D[..., :1])
    if call.way == "few blocks":
        dq, dk, dv = gradients_in_few(call, real, rows, keys)
    elif call.way in ("heads at once", "head by head"):
        dq, dk, dv = all_gradients(call, real, rows, keys)
    else:
        sweep_of_rows = by_rows(call, lambda own, other: zeros(own[0]), rows_step, in_dtype_of_own)
        sweep_of_keys = by_keys(call, lambda own, other: zeros(*own), keys_step, in_dtype_of_own)
        (dq,) = _run(call, sweep_of_rows, real, rows, keys)
        dk, dv = _run(call, sweep_of_keys, real, keys, rows)
    return _from_heads(dq, call.shared, query.shape), _from_heads(dk, 1, key.shape), _from_heads(dv, 1, value.shape)


def _gradients_and_residuals(call, gradient, query, key, value, lengths, output, L):
    return _gradients(call, gradient, query, key, value, lengths, output, L), (gradient, query, key, value, lengths)


def _gradients_of_gradients(call, residuals, change):
    """Those of the equation, with all scores at once; output and L are functions of the rest."""
    gradient, query, key, value, lengths = residuals
    equation = partial(attention_reference, causal=call.causal, lengths=lengths, scale=call.scale)
    gradients = lambda gradient, *arrays: jax.vjp(equation, *arrays)[1](gradient)  # noqa: E731
    return (*jax.vjp(gradients, gradient, query, key, value)[1](change), None, None, None)


def _backward(call, residuals, gradients_of_both):
    gradients: Any = _gradients(call, gradients_of_both[0], *residuals)
    return (*gradients, None)


_gradients.defvjp(_gradients_and_residuals, _gradients_of_gradients)
_attention.defvjp(_attention_and_residuals, _backward)
