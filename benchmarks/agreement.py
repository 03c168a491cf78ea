"""Whether two libraries compute the same thing: the outputs, the losses, and, by way of a step, the gradients.

A step of plain gradient descent moves each weight by its gradient, and the outputs afterwards depend on all of them. So the
libraries are compared by what each can be asked, outputs and losses, and nobody has to name gradients in six ways.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from benchmarks.optimizers import Optimizer
from benchmarks.weights import Weights
from benchmarks.workload import BFLOAT16, Workload

STEPS = 2
TOLERANCE = 1e-3
"""Of the largest difference, on the scale of what it is a difference of: rounding in float32 stays well below."""

HALF_TOLERANCE = 0.1
"""The same for bfloat16, which keeps two to three digits, and not all of those through a network and its gradient."""


class Answers(NamedTuple):
    """What a network said.

    Attributes:
      before: the outputs with the weights that all have in common.
      losses: of each step of gradient descent.
      after: the outputs behind these steps.
    """

    before: np.ndarray
    losses: np.ndarray
    after: np.ndarray


class Agreement(NamedTuple):
    """The largest difference between two libraries in each of the three, as a share.

    Attributes:
      outputs: of the largest output.
      losses: of the loss.
      change: of the largest change of an output by the steps. Here a wrong gradient would show.
    """

    outputs: float
    losses: float
    change: float


def answers(workload: Workload, library: str, weights: Weights, *, faster: float = 1.0) -> Answers:
    """Asks a library's network, takes the steps (`faster` times as large as the workload's own), and asks again."""
    program = workload.program(library, Optimizer("sgd", faster * workload.descent), weights)
    inputs = workload.inputs()
    before = np.array(program.infer(inputs), np.float64)
    losses = np.array([program.train(1) for _ in range(STEPS)], np.float64)
    return Answers(before, losses, np.array(program.infer(inputs), np.float64))


def agreement(ours: Answers, theirs: Answers) -> Agreement:
    """How far two libraries are apart."""
    if ours.before.shape != theirs.before.shape:
        raise ValueError(f"Both should give outputs of one shape, got {ours.before.shape} and {theirs.before.shape}.")
    moved = np.abs(ours.after - ours.before).max()
    return Agreement(
        outputs=float(np.abs(theirs.before - ours.before).max() / np.abs(ours.before).max()),
        losses=float(np.abs(theirs.losses / ours.losses - 1).max()),
        change=float(np.abs((theirs.after - theirs.before) - (ours.after - ours.before)).max() / moved),
    )


def require_agreement(name: str, found: Mapping[str, Agreement]) -> None:
    """Raises a ValueError that names each library that does not compute what ours does."""
    wrong = []
    for library, parts in found.items():
        limit = HALF_TOLERANCE if library.endswith(BFLOAT16) else TOLERANCE
        if not all(part <= limit for part in parts):  # so that what is not a number is wrong, too
            wrong.append(f"{library}, to {limit:g} ({parts})")
    if wrong:
        raise ValueError(f"On {name} these do not compute what ours does: {'; '.join(wrong)}.")
