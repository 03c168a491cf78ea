"""Embeddings: a learned vector for each token, so that a network can calculate with words."""

import math
from typing import Any

import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, Int, Key

from nn.layers.initializers import Initializer, normal
from nn.layers.linear import affine
from nn.layers.shapes import require_features, require_positive, require_within

Tokens = Int[Array | np.ndarray, "*batch"]


def embed(tokens: Tokens, embedding: Float[Array, "vocabulary features"]) -> Float[Array, "*batch features"]:
    """Row `tokens` of the table: the product of a one-hot vector with it, without the zeros.

    Args:
      tokens: which row, from 0 to vocabulary − 1.
      embedding: the table.

    Raises:
      ValueError: if the tokens are no whole numbers, or one is outside the vocabulary. Inside `jax.jit`, where values are
        not known, its row is NaN.
    """
    require_within("embed", "tokens", tokens, 0, len(embedding) - 1)
    return rows_of(embedding, tokens)


def rows_of(table: Float[Array, "rows features"], index: Tokens) -> Float[Array, "*batch features"]:
    """The rows of a table with these numbers, unchecked; NaN where there is none."""
    # A negative index would wrap around to the end of the table.
    return jnp.take(table, jnp.where(index < 0, len(table), index), axis=0, mode="fill")


class Embed(nnx.Module):
    """A table of learned vectors, `embedding` (num_embeddings, features). A drop-in for `flax.nnx.Embed`.

    Args:
      num_embeddings: how many tokens there are.
      features: the size of each vector.
      embedding_init: draws the table; by default each vector has a squared length near 1.
      rngs: where the random keys come from.

    Raises:
      ValueError: if a size is below 1, or, from a call, as `embed` does.
    """

    def __init__(self, num_embeddings: int, features: int, *, embedding_init: Initializer | None = None, rngs: nnx.Rngs):
        require_positive("Embed", num_embeddings=num_embeddings, features=features)
        self.num_embeddings, self.features = num_embeddings, features
        embedding_init = unit_length if embedding_init is None else embedding_init
        self.embedding = nnx.Param(embedding_init(rngs.params(), (num_embeddings, features), jnp.float32))

    def __call__(self, tokens: Tokens) -> Float[Array, "*batch features"]:
        require_within("Embed", "tokens", tokens, 0, self.num_embeddings - 1)
        return rows_of(self.embedding[...], tokens)

    def attend(self, x: Float[Array, "*batch features"]) -> Float[Array, "*batch vocabulary"]:
        """The product of x with every token's vector: scores for the next token, from the same table (tied weights).

        Reference: Press and Wolf 2017, "Using the Output Embedding to Improve Language Models".
        """
        require_features("Embed.attend", x, self.features)
        return affine(x, self.embedding[...].T)


def unit_length(key: Key[Array, ""], shape: tuple[int, int], dtype: Any = jnp.float32) -> Array:
    """Vectors of normal numbers whose squared lengths have the mean 1."""
    return normal(1 / math.sqrt(shape[-1]))(key, shape, dtype)
