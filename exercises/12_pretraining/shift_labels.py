"""Exercise: a source that teaches the wrong thing, made on purpose."""

import numpy as np
from jaxtyping import Int


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
    raise NotImplementedError("TODO: which label comes after the last, and who decides which labels are moved?")
