"""The product of two matrices that kernels are made of: its factors may be narrow, and its sums never are.

Narrow factors are fewer bytes to fetch. Sums go on growing, and narrow ones would stop: ones that are added up in bfloat16 come
no further than 256.
"""

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

Matrix = Float[Array, "_ _"]


def wide_product(a: Matrix, b: Matrix, over: tuple[int, int] = (1, 0)) -> Matrix:
    """The product of two matrices, added up in float32 or better, and returned like that.

    Args:
      a: the left matrix.
      b: the right one.
      over: the axis of a and the axis of b that are summed over: (1, 0) for a b, (1, 1) for a bᵀ and (0, 0) for aᵀ b.
    """
    axis_of_a, axis_of_b = over
    wide = jnp.promote_types(a.dtype, jnp.float32)
    return lax.dot_general(a, b, (((axis_of_a,), (axis_of_b,)), ((), ())), preferred_element_type=wide)
