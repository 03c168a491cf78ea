"""Exercise: the discriminator's own step, in which nobody else learns."""

from collections.abc import Callable

import jax  # noqa: F401 (for your answer)
import jax.numpy as jnp  # noqa: F401
from jaxtyping import Array, Float


def discriminator_objective(
    loss: Callable[[Array, Array], Array],
    discriminator: Callable[[Array], Array],
    real: Float[Array, "real *shape"],
    fake: Float[Array, "fake *shape"],
) -> tuple[Float[Array, ""], dict[str, Float[Array, ""]]]:
    """What the discriminator lowers in its own step. No gradient reaches what made the fakes: here they are data like the real.

    Args:
      loss: maps (real scores, fake scores) to a number.
      discriminator: maps examples to scores, one or more for each. It gets the real and the fake ones in two calls.
      real: examples of the data.
      fake: made ones, of the same shape.

    Returns:
      The loss, and what to record: the mean scores, as `real_score` and `fake_score`.

    Reference: Goodfellow et al. 2014, algorithm 1.
    """
    raise NotImplementedError(
        "TODO: how would a gradient reach the generator, and where must it stop so that the discriminator still learns?"
    )
