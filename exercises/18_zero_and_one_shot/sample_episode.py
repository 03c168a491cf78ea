"""Exercise: an episode, a small task drawn out of a large set."""

import numpy as np
from jaxtyping import Int


def sample_episode(
    labels: Int[np.ndarray, " examples"], *, ways: int, shots: int, queries: int, seed: int | np.random.Generator
) -> tuple[Int[np.ndarray, "ways shots"], Int[np.ndarray, "ways queries"]]:
    """A small task out of a large set: some classes at random, and of each some examples to learn from and others to ask about.

    Every class has the same chance, and so has every example of a class. No example is drawn twice.

    Args:
      labels: the class of each example of the set; any integers.
      ways: how many classes.
      shots: examples of each in the support set, which is learned from.
      queries: examples of each in the query set, which is asked about.
      seed: a number, or a generator that is to give another task each time.

    Returns:
      Places in `labels` of the support set and of the query set, one row a class: the row is the class's label in the task.

    Raises:
      ValueError: if one of the counts is below 1, or the set has fewer classes than `ways`, or a class of it, drawn or not, has
        fewer examples than `shots` and `queries` together.

    Reference: Vinyals et al. 2016, "Matching Networks for One Shot Learning", section 2.2.
    """
    raise NotImplementedError("TODO: if you draw the queries after the support set, what keeps an example from being in both?")
