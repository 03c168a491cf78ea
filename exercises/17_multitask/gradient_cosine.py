"""Exercise: do two tasks pull the shared weights the same way?

A gradient is a tree of arrays, as jax.grad gives it: {"hidden": {"kernel": …, "bias": …}}. jax.tree.leaves lists its arrays.
"""

from typing import Any

import jax  # noqa: F401 (for your answer)
import jax.numpy as jnp  # noqa: F401 (for your answer)
from jaxtyping import Array, Float

Gradient = Any  # a tree of arrays, as jax.grad gives it


def gradient_cosine(first: Gradient, second: Gradient) -> Float[Array, ""]:
    """The cosine of the angle between two gradients, each as one long vector: 1 alike, 0 unrelated, below 0 in conflict.

    Also 0 where one of them is zero: it pulls nowhere.

    Raises:
      ValueError: if the trees differ in structure.

    Reference: Du et al. 2018, "Adapting Auxiliary Losses Using Gradient Similarity".
    """
    raise NotImplementedError("TODO: if a kernel pulls one way and its bias the other, which of the two decides?")
