"""Exercise: from scores to one token."""

import jax  # noqa: F401 (for your answer)
import jax.numpy as jnp  # noqa: F401 (for your answer)
from jaxtyping import Array, Float, Int, Key

Logits = Float[Array, "*batch vocabulary"]
Number = float | Float[Array, ""] | Int[Array, ""]
Count = int | Int[Array, ""]


def sample_token(
    key: Key[Array, ""],
    logits: Logits,
    *,
    temperature: Number = 1.0,
    top_k: Count | None = None,
    top_p: Number | None = None,
) -> Int[Array, "*batch"]:
    """Draws a token from softmax(logits / temperature), cut down to `top_k` tokens, then to `top_p` of the chances.

    Args:
      key: the randomness; the same key draws the same token.
      logits: scores before the softmax.
      temperature: 1 draws as the model says; below, likely tokens become likelier; 0 takes the likeliest (greedy).
      top_k: as in `top_k_filter`; None for all tokens.
      top_p: as in `top_p_filter`; None for all tokens.

    Raises:
      ValueError: for a temperature below 0, or as the filters do, outside of `jax.jit`.

    Reference: Ackley, Hinton and Sejnowski 1985, "A Learning Algorithm for Boltzmann Machines", eq. 5 (temperature).
    """
    raise NotImplementedError("TODO: in which order do temperature and filters come, and what becomes of a division by 0?")
