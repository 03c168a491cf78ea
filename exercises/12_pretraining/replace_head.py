"""Exercise: keep what a network has learned to see, and let it answer another question.

The models of this course compute head(features(x)). `model.head` is a linear layer like `nnx.Linear`, with `in_features` and
`out_features`. `model.config` is a frozen dataclass that says what the model is made of; its `out_features` is the number of
classes, and has to be right in the copy, too: a checkpoint is built again from it.
"""

import dataclasses  # noqa: F401 (for your answer)
from typing import TypeVar

from flax import nnx

Network = TypeVar("Network", bound=nnx.Module)


def replace_head(model: Network, classes: int, *, rngs: nnx.Rngs) -> Network:
    """A copy of a model with a fresh linear head for another number of classes; the model itself is left as it is.

    Args:
      model: with `head`, a linear layer.
      classes: how many scores the new head gives.
      rngs: where the new weights come from. Use a key that the model was not made with: a head that begins as the old one
        began fits the old labels' order, and makes transfer look better or worse than it is.
    """
    raise NotImplementedError("TODO: what is new in the copy, what is as it was, and what may the two have in common?")
