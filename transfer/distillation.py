"""Distillation: a small network learns what a large one says of each example, and that is more than which class is right.

A picture of a 3 that looks a little like an 8 gets 0.9 and 0.1 from the teacher, and the student learns both.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from nn.training import accuracy, classification_loss


def distillation_loss(
    student_logits: Float[Array, "*batch classes"], teacher_logits: Float[Array, "*batch classes"], *, temperature: float
) -> Float[Array, "*batch"]:
    """T² · KL(p ‖ q) in nats, where p and q are the softmax of the teacher's and the student's scores divided by T.

    A temperature above 1 shows what the teacher thinks of the wrong classes. The factor T² keeps the gradient's size, which
    the division makes smaller by as much. No gradient reaches the teacher.

    Args:
      student_logits: scores of the network that learns.
      teacher_logits: scores of the one that it learns from.
      temperature: T.

    Returns:
      A value for each example, 0 where both say the same.

    Raises:
      ValueError: if the shapes differ, or the temperature is not above 0.

    Reference: Hinton, Vinyals and Dean 2015, "Distilling the Knowledge in a Neural Network", eq. 1 and section 2.
    """
    if student_logits.shape != teacher_logits.shape:
        raise ValueError(
            f"distillation_loss expects scores of one shape, got {student_logits.shape} and {teacher_logits.shape}."
        )
    if not temperature > 0:
        raise ValueError(f"distillation_loss expects a temperature above 0, got {temperature}.")
    log_p = jax.nn.log_softmax(jax.lax.stop_gradient(teacher_logits) / temperature)
    log_q = jax.nn.log_softmax(student_logits / temperature)
    return temperature**2 * (jnp.exp(log_p) * (log_p - log_q)).sum(-1)


@dataclass(frozen=True, kw_only=True)
class Distillation:
    """A loss for `fit` on batches of `image`, `label` and `teacher_logits`: the label's and the teacher's, weighed.

    (1 − weight) · cross-entropy + weight · distillation.

    Args:
      temperature: T of `distillation_loss`.
      weight: how much the teacher counts, from 0 to 1; 1 uses no labels, and needs none in the batch.

    Raises:
      ValueError: if weight is not from 0 to 1.
    """

    temperature: float = 2.0
    weight: float = 0.5

    def __post_init__(self):
        if not 0 <= self.weight <= 1:
            raise ValueError(f"Distillation expects a weight from 0 to 1, got {self.weight}.")

    def __call__(
        self, model: Callable[..., Any], batch: Mapping[str, Any]
    ) -> tuple[Float[Array, ""], dict[str, Float[Array, ""]]]:
        logits = model(batch["image"])
        taught = distillation_loss(logits, batch["teacher_logits"], temperature=self.temperature).mean()
        if self.weight == 1:
            return taught, {"agreement": accuracy(logits, batch["teacher_logits"].argmax(-1)).mean()}
        told, scalars = classification_loss(lambda _: logits, batch)
        return (1 - self.weight) * told + self.weight * taught, scalars
