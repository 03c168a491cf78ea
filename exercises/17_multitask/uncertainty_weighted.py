"""Exercise: let the network learn how much each task's loss counts."""

import jax.numpy as jnp  # noqa: F401 (for your answer)
from jaxtyping import Array, Float


def uncertainty_weighted(losses: Float[Array, " tasks"], log_variances: Float[Array, " tasks"]) -> Float[Array, ""]:
    """Σ exp(−s) L + s / 2: losses weighed by how noisy each task seems, with a price on calling a task noisy.

    s = log σ² is learned with the network, one number for each task. For a fixed loss the best is s = log 2L: a task with a
    large loss gets a small weight, and no weight has to be tuned.

    Args:
      losses: L, a mean cross-entropy for each task.
      log_variances: s.

    Raises:
      ValueError: if there are not as many of both.

    Reference: Kendall, Gal and Cipolla 2018, "Multi-Task Learning Using Uncertainty to Weigh Losses", eq. 10.
    """
    raise NotImplementedError("TODO: if a weight may be learned, what keeps the network from setting all weights to 0?")
