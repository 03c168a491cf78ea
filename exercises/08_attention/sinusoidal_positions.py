"""Exercise: positions as the hands of many clocks."""

import jax.numpy as jnp  # noqa: F401 (for your answer)
from jaxtyping import Array, Float


def sinusoidal_positions(length: int, features: int, *, longest: float = 10_000.0) -> Float[Array, "length features"]:
    """P[p, 2i] = sin(p / longest^(2i/features)) and P[p, 2i + 1] = cos of the same: clocks from fast to slow.

    To be added to the embeddings. Moving on by k steps turns every clock by an angle that depends on k alone.

    Args:
      length: how many positions.
      features: the size of each vector, an even number.
      longest: the slowest clock takes 2π · longest^(1 − 2/features) steps for a round.

    Raises:
      ValueError: for an odd number of features.

    Reference: Vaswani et al. 2017, "Attention Is All You Need", section 3.5.
    """
    raise NotImplementedError(
        "TODO: which numbers change from row to row, which from column to column, and what does each pair of columns share?"
    )
