"""Learning a class from a few examples: without training anything, by asking which class's mean a new example is nearest to.

Snell, Swersky and Zemel 2017, "Prototypical Networks for Few-shot Learning".
"""

import numpy as np
from jaxtyping import Float, Int


def unit_length(features: Float[np.ndarray, "examples width"]) -> Float[np.ndarray, "examples width"]:
    """Each row divided by its length, so that only its direction counts; a row of zeros stays."""
    lengths = np.linalg.norm(features, axis=-1, keepdims=True)
    return features / np.maximum(lengths, np.finfo(features.dtype).tiny)


def class_prototypes(
    features: Float[np.ndarray, "examples width"], labels: Int[np.ndarray, " examples"], classes: int
) -> Float[np.ndarray, "classes width"]:
    """The mean of each class's features: Snell et al. 2017, eq. 1.

    Raises:
      ValueError: if there are not as many labels as features, a label is outside the classes, or a class has no example.
    """
    if len(features) != len(labels):
        raise ValueError(f"class_prototypes expects a label for each row, got {len(features)} rows, {len(labels)} labels.")
    outside = sorted(set(np.unique(labels).tolist()) - set(range(classes)))
    if outside:
        raise ValueError(f"class_prototypes expects labels from 0 to {classes - 1}, got {outside}.")
    missing = sorted(set(range(classes)) - set(np.unique(labels).tolist()))
    if missing:
        raise ValueError(f"class_prototypes expects an example of each of {classes} classes, got none of {missing}.")
    return np.stack([features[labels == c].mean(0) for c in range(classes)])


def prototype_logits(
    queries: Float[np.ndarray, "examples width"], prototypes: Float[np.ndarray, "classes width"]
) -> Float[np.ndarray, "examples classes"]:
    """Minus the squared distance of each query to each prototype: the scores of Snell et al. 2017, eq. 2.

    Raises:
      ValueError: if the two differ in width.
    """
    if queries.shape[-1] != prototypes.shape[-1]:
        raise ValueError(
            f"prototype_logits expects queries as wide as the prototypes, {prototypes.shape[-1]}, got {queries.shape[-1]}."
        )
    # |q − p|² = |q|² − 2 q·p + |p|²: a matrix product instead of an array of every difference.
    return 2 * queries @ prototypes.T - (prototypes**2).sum(-1) - (queries**2).sum(-1, keepdims=True)


def prototype_accuracy(
    support: Float[np.ndarray, "examples width"],
    support_labels: Int[np.ndarray, " examples"],
    queries: Float[np.ndarray, "queries width"],
    query_labels: Int[np.ndarray, " queries"],
    *,
    classes: int,
) -> float:
    """The share of queries whose nearest prototype is their own class's. Directions are compared, not lengths."""
    prototypes = class_prototypes(unit_length(support), support_labels, classes)
    logits = prototype_logits(unit_length(queries), unit_length(prototypes))
    if query_labels.shape != logits.shape[:-1]:
        raise ValueError(f"prototype_accuracy expects {len(logits)} query labels, got query_labels.shape={query_labels.shape}.")
    right = (logits.argmax(-1) == query_labels) & ~np.isnan(logits).any(-1)  # NaN is no answer
    return float(right.mean())
