"""Attention: each position asks a question of all others, and takes from each as much as its answer fits.

The equation is two functions, `attention_weights` and the weighted sum of the values; `MultiHeadAttention` only owns weights.
Long sequences go another way to the same result, which never holds all weights at once: `attend` chooses.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.core import Tracer
from jaxtyping import Array, Bool, Float, Int, Key

from nn.kernels.attention import attention_form, flash_attention
from nn.kernels.choice import Implementation
from nn.layers.dropout import Dropout, dropout
from nn.layers.initializers import Initializer, zeros
from nn.layers.linear import LinearGeneral
from nn.layers.shapes import require_features, require_positive, require_within

Queries = Float[Array, "*batch queries heads depth"]
Keys = Float[Array, "*batch keys kv_heads depth"]
Values = Float[Array, "*batch keys kv_heads value_depth"]
Weights = Float[Array, "*batch heads queries keys"]
Mask = Bool[Array | np.ndarray, "..."]


def attention_weights(query: Queries, key: Keys, *, mask: Mask | None = None, is_causal: bool = False) -> Weights:
    """softmax(Q Kᵀ / √depth), over the keys: how much each query takes from each key.

    Products of random vectors grow like √depth; divided by it, the softmax begins soft whatever the depth.

    Args:
      query: Q, one vector per position and head.
      key: K. There may be fewer heads of keys, if their number divides that of the queries: neighbouring heads then share one.
      mask: which key each query may see, True for yes; of a shape that broadcasts to (*batch, heads, queries, keys).
      is_causal: whether query i sees keys 0 … i only.

    Returns:
      For each query, weights that sum to 1 over the keys it may see; all 0 for a query that may see none.

    Raises:
      ValueError: if depths differ or heads cannot be shared evenly.

    References: Vaswani et al. 2017, "Attention Is All You Need", eq. 1; shared keys: Ainslie et al. 2023, "GQA".
    """
    heads, kv_heads = query.shape[-2], key.shape[-2]
    if query.shape[-1] != key.shape[-1] or heads % kv_heads:
        raise ValueError(
            "attention_weights expects queries and keys of one depth, and heads of queries in groups of the same size, got "
            f"query.shape={query.shape} and key.shape={key.shape}."
        )
    key = jnp.repeat(key, heads // kv_heads, axis=-2)
    scores = jnp.einsum("...qhd,...khd->...hqk", query, key) / math.sqrt(query.shape[-1])
    scores = scores.astype(jnp.promote_types(scores.dtype, jnp.float32))
    if is_causal:
        causal = causal_mask(query.shape[-3], key.shape[-3])
        mask = causal if mask is None else jnp.logical_and(*_same_rank(mask, causal))
    if mask is None:
        return jax.nn.softmax(scores).astype(query.dtype)
    mask = jnp.broadcast_to(mask, scores.shape)
    # Minus infinity would make NaN of a row that sees nothing, in the gradient too.
    weights = jax.nn.softmax(jnp.where(mask, scores, jnp.finfo(scores.dtype).min))
    return jnp.where(mask, weights, 0).astype(query.dtype)


def dot_product_attention(
    query: Queries,
    key: Keys,
    value: Values,
    *,
    mask: Mask | None = None,
    is_causal: bool = False,
    dropout_rate: float = 0.0,
    dropout_key: Key[Array, ""] | None = None,
) -> Float[Array, "*batch queries heads value_depth"]:
    """softmax(Q Kᵀ / √depth) V: for each query the mean of the values, weighted by how well their keys fit.

    Args:
      query: Q, one vector per position and head.
      key: K, as many or fewer heads, as in `attention_weights`.
      value: V, as many heads as the keys.
      mask: which key each query may see, True for yes; of a shape that broadcasts to (*batch, heads, queries, keys).
      is_causal: whether query i sees keys 0 … i only.
      dropout_rate: the share of weights to silence, each on its own.
      dropout_key: the randomness of that; None for no dropout.

    Raises:
      ValueError: if depths, lengths or heads do not fit.

    Reference: Vaswani et al. 2017, "Attention Is All You Need", eq. 1.
    """
    if key.shape[:-1] != value.shape[:-1]:
        raise ValueError(
            f"dot_product_attention expects a value for each key, got key.shape={key.shape} and value.shape={value.shape}."
        )
    weights = attention_weights(query, key, mask=mask, is_causal=is_causal)
    if dropout_key is not None:
        weights = dropout(dropout_key, weights, dropout_rate)
    value = jnp.repeat(value, query.shape[-2] // value.shape[-2], axis=-2)
    return jnp.einsum("...hqk,...khd->...qhd", weights, value)


def attend(
    query: Queries,
    key: Keys,
    value: Values,
    *,
    mask: Mask | None = None,
    is_causal: bool = False,
    dropout_rate: float = 0.0,
    dropout_key: Key[Array, ""] | None = None,
    implementation: Implementation | None = None,
) -> Float[Array, "*batch queries heads value_depth"]:
    """`dot_product_attention`, in the form that suits the length: this is what the layers call.

    Args:
      query, key, value, mask, is_causal, dropout_rate, dropout_key: as for `dot_product_attention`.
      implementation: a form of `nn.kernels.attention.flash_attention`. None leaves it to `attention_form` there: on a CPU it is
        blocks ("xla") from 256 tokens on, if there is neither a mask nor dropout, else the equation. Blocks can be
        differentiated backward only: `jax.jvp` asks for "reference".

    Raises:
      ValueError: if depths, lengths or heads do not fit, or the form that is named cannot run.
    """
    form = "reference"
    if implementation is not None or (dropout_key is None and query.dtype == key.dtype == value.dtype):
        form = attention_form(query, key, value, mask=mask, implementation=implementation)
    if form == "reference":
        return dot_product_attention(
            query, key, value, mask=mask, is_causal=is_causal, dropout_rate=dropout_rate, dropout_key=dropout_key
        )
    if dropout_key is not None:
        raise ValueError(f"attend(implementation={implementation!r}) cannot run here, because blocks have no dropout.")
    form: Any = form
    return flash_attention(query, key, value, causal=is_causal, implementation=form)


def causal_mask(queries: int, keys: int | None = None) -> Bool[Array, "queries keys"]:
    """True where a query may look: at its own position and at those before it.

    Args:
      queries: how many.
      keys: how many; as many as queries if None.
    """
    keys = queries if keys is None else keys
    return jnp.arange(queries)[:, None] >= jnp.arange(keys)[None]


def padding_mask(lengths: Int[Array | np.ndarray, "*batch"], keys: int) -> Bool[Array, "*batch 1 1 keys"]:
    """True where a key is real: the first `lengths` of each sequence. For all heads and all queries alike.

    Args:
      lengths: how many positions of each sequence are real.
      keys: how many positions there are.

    Raises:
      ValueError: for a length below 0 or above `keys`, outside of `jax.jit`.
    """
    require_within("padding_mask", "lengths", lengths, 0, keys)
    lengths = jnp.asarray(lengths)[..., None]
    real = jnp.broadcast_to(jnp.arange(keys), (*lengths.shape[:-1], keys)) < lengths
    return real[..., None, None, :]


def _same_rank(first: Mask, second: Mask) -> tuple[Mask, Mask]:
    rank = max(first.ndim, second.ndim)
    return tuple(mask.reshape(*(1,) * (rank - mask.ndim), *mask.shape) for mask in (first, second))  # type: ignore


New = Float[Array, "*batch new kv_heads depth"]
Kept = Float[Array, "*batch length kv_heads depth"]


class CachedAttention(nnx.Module):
    """What an attention needs to write a sequence token by token: the keys and values so far, each computed once.

    Args:
      num_kv_heads: how many heads of keys and values.
      head_dim: the size of one of their vectors.
    """

    def __init__(self, num_kv_heads: int, head_dim: int):
        self.num_kv_heads, self.head_dim = num_kv_heads, head_dim
        # Flax has to know from the start that variables may come to be here.
        self.cached_key, self.cached_value, self.cache_index = nnx.data(None), nnx.data(None), nnx.data(None)

    def init_cache(self, input_shape: tuple[int, ...], dtype=jnp.float32) -> None:
        """Makes room for the keys and values of whole sequences, and starts decoding at position 0.

        Args:
          input_shape: (*batch, the longest length, in_features).
          dtype: of what is kept.
        """
        *batch, length, _ = input_shape
        shape = (*batch, length, self.num_kv_heads, self.head_dim)
        self.cached_key, self.cached_value = nnx.Cache(jnp.zeros(shape, dtype)), nnx.Cache(jnp.zeros(shape, dtype))
        self.cache_index = nnx.Cache(jnp.array(0, jnp.int32))

    def extend_cache(self, key: New, value: New) -> tuple[Kept, Kept, Bool[Array, "new length"]]:
        """Adds new keys and values. Returns all so far, and which of them each new position may see.

        Raises:
          ValueError: if there is no cache, it was made for another batch, or (outside `jax.jit`) it is full. Inside
            `jax.jit` a full cache makes what is returned NaN.
        """
        name = type(self).__name__
        if self.cache_index is None or self.cached_key is None or self.cached_value is None:
            raise ValueError(f"{name} expects init_cache before it decodes, and there is no cache.")
        length, new, index = self.cached_key.shape[-3], key.shape[-3], self.cache_index[...]
        if self.cached_key.shape[:-3] != key.shape[:-3]:
            raise ValueError(
                f"{name} expects the batch that its cache was made for, {self.cached_key.shape[:-3]}, got {key.shape[:-3]}."
            )
        if new > length or (not isinstance(index, Tracer) and index + new > length):
            raise ValueError(
                f"{name} expects at most {length} positions, as many as its cache has room for, got {new} behind {index}."
            )
        for cache, update in ((self.cached_key, key), (self.cached_value, value)):
            # Inside jit a full cache shows only here. A slice past the end would be moved back inside in silence.
            update = jnp.where(index + new > length, jnp.nan, update)
            start = (0,) * (key.ndim - 3) + (index, 0, 0)
            cache[...] = jax.lax.dynamic_update_slice(cache[...], update.astype(cache.dtype), start)
        self.cache_index[...] = index + new
        # New position i is position index + i of the sequence.
        seen = jnp.arange(length)[None] <= index + jnp.arange(new)[:, None]
        return self.cached_key[...], self.cached_value[...], seen


class MultiHeadAttention(CachedAttention):
    """Several attentions side by side, each with its own small queries, keys and values; then one linear map of all results.

    Weights: `query`, `key`, `value` with kernels (features, heads, depth), and `out` with (heads, depth, out_features). A
    drop-in for `flax.nnx.MultiHeadAttention`, but for dropout, which silences each weight on its own here.

    Args:
      num_heads: how many attentions.
      in_features: size of the last axis of the input that asks.
      qkv_features: size of all heads together; in_features if None.
      out_features: size of the last axis of the output; in_features if None.
      num_kv_heads: how many heads of keys and values; as many as of queries if None. Fewer make the cache smaller.
      in_kv_features: size of the last axis of the input that is asked; in_features if None.
      dropout_rate: the share of attention weights that training silences.
      deterministic: whether to begin in evaluation mode.
      decode: whether to begin in decoding mode, in which `init_cache` has to come first.
      use_bias: whether the four linear maps have a bias.
      kernel_init: draws the four kernels.
      bias_init: draws the four biases.
      implementation: in which form to attend, see `attend`; while decoding it is the equation.
      rngs: where the random keys come from.

    Raises:
      ValueError: if the heads do not divide qkv_features or cannot share the heads of keys evenly; from a call, if features
        do not fit, or if the cache is missing or full.
    """

    def __init__(
        self,
        num_heads: int,
        in_features: int,
        qkv_features: int | None = None,
        out_features: int | None = None,
        *,
        num_kv_heads: int | None = None,
        in_kv_features: int | None = None,
        dropout_rate: float = 0.0,
        deterministic: bool = False,
        decode: bool = False,
        use_bias: bool = True,
        kernel_init: Initializer | None = None,
        bias_init: Initializer = zeros,
        implementation: Implementation | None = None,
        rngs: nnx.Rngs,
    ):
        qkv_features = in_features if qkv_features is None else qkv_features
        out_features = in_features if out_features is None else out_features
        in_kv_features = in_features if in_kv_features is None else in_kv_features
        num_kv_heads = num_heads if num_kv_heads is None else num_kv_heads
        require_positive("MultiHeadAttention", num_heads=num_heads, in_features=in_features, num_kv_heads=num_kv_heads)
        if qkv_features % num_heads:
            raise ValueError(
                f"MultiHeadAttention expects heads that divide the width, got {num_heads} heads and {qkv_features} features."
            )
        if num_heads % num_kv_heads:
            raise ValueError(
                "MultiHeadAttention expects heads of keys that divide those of queries, "
                f"got num_heads={num_heads} and num_kv_heads={num_kv_heads}."
            )
        depth = qkv_features // num_heads
        super().__init__(num_kv_heads, depth)
        self.num_heads, self.in_features, self.in_kv_features, self.decode = num_heads, in_features, in_kv_features, decode
        self.implementation: Implementation | None = implementation
        options: Any = dict(use_bias=use_bias, kernel_init=kernel_init, bias_init=bias_init, rngs=rngs)
        self.query = LinearGeneral(in_features, (num_heads, depth), **options)
        self.key = LinearGeneral(in_kv_features, (num_kv_heads, depth), **options)
        self.value = LinearGeneral(in_kv_features, (num_kv_heads, depth), **options)
        self.out = LinearGeneral((num_heads, depth), out_features, axis=(-2, -1), **options)
        self.dropout = Dropout(dropout_rate, deterministic=deterministic, rngs=rngs) if dropout_rate > 0 else None

    def __call__(
        self,
        inputs_q: Float[Array, "*batch queries features"],
        inputs_k: Float[Array, "*batch keys kv_features"] | None = None,
        inputs_v: Float[Array, "*batch keys kv_features"] | None = None,
        *,
        mask: Mask | None = None,
        is_causal: bool = False,
        deterministic: bool | None = None,
        decode: bool | None = None,
    ) -> Float[Array, "*batch queries outputs"]:
        """What each position of `inputs_q` learns from `inputs_k` and `inputs_v`.

        Args:
          inputs_q: who asks.
          inputs_k: who is asked; `inputs_q` if None (self-attention).
          inputs_v: who answers; `inputs_k` if None.
          mask: which key each query may see, as in `dot_product_attention`.
          is_causal: whether query i sees keys 0 … i only.
          deterministic: overrules evaluation mode.
          decode: overrules decoding mode: keys and values are then added to those of the calls before, and each new
            position sees all that came before it.
        """
        inputs_k = inputs_q if inputs_k is None else inputs_k
        inputs_v = inputs_k if inputs_v is None else inputs_v
        require_features("MultiHeadAttention", inputs_q, self.in_features)
        require_features("MultiHeadAttention (keys)", inputs_k, self.in_kv_features)
        require_features("MultiHeadAttention (values)", inputs_v, self.in_kv_features)
        query, key, value = self.query(inputs_q), self.key(inputs_k), self.value(inputs_v)
        implementation = self.implementation
        if self.decode if decode is None else decode:
            key, value, seen = self.extend_cache(key, value)
            mask = seen if mask is None else jnp.logical_and(*_same_rank(mask, seen))
            is_causal = False  # it is in the mask
            implementation = None  # so it is by the equation
        active = self.dropout if self.dropout is not None and self.dropout.is_active(deterministic) else None
        x = attend(
            query,
            key,
            value,
            mask=mask,
            is_causal=is_causal,
            dropout_rate=0.0 if active is None else active.rate,
            dropout_key=None if active is None else active.rngs(),
            implementation=implementation,
        )
        return self.out(x)

    def weights(
        self,
        inputs_q: Float[Array, "*batch queries features"],
        inputs_k: Float[Array, "*batch keys kv_features"] | None = None,
        *,
        mask: Mask | None = None,
        is_causal: bool = False,
    ) -> Weights:
        """How much each position of `inputs_q` takes from each one of `inputs_k`, head by head: what one draws as a map."""
        inputs_k = inputs_q if inputs_k is None else inputs_k
        require_features("MultiHeadAttention", inputs_q, self.in_features)
        require_features("MultiHeadAttention (keys)", inputs_k, self.in_kv_features)
        return attention_weights(self.query(inputs_q), self.key(inputs_k), mask=mask, is_causal=is_causal)
