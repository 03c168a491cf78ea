"""Exercise: a Pallas kernel, which Pallas interprets here."""

import jax  # noqa: F401 (for your answer)
import jax.numpy as jnp  # noqa: F401 (for your answer)
from jax.experimental import pallas as pl  # noqa: F401 (for your answer)
from jaxtyping import Array, Float


def logsumexp(x: Float[Array, "rows features"], *, block: int = 8, interpret: bool = False) -> Float[Array, " rows"]:
    """log Σ eˣ along each row, by a Pallas kernel for a TPU that works on a block of whole rows at a time.

    Computed in float32 and returned in the dtype of x. It has no gradient.

    Args:
      x: scores.
      block: rows in a block; the last block may stick out. A TPU asks for a multiple of 8.
      interpret: run the kernel in Pallas's interpreter, on any platform and slowly.

    Raises:
      ValueError: if x holds no numbers, or block is below 1.
    """
    raise NotImplementedError("TODO: how many programs are there, which rows does program i see, and what does it write?")
