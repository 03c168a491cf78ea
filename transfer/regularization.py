"""Staying near the start: fine-tuning that forgets no more of what was pretrained than the new task asks for."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from nn.models import Classifier
from nn.training import classification_loss
from transfer.freezing import matches
from transfer.parameters import dotted_keys


def l2_sp(alpha: float, *, beta: float = 0.0, head: str = "head") -> optax.GradientTransformation:
    """Pulls weights back to where they began: it adds the gradient of α/2 |w − w₀|² + β/2 |v|² to that of the loss.

    w are the pretrained weights and w₀ their values at the first step; v are those of the head, which began at random and is
    pulled to 0. Put it before an optimizer: `optax.chain(l2_sp(0.01), optax.adam(1e-3))`. (Ordinary weight decay pulls
    everything to 0, away from what was pretrained.)

    Args:
      alpha: how strongly to the start.
      beta: how strongly the head to 0.
      head: a pattern for the head, as for `trainable_filter`.

    Raises:
      ValueError: if alpha or beta is negative.

    Reference: Li, Grandvalet and Davoine 2018, "Explicit Inductive Bias for Transfer Learning with Convolutional Networks",
    eq. 3.
    """
    if not (alpha >= 0 and beta >= 0):
        raise ValueError(f"l2_sp expects alpha and beta of at least 0, got {alpha} and {beta}.")

    def init(params):
        # A copy: `fit` gives the memory of the parameters away at each step.
        return jax.tree.map(jnp.copy, params)

    def update(updates, state, params=None):
        if params is None:
            raise ValueError(
                "l2_sp expects the parameters as well as the gradients: optimizer.update(gradients, state, parameters)."
            )

        def pulled(path, gradient, weight, began):
            return gradient + (beta * weight if matches(dotted_keys(path), head) else alpha * (weight - began))

        return jax.tree_util.tree_map_with_path(pulled, updates, params, state), state

    return optax.GradientTransformation(init, update)


def smallest_singular_values(features: Float[Array, "batch width"], count: int) -> Float[Array, " count"]:
    """The smallest singular values of a batch of features, in falling order: the directions in which it hardly differs.

    Raises:
      ValueError: if count is not from 1 to the smaller side of the batch.
    """
    if not 1 <= count <= min(features.shape):
        raise ValueError(f"smallest_singular_values expects a count from 1 to {min(features.shape)}, got {count}.")
    return jnp.linalg.svd(features, compute_uv=False)[-count:]


@dataclass(frozen=True, kw_only=True)
class BatchSpectralShrinkage:
    """A loss for `fit`: the classification loss, and η times the squares of the smallest singular values of the features.

    Directions of small singular value are those that transfer worst between tasks; to shrink them leaves untransferable
    features behind.

    Args:
      eta: η, how much it counts.
      count: how many of the smallest.

    Raises:
      ValueError: if eta is negative or count below 1; from a call, if the batch has fewer singular values.

    Reference: Chen et al. 2019, "Catastrophic Forgetting Meets Negative Transfer", eq. 4 and 5.
    """

    eta: float = 1e-3
    count: int = 1

    def __post_init__(self):
        if not self.eta >= 0 or self.count < 1:
            raise ValueError(f"BatchSpectralShrinkage expects eta of at least 0 and count of at least 1, got {self}.")

    def __call__(self, model: Classifier, batch: Mapping[str, Any]) -> tuple[Float[Array, ""], dict[str, Array]]:
        features: list[Array] = []

        def classify(images):  # one pass: dropout draws once
            features.append(model.features(images))
            return model.head(features[0])

        value, scalars = classification_loss(classify, batch)
        shrinkage = (smallest_singular_values(features[0], self.count) ** 2).sum()
        return value + self.eta * shrinkage, {**scalars, "shrinkage": shrinkage}
