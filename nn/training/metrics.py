"""Metrics: what a person wants to know, where the loss is only what a gradient can use."""

import jax.numpy as jnp
from jaxtyping import Array, Float, Int


def accuracy(logits: Float[Array, "*batch classes"], labels: Int[Array, "*batch"]) -> Float[Array, "*batch"]:
    """1 where the largest score is the label's, 0 elsewhere; the mean is the share that is right."""
    return (logits.argmax(-1) == labels).astype(jnp.float32)


def top_k_accuracy(logits: Float[Array, "*batch classes"], labels: Int[Array, "*batch"], k: int) -> Float[Array, "*batch"]:
    """1 where the label is among the k largest scores, 0 elsewhere.

    Raises:
      ValueError: if k is not between 1 and the number of classes.
    """
    classes = logits.shape[-1]
    if not 1 <= k <= classes:
        raise ValueError(f"top_k_accuracy expects k between 1 and {classes} classes, got k={k}.")
    best = jnp.argsort(logits, axis=-1, descending=True)[..., :k]
    return (best == labels[..., None]).any(-1).astype(jnp.float32)


def confusion_matrix(predictions: Int[Array, " n"], labels: Int[Array, " n"], classes: int) -> Int[Array, "classes classes"]:
    """How often each class (row) was taken for each class (column)."""
    return jnp.zeros((classes, classes), jnp.int32).at[labels, predictions].add(1)
