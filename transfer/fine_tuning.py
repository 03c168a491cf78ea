"""Reusing a trained network on a new task: keep its features, give it a new head, and train the head or everything.

A network here is an `nn.models.Classifier`: its output is head(features(x)).
"""

import dataclasses
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
import optax
from flax import nnx
from jaxtyping import Float, Int

from nn.data import Dataset
from nn.layers import Linear
from nn.models import Classifier
from nn.training import History, Loss, classification_loss, cosine_adam, fit, predict
from transfer.freezing import dotted, matches, patterns_of, require_matches

Network = TypeVar("Network", bound=Classifier)
Module = TypeVar("Module", bound=nnx.Module)


def replace_head(model: Network, classes: int, *, rngs: nnx.Rngs) -> Network:
    """A copy of a model with a fresh linear head for another number of classes; the model itself is left as it is.

    Args:
      model: with `head`, a linear layer.
      classes: how many scores the new head gives.
      rngs: where the new weights come from. Use a key that the model was not made with: a head that begins as the old one
        began fits the old labels' order, and makes transfer look better or worse than it is.
    """
    copy = nnx.clone(model)
    copy.head = Linear(copy.head.in_features, classes, rngs=rngs)
    copy.config = dataclasses.replace(copy.config, out_features=classes)
    return copy


def copy_layers(source: nnx.Module, target: Module, patterns: str | Sequence[str]) -> Module:
    """A copy of `target` in which some layers are the source's, with their running averages; both models are left as they are.

    Args:
      source: where the layers come from.
      target: where they go, under the same names and with the same shapes.
      patterns: which layers, as for `freeze`: `hidden.0`, or several.

    Raises:
      ValueError: if a pattern matches nothing in the source, or a layer is missing in the target or of another shape there.

    Reference: Yosinski, Clune, Bengio and Lipson 2014, "How transferable are features in deep neural networks?", section 2.
    """
    patterns = patterns_of(patterns)
    movable = nnx.Any(nnx.Param, nnx.BatchStat)
    names = [dotted(path) for path, _ in nnx.to_flat_state(nnx.state(source, movable))]
    require_matches("copy_layers", patterns, names)
    layers = nnx.state(source, nnx.All(movable, lambda path, _: any(matches(dotted(path), pattern) for pattern in patterns)))
    copy = nnx.clone(target)
    shapes = {dotted(path): value[...].shape for path, value in nnx.to_flat_state(nnx.state(copy, movable))}
    for path, value in nnx.to_flat_state(layers):
        if shapes.get(dotted(path)) != value[...].shape:
            raise ValueError(
                f"copy_layers expects {dotted(path)} of shape {value[...].shape} in the target, got {shapes.get(dotted(path))}."
            )
    nnx.update(copy, layers)
    return copy


def extract_features(model: Classifier, images: np.ndarray) -> Float[np.ndarray, "examples width"]:
    """What the model's `features` make of each image, in evaluation mode; the model itself is left as it is."""
    return predict(model, images, method="features")


def fine_tune(
    model: nnx.Module,
    images: Float[np.ndarray, "examples ..."],
    labels: Int[np.ndarray, " examples"],
    *,
    steps: int,
    seed: int,
    learning_rate: float = 1e-3,
    batch_size: int = 64,
    wrt: Any = nnx.Param,
    optimizer: optax.GradientTransformation | None = None,
    loss: Loss = classification_loss,
) -> History:
    """Trains a model in place and in training mode on labelled images: all of it, or what `wrt` selects.

    Args:
      model: a classifier with a head for these labels; see `replace_head`.
      images: its inputs.
      labels: the class of each.
      steps: how many batches.
      seed: decides the order of the examples.
      learning_rate: where Adam's begins; it falls to 0 along half a cosine.
      batch_size: examples a step; all of them, where there are fewer.
      wrt: what to train, as `freeze`, `trainable_filter` and `apply_lora` give it.
      optimizer: in place of Adam, such as `optax.chain(l2_sp(0.01), cosine_adam(1e-3, steps))`; learning_rate then counts for
        nothing.
      loss: as for `fit`, such as `BatchSpectralShrinkage()`.

    Returns:
      The history of `nn.training.fit`.
    """
    model.train()  # what is frozen stays in evaluation mode
    data = Dataset.from_arrays({"image": images, "label": labels})
    batches = data.batches(min(batch_size, len(data)), seed=seed)
    optimizer = cosine_adam(learning_rate, steps) if optimizer is None else optimizer
    return fit(model, batches, loss=loss, optimizer=optimizer, steps=steps, wrt=wrt, log_every=steps)


def linear_probe(
    model: Classifier,
    images: Float[np.ndarray, "examples ..."],
    labels: Int[np.ndarray, " examples"],
    *,
    steps: int,
    seed: int,
    learning_rate: float = 1e-2,
    batch_size: int = 64,
) -> History:
    """Trains the model's head in place, on features that do not move.

    The same result as `fine_tune` with all but the head frozen and this learning rate, for less: the features are computed
    once. Arguments as for `fine_tune`, whose learning rate begins lower.
    """
    features = extract_features(model, images)
    return fine_tune(model.head, features, labels, steps=steps, seed=seed, learning_rate=learning_rate, batch_size=batch_size)


def linear_probe_then_fine_tune(
    model: Classifier,
    images: Float[np.ndarray, "examples ..."],
    labels: Int[np.ndarray, " examples"],
    *,
    probe_steps: int,
    steps: int,
    seed: int,
    probe_learning_rate: float = 1e-2,
    learning_rate: float = 3e-4,
    batch_size: int = 64,
    wrt: Any = nnx.Param,
) -> History:
    """Trains the head alone, then everything, more gently: by then the head is no longer random.

    A random head sends random gradients into the features, and bends most what it has examples for; what it has none for
    is lost. Once the head fits, little is left to bend.

    Args:
      probe_steps: batches for the head alone.
      steps: batches for everything.
      probe_learning_rate, learning_rate: of the two.
      model, images, labels, seed, batch_size, wrt: as for `fine_tune`.

    Returns:
      The history of the second part.

    Reference: Kumar et al. 2022, "Fine-Tuning can Distort Pretrained Features and Underperform Out-of-Distribution".
    """
    options: Any = dict(seed=seed, batch_size=batch_size)
    linear_probe(model, images, labels, steps=probe_steps, learning_rate=probe_learning_rate, **options)
    return fine_tune(model, images, labels, steps=steps, learning_rate=learning_rate, wrt=wrt, **options)
