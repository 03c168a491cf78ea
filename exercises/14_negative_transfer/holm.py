"""Exercise: who asks many questions is fooled by one of them. How small must each p-value be then?"""

from collections.abc import Sequence


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values so that the chance of even one false alarm among them all stays at the level (Holm 1979).

    The k-th smallest of m is multiplied by m − k + 1, then made no smaller than those before it, and at most 1.

    Raises:
      ValueError: for a p-value outside [0, 1].
    """
    raise NotImplementedError("TODO: once the smallest of m has passed, how many are left that could still fool you?")
