"""Metrics: what a person wants to know, where the loss is only what a gradient can use."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int


def accuracy(logits: Float[Array, "*batch classes"], labels: Int[Array, "*batch"]) -> Float[Array, "*batch"]:
    """1 where the largest score is the label's, 0 elsewhere; the mean is the share that is right.

    An example with a score that is not a number is never right.

    Raises:
      ValueError: if there is not one label for each row of scores.
    """
    require_labels("accuracy", logits, labels)
    return ((logits.argmax(-1) == labels) & ~jnp.isnan(logits).any(-1)).astype(jnp.float32)


def top_k_accuracy(logits: Float[Array, "*batch classes"], labels: Int[Array, "*batch"], k: int) -> Float[Array, "*batch"]:
    """1 where the label is among the k largest scores, 0 elsewhere.

    Raises:
      ValueError: if k is not between 1 and the number of classes, or there is not one label for each row of scores.
    """
    require_labels("top_k_accuracy", logits, labels)
    classes = logits.shape[-1]
    if not 1 <= k <= classes:
        raise ValueError(f"top_k_accuracy expects k between 1 and {classes} classes, got k={k}.")
    best = jax.lax.top_k(logits, k)[1]
    right = (best == labels[..., None]).any(-1) & ~jnp.isnan(logits).any(-1)
    return right.astype(jnp.float32)


def confusion_matrix(
    predictions: Int[Array | np.ndarray, " n"], labels: Int[Array | np.ndarray, " n"], classes: int
) -> Int[np.ndarray, "classes classes"]:
    """How often each class (row) was taken for each class (column).

    Raises:
      ValueError: if a prediction or a label is outside the classes, or there are not as many of one as of the other.
    """
    predictions, labels = np.asarray(predictions), np.asarray(labels)
    if predictions.shape != labels.shape:
        raise ValueError(f"confusion_matrix expects a label for each prediction, got {labels.shape} and {predictions.shape}.")
    outside = sorted(set(np.unique(np.concatenate([predictions, labels])).tolist()) - set(range(classes)))
    if outside:
        raise ValueError(f"confusion_matrix expects classes from 0 to {classes - 1}, got {outside}.")
    return np.bincount(labels * classes + predictions, minlength=classes**2).reshape(classes, classes)


def require_labels(function: str, logits: Array, labels: Array) -> None:
    """Raises a ValueError, in the function's name, unless there is one label for each row of scores."""
    if logits.shape[:-1] != labels.shape:
        raise ValueError(
            f"{function} expects one label for each row of logits, got logits.shape={logits.shape}, "
            f"labels.shape={labels.shape}."
        )
