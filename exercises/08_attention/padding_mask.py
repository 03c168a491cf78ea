"""Exercise: the mask that hides what only fills up."""

import jax  # noqa: F401 (for your answer)
import jax.numpy as jnp  # noqa: F401 (for your answer)
import numpy as np
from jaxtyping import Array, Bool, Int


def padding_mask(lengths: Int[Array | np.ndarray, "*batch"], keys: int) -> Bool[Array, "*batch 1 1 keys"]:
    """True where a key is real: the first `lengths` of each sequence. For all heads and all queries alike.

    Args:
      lengths: how many positions of each sequence are real.
      keys: how many positions there are.

    Raises:
      ValueError: for a length below 0 or above `keys`, outside of `jax.jit`.
    """
    raise NotImplementedError("TODO: a length of 3: which positions are real, and is position 3 one of them?")
