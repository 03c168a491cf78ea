"""Exercise: the slope of any function, measured from outside: the judge of every gradient that a formula claims."""

from collections.abc import Callable
from typing import Any

import numpy as np


def numerical_gradient(function: Callable[[np.ndarray], Any], x: Any, step: float = 1e-5) -> np.ndarray:
    """The gradient by central differences: ∂f/∂xᵢ ≈ (f(x + h eᵢ) − f(x − h eᵢ)) / 2h.

    The error shrinks with h², until rounding takes over. It needs two calls of f for every number in x, and shares no idea
    with automatic differentiation: so it is what to check that against.

    Args:
      function: from an array in the shape of x to a single number.
      x: where; it is not changed, and f is called with float64 arrays.
      step: h.

    Returns:
      The gradient in float64, in the shape of x.

    Raises:
      ValueError: if the step is not above 0.
    """
    raise NotImplementedError(
        "TODO: to move one number of x and no other, and leave x itself as it was, what do you add to it?"
    )
