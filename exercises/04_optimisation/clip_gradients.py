"""Exercise: gradients that are too long, made shorter without turning them."""

from typing import Any

import jax  # noqa: F401 (for your answer)
import jax.numpy as jnp  # noqa: F401 (for your answer)


def clip_gradients(gradients: Any, max_norm: float) -> Any:
    """All gradients times one factor, so that their common length is at most max_norm; shorter ones stay as they are.

    The length is that of all numbers of all arrays as one long vector. One factor for all keeps the direction.

    Args:
      gradients: a tree of arrays, as `jax.grad` returns it.
      max_norm: the largest length allowed.

    Returns:
      A tree of the same structure, shapes and dtypes.

    Raises:
      ValueError: if max_norm is not above 0.

    Reference: Pascanu, Mikolov and Bengio 2013, "On the difficulty of training recurrent neural networks", algorithm 1.
    """
    raise NotImplementedError("TODO: if only one of two arrays is shortened, in which direction does the step go?")
