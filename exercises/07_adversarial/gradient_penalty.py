"""Exercise: the gradient penalty, which keeps the slope of a critic at 1."""

from collections.abc import Callable

import jax  # noqa: F401 (for your answer)
import jax.numpy as jnp  # noqa: F401
from jaxtyping import Array, Float


def gradient_penalty(critic: Callable[..., Array], x: Float[Array, "batch *shape"]) -> Float[Array, ""]:
    """mean over the examples of (‖∂ critic(x) / ∂x‖ − 1)²: zero where the critic rises with slope 1, neither more nor less.

    The norm is that of all numbers of one example together, as of all pixels of an image. Where the critic is flat, too, the
    penalty has a gradient of numbers, none of them NaN.

    Args:
      critic: maps examples to scores, each example on its own (no batch normalization). Of several
        scores for one example the sum counts.
      x: where to ask for the slope: points between real and fake examples, from `interpolate`.

    Raises:
      ValueError: if there are no examples.

    Reference: Gulrajani et al. 2017, eq. 3.
    """
    raise NotImplementedError(
        "TODO: jax.grad wants one number, and there is a score for each example: why may you add them up?"
    )
