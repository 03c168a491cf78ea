"""Exercise: broadcasting copies a number into many places; what is its gradient, if each copy sends one back?"""

import numpy as np
from jaxtyping import Float

Values = Float[np.ndarray, "..."]


def unbroadcast(gradient: Values, shape: tuple[int, ...]) -> Values:
    """The gradient by an array that was broadcast, from the gradient by what it was broadcast to.

    A number that was used in many places has the sum of what arrives from all of them.

    Args:
      gradient: in the shape that broadcasting made.
      shape: the array's own shape.

    Returns:
      The gradient in the array's own shape.

    Raises:
      ValueError: if broadcasting does not lead from `shape` to the gradient's.
    """
    raise NotImplementedError("TODO: which axes did broadcasting put in front, and which did it stretch from size 1?")
