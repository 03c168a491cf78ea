"""Sequences of any length in arrays of a few: a jitted function is compiled anew for each shape that it meets.

By NumPy, on the host: padding by a jitted function would compile for each length what it is there to avoid.
"""

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
    longest = max(map(len, sequences), default=None)
    if longest is None or min(buckets, default=0) < 1 or longest > max(buckets):
        raise ValueError(
            f"pad_to_bucket expects sequences, and a bucket of at least 1 for the longest, got {len(sequences)} sequences, "
            f"the longest of {longest or 0}, and buckets {tuple(buckets)}."
        )
    bucket = min(length for length in buckets if length >= longest)
    padded = np.full((len(sequences), bucket), fill, np.int32)
    for row, sequence in zip(padded, sequences, strict=True):
        row[: len(sequence)] = sequence
    return padded, np.array([len(sequence) for sequence in sequences], np.int32)
