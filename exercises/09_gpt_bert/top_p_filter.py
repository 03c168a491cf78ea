"""Exercise: the smallest set that holds p of the chances."""

import jax  # noqa: F401 (for your answer)
import jax.numpy as jnp  # noqa: F401 (for your answer)
from jaxtyping import Array, Float, Int

Logits = Float[Array, "*batch vocabulary"]
Number = float | Float[Array, ""] | Int[Array, ""]


def top_p_filter(logits: Logits, p: Number) -> Logits:
    """Keeps the smallest set of likeliest tokens whose chances add up to p or more, and makes all other scores −∞.

    Where the model is sure, few tokens are left; where it is not, many.

    Args:
      logits: scores before the softmax.
      p: from 0 to 1. The likeliest token is always kept.

    Raises:
      ValueError: for p outside 0 to 1, outside of `jax.jit`.

    Reference: Holtzman et al. 2020, "The Curious Case of Neural Text Degeneration", section 3.1 (nucleus sampling).
    """
    raise NotImplementedError("TODO: a token is needed if those likelier than it do not reach p: which sum tells you?")
