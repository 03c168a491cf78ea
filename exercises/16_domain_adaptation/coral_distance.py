"""Exercise: how far apart two covariances are."""

import jax  # noqa: F401 (for your answer)
import jax.numpy as jnp  # noqa: F401 (for your answer)
import numpy as np
from jaxtyping import Array, Float


def coral_distance(
    source: Float[Array | np.ndarray, "examples width"], target: Float[Array | np.ndarray, "others width"]
) -> Float[Array, ""]:
    """How far apart the covariances of two sets of features are: ‖C_source − C_target‖² / (4 width²), the sum over all entries.

    Each covariance is taken around its own mean, and divided by examples − 1. So a shift of one set does not count: a
    difference of means is not seen.

    Args:
      source, target: one row an example; the two may differ in number.

    Raises:
      ValueError: if the two differ in width, or one has fewer than two rows.

    Reference: Sun and Saenko 2016, "Deep CORAL: Correlation Alignment for Deep Domain Adaptation", eq. 1 to 3.
    """
    raise NotImplementedError(
        "TODO: which number of the two sets does a covariance forget before it begins, and by what is it divided?"
    )
