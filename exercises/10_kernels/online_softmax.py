"""Exercise: a softmax whose scores arrive in pieces."""

import jax.numpy as jnp  # noqa: F401 (for your answer)
from jaxtyping import Array, Float

State = tuple[Float[Array, "rows 1"], Float[Array, "rows 1"], Float[Array, "rows value_depth"]]


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
    raise NotImplementedError("TODO: by which factor are the old sums wrong, once a larger score has come?")
