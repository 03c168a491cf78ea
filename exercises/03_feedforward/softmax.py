"""Exercise: softmax, which turns scores into probabilities."""

import jax.numpy as jnp  # noqa: F401 (for your answer)
from jaxtyping import Array, Float

Values = Float[Array, "*shape"]


def softmax(x: Values, axis: int = -1) -> Values:
    """eˣ / Σ eˣ along an axis: scores to probabilities, safe for scores of any finite size.

    Taking the largest score off all of them changes nothing, since e^(x−c) / Σ e^(x−c) = eˣ / Σ eˣ, and keeps the
    largest exponent at 0.
    """
    raise NotImplementedError("TODO: what is e^1000 in float32, and what may you take off every score for free?")
