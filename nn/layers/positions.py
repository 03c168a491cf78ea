"""Positions: attention sees a set. What makes it a sequence is written into the vectors, in one of three ways."""

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Int

from nn.layers.embedding import Embed, rows_of
from nn.layers.initializers import Initializer
from nn.layers.shapes import require_features, require_within


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
    angles = _angles(jnp.arange(length), features, longest, "sinusoidal_positions")
    return jnp.stack([jnp.sin(angles), jnp.cos(angles)], axis=-1).reshape(length, features)


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
    length, _, depth = x.shape[-3:]
    positions = jnp.arange(length) if positions is None else positions
    angles = _angles(positions, depth, longest, "rotary")[:, None, :]  # the same for all heads
    pairs = x.reshape(*x.shape[:-1], depth // 2, 2)
    first, second = pairs[..., 0], pairs[..., 1]
    sine, cosine = (jnp.broadcast_to(wave(angles).astype(x.dtype), first.shape) for wave in (jnp.sin, jnp.cos))
    rotated = jnp.stack([first * cosine - second * sine, first * sine + second * cosine], axis=-1)
    return rotated.reshape(x.shape)


def _angles(positions, features, longest, name):
    if features % 2:
        raise ValueError(f"{name} expects an even number of features, for they are turned in pairs, got {features}.")
    speeds = longest ** (-jnp.arange(0, features, 2) / features)
    return jnp.outer(positions, speeds)


class LearnedPositions(nnx.Module):
    """A learned vector for each position, added to the input: `embedding` (max_length, features).

    Args:
      max_length: the longest sequence.
      features: size of the last axis of the input.
      embedding_init: draws the vectors.
      rngs: where the random keys come from.

    Raises:
      ValueError: from a call on a longer sequence, one with other features, or (outside `jax.jit`) one that begins before
        the first position or goes on behind the last. Inside `jax.jit` such positions are NaN.
    """

    def __init__(self, max_length: int, features: int, *, embedding_init: Initializer | None = None, rngs: nnx.Rngs):
        table = Embed(max_length, features, embedding_init=embedding_init, rngs=rngs)
        self.max_length, self.features, self.embedding = max_length, features, table.embedding

    def __call__(
        self, x: Float[Array, "*batch length features"], start: int | Int[Array, ""] = 0
    ) -> Float[Array, "*batch length features"]:
        """x + the vectors of positions start, start + 1, …"""
        require_features("LearnedPositions", x, self.features)
        length = x.shape[-2]
        if length > self.max_length:
            raise ValueError(f"LearnedPositions expects at most {self.max_length} positions, got {length}.")
        positions = start + jnp.arange(length)
        require_within("LearnedPositions", "positions", positions, 0, self.max_length - 1)
        return x + jnp.broadcast_to(rows_of(self.embedding[...], positions), x.shape)
