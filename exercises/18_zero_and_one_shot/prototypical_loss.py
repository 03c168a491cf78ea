"""Exercise: the loss that trains features for nearest prototypes."""

import jax  # noqa: F401 (for your answer)
import jax.numpy as jnp  # noqa: F401 (for your answer)
from jaxtyping import Array, Float, Int


def prototypical_loss(
    support_features: Float[Array, "support width"],
    support_labels: Int[Array, " support"],
    query_features: Float[Array, "queries width"],
    query_labels: Int[Array, " queries"],
    classes: int,
) -> Float[Array, ""]:
    """How surprised, in nats a query, the nearest prototype is by the right answers; for training the features.

    The prototypes are the classes' means in the support set alone. Minus the squared distances to them are the scores of a
    query, and the loss is the mean cross-entropy of its softmax.

    Args:
      support_features: of the examples that may be learned from.
      support_labels: from 0 to classes − 1, each at least once; a class without an example gives NaN.
      query_features: of the examples asked about.
      query_labels: from 0 to classes − 1.
      classes: how many there are in the task.

    Raises:
      ValueError: if there is not one label for each row of features, or the two sets differ in width.

    Reference: Snell, Swersky and Zemel 2017, "Prototypical Networks for Few-shot Learning", eq. 2 and algorithm 1.
    """
    raise NotImplementedError(
        "TODO: which of the four arrays may a prototype be made of, if the queries are to be an honest test?"
    )
