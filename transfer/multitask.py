"""Several tasks at once: one body that all of them train, a head for each, and what to do where they pull in different ways.

What the tasks share costs once and is learned from the data of all. Whether that helps each of them is a question of how
their gradients lie to each other.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float

from nn.data import Batches
from nn.layers import Linear
from nn.layers.containers import List
from nn.models import Classifier
from nn.training import classification_loss

Gradient = Any  # a tree of arrays, as jax.grad gives it


def gradient_cosine(first: Gradient, second: Gradient) -> Float[Array, ""]:
    """The cosine of the angle between two gradients, each as one long vector: 1 alike, 0 unrelated, below 0 in conflict.

    Also 0 where one of them is zero: it pulls nowhere.

    Raises:
      ValueError: if the trees differ in structure.

    Reference: Du et al. 2018, "Adapting Auxiliary Losses Using Gradient Similarity".
    """
    _require_alike("gradient_cosine", [first, second])
    lengths = jnp.sqrt(_dot(first, first)) * jnp.sqrt(_dot(second, second))
    return jnp.where(lengths > 0, _dot(first, second) / jnp.where(lengths > 0, lengths, 1), 0)


def project_conflicting(gradients: Sequence[Gradient]) -> Gradient:
    """PCGrad: the sum of the tasks' gradients, each first rid of what works against another.

    Where g_i · g_j < 0, the part of g_i that points against g_j is taken off: g_i ← g_i − (g_i · g_j / |g_j|²) g_j. For two
    tasks, a small step along the result then undoes the progress of neither.

    Args:
      gradients: one tree for each task, all of one structure. Of more than two, the others are gone through in their order
        (the paper shuffles them).

    Raises:
      ValueError: if there are none, or the trees differ in structure.

    Reference: Yu et al. 2020, "Gradient Surgery for Multi-Task Learning", algorithm 1.
    """
    if not gradients:
        raise ValueError("project_conflicting expects the gradient of at least one task, got none.")
    _require_alike("project_conflicting", gradients)
    projected = []
    for i, gradient in enumerate(gradients):
        for j, other in enumerate(gradients):
            if i != j:
                # Against the other task's own gradient, not against what is left of it.
                against = jnp.minimum(_dot(gradient, other), 0)
                length = _dot(other, other)
                share = jnp.where(length > 0, against / jnp.where(length > 0, length, 1), 0)
                gradient = jax.tree.map(lambda g, o, share=share: g - share * o, gradient, other)
        projected.append(gradient)
    return jax.tree.map(lambda *parts: sum(parts), *projected)


def uncertainty_weighted(losses: Float[Array, " tasks"], log_variances: Float[Array, " tasks"]) -> Float[Array, ""]:
    """Σ exp(−s) L + s / 2: losses weighed by how noisy each task seems, with a price on calling a task noisy.

    s = log σ² is learned with the network, one number for each task. For a fixed loss the best is s = log 2L: a task with a
    large loss gets a small weight, and no weight has to be tuned.

    Args:
      losses: L, a mean cross-entropy for each task.
      log_variances: s.

    Raises:
      ValueError: if there are not as many of both.

    Reference: Kendall, Gal and Cipolla 2018, "Multi-Task Learning Using Uncertainty to Weigh Losses", eq. 10.
    """
    if losses.shape != log_variances.shape:
        raise ValueError(
            f"uncertainty_weighted expects a log variance for each loss, got {losses.shape} and {log_variances.shape}."
        )
    return (jnp.exp(-log_variances) * losses + log_variances / 2).sum()


class SharedBody(nnx.Module):
    """Hard parameter sharing: the features of one network, and a linear head of its own for each task.

    Args:
      body: a classifier whose `features` all tasks share; its own head is not used.
      width: how many features it gives.
      classes: how many classes each task has, in the order of the tasks.
      rngs: where the heads come from.

    Attributes:
      log_variances: s of `uncertainty_weighted`, one for each task, 0 to begin with.

    Raises:
      ValueError: if there are no tasks.

    Reference: Caruana 1997, "Multitask Learning".
    """

    def __init__(self, body: Classifier, width: int, classes: Sequence[int], *, rngs: nnx.Rngs):
        if not classes:
            raise ValueError("SharedBody expects the classes of at least one task, got none.")
        self.body = body
        self.heads = List([Linear(width, count, rngs=rngs) for count in classes])
        self.log_variances = nnx.Param(jnp.zeros(len(classes)))

    def __call__(self, x: Float[Array, "*batch inputs"], task: int) -> Float[Array, "*batch classes"]:
        """Scores for one task, by its number."""
        return self.heads[task](self.body.features(x))


@dataclass(frozen=True)
class TaskBatches:
    """Batches of several tasks side by side, as `fit` and `MultitaskLoss` need them: `image_0`, `label_0`, `image_1`, …

    Each task keeps its own order and its own size of batches.
    """

    tasks: tuple[Batches, ...]

    def from_step(self, step: int) -> "TaskBatches":
        """The same batches, beginning at a step."""
        return replace(self, tasks=tuple(batches.from_step(step) for batches in self.tasks))

    @property
    def settings(self) -> dict[str, object]:
        """What decides the batches, for the checkpoints of `nn.training.fit`."""
        return {f"task_{task}": batches.settings for task, batches in enumerate(self.tasks)}

    def __iter__(self) -> Iterator[dict[str, np.ndarray]]:
        for parts in zip(*self.tasks, strict=False):
            yield {f"{name}_{task}": array for task, part in enumerate(parts) for name, array in part.items()}


@dataclass(frozen=True, kw_only=True)
class MultitaskLoss:
    """A loss for `fit` on `TaskBatches`: `image_0`, `label_0`, `image_1`, …, a pair for each task of a `SharedBody`.

    It records `loss_0`, `loss_1`, … and `cosine`, that of the first and the last task's gradients, where it knows them.

    Args:
      tasks: how many.
      weighting: "sum" adds the tasks' losses; "uncertainty" weighs them by what the network learns of their noise; "pcgrad"
        adds them and rids each gradient of what works against another.
      one_head: whether all tasks share the first head, too: for tasks whose classes are said to be the same.

    Raises:
      ValueError: for fewer than one task or another weighting.
    """

    tasks: int = 2
    weighting: str = "sum"
    one_head: bool = False

    def __post_init__(self):
        if self.tasks < 1 or self.weighting not in ("sum", "uncertainty", "pcgrad"):
            raise ValueError(f'MultitaskLoss expects tasks and weighting "sum", "uncertainty" or "pcgrad", got {self}.')

    def __call__(self, model: SharedBody, batch: Mapping[str, Any]) -> tuple[Float[Array, ""], dict[str, Float[Array, ""]]]:
        if self.weighting == "pcgrad":
            total, losses, cosine = self._projected(model, batch)
            return total, {**_named(losses), "cosine": cosine}
        losses = [self.of_task(model, batch, task) for task in range(self.tasks)]
        if self.weighting == "uncertainty":
            return uncertainty_weighted(jnp.stack(losses), model.log_variances[...]), _named(losses)
        return jnp.stack(losses).sum(), _named(losses)

    def of_task(self, model: SharedBody, batch: Mapping[str, Any], task: int) -> Float[Array, ""]:
        """The loss of one task alone."""
        labelled = {"image": batch[f"image_{task}"], "label": batch[f"label_{task}"]}
        return classification_loss(lambda images: model(images, 0 if self.one_head else task), labelled)[0]

    def _projected(self, model, batch):
        """A number whose value is the sum of the losses and whose gradient is PCGrad's."""
        graph, parameters, rest = nnx.split(model, nnx.Param, ...)
        fixed = jax.lax.stop_gradient(parameters)

        def loss(parameters, task):
            return self.of_task(nnx.merge(graph, parameters, rest, copy=True), batch, task)

        losses, gradients = zip(*(jax.value_and_grad(loss)(fixed, task) for task in range(self.tasks)), strict=True)
        wanted = jax.lax.stop_gradient(project_conflicting(gradients))
        # `fit` takes the gradient of what comes back: of Σ g · w that is g, whatever w is.
        along = _dot(wanted, parameters)
        cosine = gradient_cosine(gradients[0], gradients[-1])
        return jnp.stack(losses).sum() + along - jax.lax.stop_gradient(along), losses, cosine


def _named(losses):
    return {f"loss_{task}": loss for task, loss in enumerate(losses)}


def _dot(first: Gradient, second: Gradient) -> Float[Array, ""]:
    products = [(one * other).sum() for one, other in zip(jax.tree.leaves(first), jax.tree.leaves(second), strict=True)]
    return jnp.stack(products).sum()


def _require_alike(function: str, gradients: Sequence[Gradient]) -> None:
    structures = [jax.tree.structure(gradient) for gradient in gradients]
    if any(structure != structures[0] for structure in structures):
        raise ValueError(f"{function} expects gradients of the same parameters, got {structures}.")
