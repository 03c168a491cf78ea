"""Negative transfer: a source that makes the target worse than no source at all.

Here are the means to plant it, so that it can be seen with its cause known: training on a source and a target together
through one head, with the source's labels right or shifted. Wang et al. 2019, "Characterizing and Avoiding Negative
Transfer", perturb the labels of a source in the same way (section 5).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Int

from nn.data import Batches


def shift_labels(
    labels: Int[np.ndarray, " examples"], classes: int, *, share: float = 1.0, seed: int = 0
) -> Int[np.ndarray, " examples"]:
    """Labels of which a random share is moved to the next class, the last class's to the first.

    The images stay as they are: only the meaning of the source differs from the target's, a *conditional shift*.

    Args:
      labels: from 0 to classes − 1.
      classes: how many classes there are.
      share: how many to move, from 0 to 1.
      seed: decides which.

    Raises:
      ValueError: if share is not between 0 and 1, or a label is outside the classes.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"shift_labels expects a share between 0 and 1, got {share}.")
    if len(labels) and not set(np.unique(labels)) <= set(range(classes)):
        raise ValueError(f"shift_labels expects labels from 0 to {classes - 1}, got {labels.min()} to {labels.max()}.")
    moved = np.random.default_rng(seed).random(len(labels)) < share
    return np.where(moved, (labels + 1) % classes, labels)


@dataclass(frozen=True)
class JointBatches:
    """Batches of two sets, one behind the other: what `nn.training.fit` needs to train on a source and a target together.

    Each of the two keeps its own order. Source and target count by the size of their batches: equal sizes, equal weight.
    """

    source: Batches
    target: Batches

    def from_step(self, step: int) -> "JointBatches":
        """The same batches, beginning at a step."""
        return replace(self, source=self.source.from_step(step), target=self.target.from_step(step))

    @property
    def settings(self) -> dict[str, object]:
        """What decides the batches, for the checkpoints of `nn.training.fit`."""
        return {"source": self.source.settings, "target": self.target.settings}

    def __iter__(self) -> Iterator[dict[str, np.ndarray]]:
        for source, target in zip(self.source, self.target, strict=False):
            yield {name: np.concatenate([source[name], target[name]]) for name in target}
