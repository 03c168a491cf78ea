"""Exercise: where two tasks pull against each other, take off only what is against.

A gradient is a tree of arrays, as jax.grad gives it: {"hidden": {"kernel": …, "bias": …}}. As in `gradient_cosine`, it counts
as one long vector.
"""

from collections.abc import Sequence
from typing import Any

import jax  # noqa: F401 (for your answer)
import jax.numpy as jnp  # noqa: F401 (for your answer)

Gradient = Any  # a tree of arrays, as jax.grad gives it


def project_conflicting(gradients: Sequence[Gradient]) -> Gradient:
    """PCGrad: the sum of the tasks' gradients, each first rid of what works against another.

    Where g_i · g_j < 0, the part of g_i that points against g_j is taken off: g_i ← g_i − (g_i · g_j / |g_j|²) g_j. For two
    tasks, a small step along the result then undoes the progress of neither.

    Args:
      gradients: one tree for each task, all of one structure. Of more than two, the others are gone through in their order
        (the paper shuffles them).

    Raises:
      ValueError: if there are none, or the trees differ in structure.

    Reference: Yu et al. 2020, "Gradient Surgery for Multi-Task Learning", algorithm 1.
    """
    raise NotImplementedError("TODO: when it is the second task's turn, which first gradient does it meet: the old or the new?")
