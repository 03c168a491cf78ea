"""Exercise: attention, the soft look-up."""

import jax  # noqa: F401 (for your answer)
import jax.numpy as jnp  # noqa: F401 (for your answer)
import numpy as np
from jaxtyping import Array, Bool, Float, Key

Queries = Float[Array, "*batch queries heads depth"]
Keys = Float[Array, "*batch keys kv_heads depth"]
Values = Float[Array, "*batch keys kv_heads value_depth"]
Mask = Bool[Array | np.ndarray, "..."]


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
    raise NotImplementedError("TODO: given the weights, which axis of the values do they sum over, and which axes stay?")
