"""Exercise: how much each query takes from each key."""

import jax  # noqa: F401 (for your answer)
import jax.numpy as jnp  # noqa: F401 (for your answer)
import numpy as np
from jaxtyping import Array, Bool, Float

Queries = Float[Array, "*batch queries heads depth"]
Keys = Float[Array, "*batch keys kv_heads depth"]
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
    raise NotImplementedError(
        "TODO: which axes meet in the product of queries and keys, and along which axis do the weights sum to 1?"
    )
