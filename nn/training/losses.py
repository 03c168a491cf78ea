"""Losses: one number that says how wrong, whose gradient says which way is better.

Each returns a value per example, in float32 or better; take the mean for training.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

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
    logits = widened(logits)
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
    logits = widened(logits)
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
    return ((widened(predictions) - targets) ** 2).mean(-1)


def widened(x):
    """In float32 or better: a loss in half precision has two or three digits, and a sum of them overflows."""
    return x.astype(jnp.promote_types(x.dtype, jnp.float32))


def _require_same_shape(function: str, outputs: Array, targets: Array) -> None:
    """(4, 1) and (4,) would broadcast to (4, 4): sixteen losses for four examples, and no error."""
    if outputs.shape != targets.shape:
        raise ValueError(f"{function} expects arrays of one shape, got {outputs.shape} and {targets.shape}.")


def classification_loss(
    model: Callable[..., Any], batch: Mapping[str, Any]
) -> tuple[Float[Array, ""], dict[str, Float[Array, ""]]]:
    """The loss of a classifier on a batch of `image` and `label`: mean cross-entropy, and accuracy beside it.

    Made for `nn.training.fit`. The model gets `batch["image"]` as it comes.

    Raises:
      ValueError: for an empty batch, whose mean would be NaN.
    """
    logits = model(batch["image"])
    loss = masked_mean(softmax_cross_entropy(logits, batch["label"]))
    return loss, {"accuracy": accuracy(logits, batch["label"]).mean()}


def next_token_loss(model: Callable[..., Any], batch: Mapping[str, Any]) -> Float[Array, ""]:
    """The loss of a language model: how surprised it is, in nats per token, by each token given those before it.

    Made for `nn.training.fit`. The model maps tokens (batch, time) to logits (batch, time, vocabulary) and may not look ahead.

    Args:
      model: gets all tokens but the last.
      batch: `tokens` (batch, time + 1); optionally `mask` of the same shape, False where a token is padding. The first token
        is never asked for.

    Raises:
      ValueError: for sequences of fewer than two tokens.

    Reference: Bengio et al. 2003, "A Neural Probabilistic Language Model", section 2.
    """
    tokens = batch["tokens"]
    if tokens.shape[-1] < 2:
        raise ValueError(f"next_token_loss expects at least two tokens, one to see and one to guess, got shape {tokens.shape}.")
    losses = softmax_cross_entropy(model(tokens[:, :-1]), tokens[:, 1:])
    return masked_mean(losses, batch["mask"][:, 1:] if "mask" in batch else None)


def masked_token_loss(model: Callable[..., Any], batch: Mapping[str, Any]) -> Float[Array, ""]:
    """The loss of a network that fills holes: how surprised it is, in nats per hole, by the token that was there.

    Made for `nn.training.fit`. The model maps tokens (batch, time) to logits (batch, time, vocabulary) and may look both ways.

    Args:
      model: gets the tokens with their holes.
      batch: `tokens` with holes, `targets` as they were, and `mask`, True at the positions that count; all (batch, time).

    Reference: Devlin et al. 2019, "BERT", section 3.1.
    """
    return masked_mean(softmax_cross_entropy(model(batch["tokens"]), batch["targets"]), batch["mask"])


def translation_loss(model: Callable[..., Any], batch: Mapping[str, Any]) -> Float[Array, ""]:
    """The loss of an encoder-decoder: how surprised it is, in nats per token, by each target token given those before it.

    Made for `nn.training.fit`.

    Args:
      model: maps (source, target, source_lengths=…) to logits for the token behind each one of `target`.
      batch: `source` and `target` (batch, time), the target with a start token before it, and how many tokens of each are
        real: `source_lengths` and `target_lengths` (batch,).

    Reference: Sutskever, Vinyals and Le 2014, "Sequence to Sequence Learning with Neural Networks", eq. 1.
    """
    source, target = batch["source"], batch["target"]
    logits = model(source, target[:, :-1], source_lengths=batch["source_lengths"])
    positions = jnp.broadcast_to(jnp.arange(1, target.shape[1]), (len(target), target.shape[1] - 1))
    return masked_mean(softmax_cross_entropy(logits, target[:, 1:]), positions < batch["target_lengths"][:, None])


def masked_mean(losses: Float[Array, "*shape"], mask: Bool[Array | np.ndarray, "*shape"] | None = None) -> Float[Array, ""]:
    """The mean of those losses whose mask is True; 0 where there are none.

    Every loss counts alike, whichever example of the batch it belongs to.

    Raises:
      ValueError: if losses and mask differ in shape, or there are no losses at all.
    """
    if losses.size == 0:
        raise ValueError(f"A mean of losses expects at least one, got an empty batch of shape {losses.shape}.")
    losses = widened(losses)
    if mask is None:
        return losses.mean()
    _require_same_shape("masked_mean", losses, jnp.asarray(mask))
    # where, not a product: behind the mask a loss may be NaN.
    return jnp.where(mask, losses, 0).sum() / jnp.maximum(mask.sum(), 1)
