"""Exercise: the rectified linear unit, and what it does at 0, at infinity and to NaN."""

import jax.numpy as jnp  # noqa: F401 (for your answer)
from jaxtyping import Array, Float

Values = Float[Array, "*shape"]


def relu(x: Values) -> Values:
    """max(x, 0). Its slope at 0 is taken as 0, and NaN stays NaN.

    Reference: Nair and Hinton 2010, "Rectified linear units improve restricted Boltzmann machines".
    """
    raise NotImplementedError("TODO: what should come out, and with what slope, for −1, for 0, for −∞ and for NaN?")
