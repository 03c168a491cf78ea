"""Losses: one number that says how wrong, whose gradient says which way is better.

Each returns a value per example; take the mean for training.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from nn.training.metrics import accuracy, require_labels


def softmax_cross_entropy(logits: Float[Array, "*batch classes"], labels: Int[Array, "*batch"]) -> Float[Array, "*batch"]:
    """−log softmax(logits)[label] in nats: how surprised the network is by the right answer.

    It is computed as log Σ eˢ − s[label] with s = z − max z, which stays exact where the softmax itself would round to 0,
    and under a shift of any size.

    Args:
      logits: scores before the softmax, of any finite size.
      labels: the index of the right class, from 0 to classes − 1. An index outside the classes gives NaN for that
        example, not another class's loss.

    Raises:
      ValueError: if there is not one label for each row of logits.

    Reference: Bishop 2006, "Pattern Recognition and Machine Learning", eq. 4.108.
    """
    require_labels("softmax_cross_entropy", logits, labels)
    shifted = logits - logits.max(-1, keepdims=True)
    log_normalizer = jnp.log(jnp.exp(shifted).sum(-1))
    # fill: a label outside the classes must not be clamped to the nearest one. A negative index would wrap around.
    index = jnp.where(labels < 0, logits.shape[-1], labels)[..., None]
    right = jnp.take_along_axis(shifted, index, axis=-1, mode="fill")[..., 0]
    return log_normalizer - right


def sigmoid_cross_entropy(logits: Float[Array, "*shape"], labels: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """−[y log σ(z) + (1 − y) log(1 − σ(z))] in nats, for yes-or-no questions, each on its own.

    Args:
      logits: scores before the sigmoid, of any finite size.
      labels: 0 or 1, or a probability between.

    Raises:
      ValueError: if the two differ in shape.
    """
    _require_same_shape("sigmoid_cross_entropy", logits, labels)
    # log σ(z) = −softplus(−z) and log(1 − σ(z)) = −softplus(z); their difference is z.
    return jnp.logaddexp(logits, 0) - labels * logits


def mean_squared_error(
    predictions: Float[Array, "*batch outputs"], targets: Float[Array, "*batch outputs"]
) -> Float[Array, "*batch"]:
    """The squared distance, averaged over the last axis.

    Raises:
      ValueError: if the two differ in shape.
    """
    _require_same_shape("mean_squared_error", predictions, targets)
    return ((predictions - targets) ** 2).mean(-1)


def _require_same_shape(function: str, outputs: Array, targets: Array) -> None:
    """(4, 1) and (4,) would broadcast to (4, 4): sixteen losses for four examples, and no error."""
    if outputs.shape != targets.shape:
        raise ValueError(f"{function} expects arrays of one shape, got {outputs.shape} and {targets.shape}.")


def classification_loss(
    model: Callable[..., Any], batch: Mapping[str, Any]
) -> tuple[Float[Array, ""], dict[str, Float[Array, ""]]]:
    """The loss of a classifier on a batch of `image` and `label`: mean cross-entropy, and accuracy beside it.

    Made for `nn.training.fit`. The model gets `batch["image"]` as it comes.
    """
    logits = model(batch["image"])
    loss = softmax_cross_entropy(logits, batch["label"]).mean()
    return loss, {"accuracy": accuracy(logits, batch["label"]).mean()}
