"""Exercise: how far apart two samples are, in everything."""

from collections.abc import Sequence

import jax  # noqa: F401 (for your answer)
import jax.numpy as jnp  # noqa: F401 (for your answer)
import numpy as np
from jaxtyping import Array, Float


def mmd(
    source: Float[Array | np.ndarray, "examples width"],
    target: Float[Array | np.ndarray, "others width"],
    bandwidths: Sequence[float] | Float[Array | np.ndarray, " kernels"],
    *,
    unbiased: bool = False,
) -> Float[Array, ""]:
    """The squared maximum mean discrepancy of two samples: mean k(s, s') + mean k(t, t') − 2 mean k(s, t).

    k(x, y) = exp(−|x − y|² / (2 σ²)), averaged over the bandwidths σ. With a Gaussian kernel it is 0 in expectation only if
    the two distributions are the same: not in mean or covariance alone, but in everything.

    Args:
      source, target: one row an example; the two may differ in number.
      bandwidths: distances at which to compare, in the unit of the features. One far below or above all distances that occur
        sees nothing.
      unbiased: whether to leave out pairs of an example with itself. With them the result is never below 0, and too large by
        about 1 / examples; without them it is right on average, and can come out negative.

    Raises:
      ValueError: if the two differ in width, one has fewer than two rows, or there is no bandwidth or one that is not above 0.

    Reference: Gretton et al. 2012, "A Kernel Two-Sample Test", Lemma 6 (unbiased) and eq. 5 (biased, here squared).
    """
    raise NotImplementedError(
        "TODO: how many pairs are there within each set and between the two, and how does each kind count?"
    )
