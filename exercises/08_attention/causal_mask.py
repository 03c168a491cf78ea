"""Exercise: the mask that hides the future."""

import jax.numpy as jnp  # noqa: F401 (for your answer)
from jaxtyping import Array, Bool


def causal_mask(queries: int, keys: int | None = None) -> Bool[Array, "queries keys"]:
    """True where a query may look: at its own position and at those before it.

    Args:
      queries: how many.
      keys: how many; as many as queries if None.
    """
    raise NotImplementedError("TODO: query i may see key j: what is the condition on i and j, and does it hold for i = j?")
