"""Exercise: sequences of any length in arrays of a few."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int


def pad_to_bucket(
    sequences: Sequence[Sequence[int] | np.ndarray], *, buckets: Sequence[int], fill: int = 0
) -> tuple[Int[np.ndarray, "batch bucket"], Int[np.ndarray, " batch"]]:
    """A batch of sequences as one array, as long as the smallest bucket that takes them all.

    A function of the result is compiled at most once for each bucket. Buckets that double, such as 16, 32, 64, make an array
    less than twice as long as its longest sequence needs.

    Args:
      sequences: of integers, such as tokens; each may have any length, 0 too, and any type of integer.
      buckets: the lengths that arrays may have, in any order.
      fill: what stands behind the end of a shorter sequence.

    Returns:
      The padded sequences and their lengths, int32 both.

    Raises:
      ValueError: if there are no sequences, a bucket is below 1, or the longest sequence fits none.
    """
    raise NotImplementedError(
        "TODO: which shapes may come out, whatever comes in, and which of them is the smallest that will do?"
    )
