"""Training on a source and a target with one thing changed at a time: names, heads, what moves, what was learned before.

Two runs that differ in one thing tell what that thing does. `transfer.diagnosis` reads the differences.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, Int
from scipy.optimize import linear_sum_assignment

from nn.data import Batches, Dataset
from nn.models import Classifier
from nn.training import cosine_adam, fit, predict, softmax_cross_entropy
from transfer.fine_tuning import Network, fine_tune, linear_probe, replace_head
from transfer.negative_transfer import JointBatches

Labelled = tuple[np.ndarray, np.ndarray]  # images, and the class of each

ARMS = {
    "scratch": "the target alone",
    "one head": "source and target together, classes of one number share an output",
    "one head, permuted": "the same, with the source's classes in an arbitrary other order",
    "one head, renamed": "the same, each source class called what a source model takes for it in the target's images",
    "a head each": "source and target together, a head for each",
    "fine-tuned": "the source first, then all of the network on the target, with a fresh head",
    "fine-tuned, old head": "the same, with the source's own head",
    "frozen": "the source first, then a fresh head on features that do not move",
    "random": "a fresh head on features of the untrained network",
}
"""Every training run of a seed. All see the same target examples, in the same order, for as many steps.

A batch of source and target together holds as many of each: `batch_size`, or all of the smaller set, where it has fewer.
"""


def match_classes(
    predictions: Int[np.ndarray, " examples"], labels: Int[np.ndarray, " examples"], classes: int
) -> Int[np.ndarray, " classes"]:
    """The best one-to-one renaming: what to call each source class, so that most predictions become the right label.

    Args:
      predictions: the source class that a source model sees in each target *training* image.
      labels: the target class of each. Never those of test images: the renaming would have seen what it is measured on.
      classes: how many names there are, of source or target, whichever has more.

    Returns:
      A permutation: entry s is the name for source class s. Where it makes no difference, a class keeps its number.

    Raises:
      ValueError: if there are not as many predictions as labels, or one is not from 0 to classes − 1.
    """
    if predictions.shape != labels.shape:
        raise ValueError(f"match_classes expects a prediction for each label, got {predictions.shape} and {labels.shape}.")
    both = np.concatenate([predictions, labels])
    if len(both) and not (both.min() >= 0 and both.max() < classes):
        raise ValueError(f"match_classes expects classes from 0 to {classes - 1}, got {both.min()} to {both.max()}.")
    counts = np.zeros((classes, classes))
    np.add.at(counts, (predictions, labels), 1)
    # Less than one example for all classes together: it decides between equals, and nothing else.
    counts += np.eye(classes) / (classes + 1)
    return linear_sum_assignment(counts, maximize=True)[1]


def another_order(classes: int, random: np.random.Generator) -> Int[np.ndarray, " classes"]:
    """A random permutation that leaves no class where it was: all classes on a circle, each moved to the next."""
    circle = random.permutation(classes)
    names = np.empty(classes, dtype=np.int64)
    names[circle] = np.roll(circle, -1)
    return names


def draw_shots(labels: Int[np.ndarray, " examples"], shots: int, random: np.random.Generator) -> Int[np.ndarray, " chosen"]:
    """Indices of as many examples of each class, drawn at random; class by class."""
    order = random.permutation(len(labels))
    return np.concatenate([order[labels[order] == c][:shots] for c in np.unique(labels)])


def fresh_head(model: Network, classes: int, *, seed: int) -> Network:
    """A copy of the model with a head for these classes: of one seed always the same one, and none that a model began with.

    A model of this seed may have been made with the key of this seed. A head from that key could begin where the source's head
    began, and would know the source's classes in their order.
    """
    return replace_head(model, classes, rngs=nnx.Rngs(jax.random.fold_in(jax.random.key(seed), 0x4EAD)))


@dataclass
class Counterfactuals:
    """All training runs of one seed. They begin alike, and see the same target batches."""

    start: Classifier
    source: Labelled
    target: Labelled
    classes: tuple[int, int]  # of the source, of the target
    seed: int
    pretraining_steps: int
    options: dict[str, Any]
    probe_learning_rate: float

    def __post_init__(self):
        self.pretrained = nnx.clone(self.start)
        fine_tune(self.pretrained, *self.source, **{**self.options, "steps": self.pretraining_steps})

    def train(self, arm: str) -> Classifier | None:
        """The network of an arm, or None where the arm makes no sense: the source's head has too few classes."""
        if arm in ("one head", "one head, permuted", "one head, renamed", "a head each"):
            return self._joint(arm)
        if arm == "fine-tuned, old head":
            if self.classes[0] < self.classes[1]:
                return None
            model = nnx.clone(self.pretrained)
        else:
            body = self.pretrained if arm in ("fine-tuned", "frozen") else self.start
            model = fresh_head(body, self.classes[1], seed=self.seed)
        if arm in ("frozen", "random"):
            linear_probe(model, *self.target, **{**self.options, "learning_rate": self.probe_learning_rate})
        else:
            fine_tune(model, *self.target, **self.options)
        return model

    def _joint(self, arm: str) -> Classifier:
        """Source and target at once: one network, whose outputs they share or not."""
        images, labels = self.source[0], self.source[1].astype(np.int32)
        own, width = self.classes[1], sum(self.classes)  # outputs: those of the target come first
        names = max(self.classes)
        if arm == "one head, permuted":
            labels = another_order(names, np.random.default_rng((self.seed, 1)))[labels]
        elif arm == "one head, renamed":
            seen = predict(self.pretrained, self.target[0]).argmax(1)
            labels = match_classes(seen, self.target[1], names)[labels]
        apart = arm == "a head each"
        columns = ((own, width), (0, own)) if apart else ((0, names), (0, names))
        sets = ((images, labels + own if apart else labels), self.target)
        size, steps = min(self.options["batch_size"], len(self.target[1]), len(labels)), self.options["steps"]
        source, target = (
            _batches(*labelled, *between, size=size, seed=seed)
            for labelled, between, seed in zip(sets, columns, (self.seed + 1000, self.seed), strict=True)
        )
        model = fresh_head(self.start, width, seed=self.seed)
        model.train()
        optimizer = cosine_adam(self.options["learning_rate"], steps)
        fit(model, JointBatches(source, target), loss=_loss_of_columns, optimizer=optimizer, steps=steps, log_every=steps)
        return model


def _batches(images: np.ndarray, labels: np.ndarray, first: int, past: int, *, size: int, seed: int) -> Batches:
    """Batches that also say which outputs of the network are asked: from first to past − 1."""
    count, labels = len(labels), labels.astype(np.int32)
    arrays = {"image": images, "label": labels, "first": np.full(count, first), "past": np.full(count, past)}
    return Dataset.from_arrays(arrays).batches(size, seed=seed)


def _loss_of_columns(model: Callable[[Any], Array], batch: Mapping[str, Any]) -> Float[Array, ""]:
    """Cross-entropy of each example among the outputs that it is asked: with one head all, with two those of its own."""
    scores = model(batch["image"])
    column = jnp.arange(scores.shape[-1])[None]
    asked = (batch["first"][:, None] <= column) & (column < batch["past"][:, None])
    return softmax_cross_entropy(jnp.where(asked, scores, -jnp.inf), batch["label"]).mean()
