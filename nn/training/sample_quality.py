"""How good are made examples? Measures for a set of them, which no single example could answer.

A generator can make one perfect picture again and again. So quality has two halves: each example is like a real one, and
together they are as various as the real ones.
"""

import numpy as np
from jaxtyping import Array, Float, Int


def mode_counts(
    samples: Float[Array | np.ndarray, "samples features"], modes: Float[Array | np.ndarray, "modes features"], radius: float
) -> Int[np.ndarray, " modes"]:
    """How many samples lie at each mode: no further from it than the radius, and no other mode is nearer.

    Of two that are equally near the first one counts.

    A mode without samples has been forgotten; samples that are counted nowhere lie where no data are.

    Args:
      samples: points.
      modes: where the data are dense, such as the centres of Gaussians.
      radius: in the unit of the points, such as three standard deviations.

    Raises:
      ValueError: if samples and modes differ in features, there are no modes, or the radius is not above 0.
    """
    samples, modes = np.asarray(samples), np.asarray(modes)
    if samples.shape[1] != modes.shape[1] or len(modes) == 0 or not radius > 0:
        raise ValueError(
            f"mode_counts expects samples and modes of as many features, at least one mode and a radius above 0, got shapes "
            f"{samples.shape} and {modes.shape}, radius={radius}."
        )
    distances = np.linalg.norm(samples[:, None] - modes[None], axis=-1)
    near = distances.min(1) <= radius
    return np.bincount(distances.argmin(1)[near], minlength=len(modes))


def frechet_distance(
    real: Float[Array | np.ndarray, "real features"], made: Float[Array | np.ndarray, "made features"]
) -> float:
    """‖m − m'‖² + tr(C + C' − 2 (C C')^½), with m and C the mean and covariance of each set: 0 for sets alike in both.

    It is the squared Wasserstein distance between two Gaussians with these means and covariances. Of images, take features of
    a classifier, in which what matters counts. With few examples it is too large, so compare sets of one size only.

    Args:
      real: features of real examples.
      made: features of made ones.

    Raises:
      ValueError: if the two differ in features, or either has fewer than two examples.

    Reference: Heusel et al. 2017, "GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium", eq. 6.
    """
    real, made = np.asarray(real, np.float64), np.asarray(made, np.float64)
    if real.shape[1] != made.shape[1] or min(len(real), len(made)) < 2:
        raise ValueError(
            f"frechet_distance expects two sets of at least two examples and as many features, got shapes {real.shape} and "
            f"{made.shape}."
        )
    first, second = (np.atleast_2d(np.cov(features, rowvar=False)) for features in (real, made))
    values, vectors = np.linalg.eigh(first)
    root = (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T
    # C C' has the eigenvalues of C^½ C' C^½, which is symmetric: real, and below 0 by rounding only.
    shared = np.sqrt(np.clip(np.linalg.eigvalsh(root @ second @ root), 0, None)).sum()
    return float(((real.mean(0) - made.mean(0)) ** 2).sum() + np.trace(first) + np.trace(second) - 2 * shared)
