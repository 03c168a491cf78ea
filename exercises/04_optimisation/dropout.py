"""Exercise: silence random units, and keep the mean."""

import jax  # noqa: F401 (for your answer)
import jax.numpy as jnp  # noqa: F401 (for your answer)
from jaxtyping import Array, Float, Key


def dropout(key: Key[Array, ""], x: Float[Array, "*shape"], rate: float) -> Float[Array, "*shape"]:
    """Sets each element to 0 with probability `rate`, and divides the rest by 1 − rate, which keeps the mean.

    Args:
      key: the randomness; the same key silences the same elements.
      x: any shape.
      rate: the share to silence, from 0 to 1.

    Raises:
      ValueError: if rate is not between 0 and 1.

    Reference: Srivastava et al. 2014, "Dropout", section 4, in the inverted form that needs no change at test time.
    """
    raise NotImplementedError(
        "TODO: what happens to the mean when a share `rate` of the numbers becomes 0, and what undoes it?"
    )
