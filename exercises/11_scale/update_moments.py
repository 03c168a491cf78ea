"""Exercise: a running mean and variance that survive jit."""

import jax.numpy as jnp  # noqa: F401 (for your answer)
from jaxtyping import Array, Float, Int


def update_moments(
    moments: tuple[Int[Array, ""], Float[Array, "*features"], Float[Array, "*features"]], x: Float[Array, "batch *features"]
) -> tuple[Int[Array, ""], Float[Array, "*features"], Float[Array, "*features"]]:
    """The moments of all that was seen before and of a new batch, without what was seen before.

    The variance so far is the third moment divided by the first. Sums of x² would lose it where the mean is large.

    Args:
      moments: the number of examples, their mean and the sum of their squared differences from it; zeros before the first.
      x: the new examples, one at least.

    Returns:
      The three moments of all of them, each with the shape and dtype that it had.

    Reference: Chan, Golub and LeVeque 1983, "Algorithms for Computing the Sample Variance", eq. 2.1.
    """
    raise NotImplementedError(
        "TODO: how many examples are there now, and how far is their mean from each of the two that you have?"
    )
