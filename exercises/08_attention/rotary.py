"""Exercise: positions as rotations."""

import jax.numpy as jnp  # noqa: F401 (for your answer)
from jaxtyping import Array, Float, Int


def rotary(
    x: Float[Array, "*batch length heads depth"],
    positions: Int[Array, " length"] | None = None,
    *,
    longest: float = 10_000.0,
) -> Float[Array, "*batch length heads depth"]:
    """Turns each pair (x₂ᵢ, x₂ᵢ₊₁) by the angle position / longest^(2i/depth).

    To be applied to queries and keys. The product of two vectors that are turned depends on the angle between them, and so on
    the *distance* of their positions only.

    Args:
      x: queries or keys; depth is even.
      positions: the position of each vector; 0, 1, 2 … if None.
      longest: as in `sinusoidal_positions`.

    Raises:
      ValueError: for an odd depth.

    Reference: Su et al. 2021, "RoFormer: Enhanced Transformer with Rotary Position Embedding", eq. 34.
    """
    raise NotImplementedError("TODO: how do you turn the arrow (a, b) by an angle, and which numbers of x are an arrow?")
