"""Exercise: the k likeliest tokens."""

import jax  # noqa: F401 (for your answer)
import jax.numpy as jnp  # noqa: F401 (for your answer)
from jaxtyping import Array, Float, Int

Logits = Float[Array, "*batch vocabulary"]
Count = int | Int[Array, ""]


def top_k_filter(logits: Logits, k: Count) -> Logits:
    """Keeps the k largest scores and makes all others −∞, which the softmax turns into a chance of 0.

    Args:
      logits: scores before the softmax.
      k: how many to keep, of equal ones the first; all of them if k is larger than the vocabulary.

    Raises:
      ValueError: for k below 1, outside of `jax.jit`.

    Reference: Fan, Lewis and Dauphin 2018, "Hierarchical Neural Story Generation", section 5.2.
    """
    raise NotImplementedError(
        "TODO: how do you learn the place of each score in the order of its row, and which of two equal ones comes first?"
    )
