"""How far apart two domains are, told from examples of both: by their covariances, by kernels, by a classifier.

Two of these can be lowered by training, and are what `transfer.domain_adaptation` adds to a loss. The third judges the result
from outside.
"""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
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
    _require_two_samples("coral_distance", source, target)
    return ((_covariance(source) - _covariance(target)) ** 2).sum() / (4 * source.shape[1] ** 2)


def _covariance(features):
    centred = jnp.asarray(features) - features.mean(0, keepdims=True)
    return centred.T @ centred / (len(features) - 1)


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
    _require_two_samples("mmd", source, target)
    known = not isinstance(bandwidths, Tracer)
    if len(bandwidths) == 0 or (known and not np.min(bandwidths) > 0):
        raise ValueError(f"mmd expects bandwidths above 0, at least one, got {list(bandwidths)}.")
    n, both = len(source), jnp.concatenate([source, target])
    # |x − y|² = |x|² + |y|² − 2 x·y, around a common centre: far from it, float32 has few digits left for a difference.
    both = both - both.mean(0, keepdims=True)
    squares = (both**2).sum(-1)
    distances = jnp.maximum(squares[:, None] + squares[None, :] - 2 * both @ both.T, 0)
    widths = jnp.asarray(bandwidths, distances.dtype)[:, None, None]
    kernel = jnp.exp(-distances[None] / (2 * widths**2)).mean(0)

    def mean_within(block):
        if not unbiased:
            return block.mean()
        return (block.sum() - jnp.trace(block)) / (len(block) * (len(block) - 1))

    return mean_within(kernel[:n, :n]) + mean_within(kernel[n:, n:]) - 2 * kernel[:n, n:].mean()


def proxy_a_distance(
    source_features: Float[np.ndarray, "examples width"], target_features: Float[np.ndarray, "others width"], *, seed: int
) -> float:
    """How well a linear classifier tells two sets apart: 2 (1 − 2ε), with ε its share of errors on examples it has not seen.

    0 where it can only guess, 2 where it makes no mistake; by chance it can come out a little below 0. As many examples of
    either set are used, the smaller number, drawn at random: otherwise guessing the larger set would look like a distance.
    Half of them train the classifier, the other half give ε.

    Args:
      source_features, target_features: one row an example.
      seed: decides which examples are used, and which half they are in.

    Raises:
      ValueError: if the two differ in width, or one has fewer than four rows.

    References:
      Ben-David et al. 2007, "Analysis of Representations for Domain Adaptation".
      Ganin et al. 2016, "Domain-Adversarial Training of Neural Networks", section 3.2.
    """
    # scikit-learn takes a second to import, and nothing else here needs it.
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    _require_two_samples("proxy_a_distance", source_features, target_features, least=4)
    random = np.random.default_rng(seed)
    count = min(len(source_features), len(target_features))
    half = count // 2
    chosen = [random.permutation(len(features))[:count] for features in (source_features, target_features)]
    halves = [
        np.concatenate([source_features[chosen[0][part]], target_features[chosen[1][part]]]).astype(np.float64)
        for part in (slice(half), slice(half, None))
    ]
    domains = [np.repeat([0, 1], len(rows) // 2) for rows in halves]
    scaler = StandardScaler().fit(halves[0])
    classifier = LogisticRegression(max_iter=1000).fit(scaler.transform(halves[0]), domains[0])
    error = 1 - classifier.score(scaler.transform(halves[1]), domains[1])
    return float(2 * (1 - 2 * error))


def _require_two_samples(function: str, source, target, *, least: int = 2) -> None:
    if source.ndim != 2 or target.ndim != 2 or source.shape[1] != target.shape[1]:
        raise ValueError(
            f"{function} expects two sets of features of one width, (examples, width), got {source.shape} and {target.shape}."
        )
    if min(len(source), len(target)) < least:
        raise ValueError(f"{function} expects at least {least} examples of each, got {len(source)} and {len(target)}.")
