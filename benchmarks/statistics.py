"""What rounds say: medians, and for a ratio the interval that holds its median, at 95%, in the rounds of one run.

Other processes, compiled anew, may lie elsewhere in memory and be a little slower or quicker: of that one run knows nothing.

Times have a tail on one side, from whatever else the machine does, so nothing here takes a mean.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import binom

LEVEL = 0.95


class Ratio(NamedTuple):
    """A median and its interval; without one, there were too few rounds to say."""

    median: float
    low: float | None
    high: float | None


def median_interval(values: Sequence[float] | np.ndarray) -> Ratio:
    """The median of independent values, and the interval between two of them that holds the true median, at least at 95%.

    Whatever their distribution, the number of values below the true median is binomial. Six values are the fewest that are
    enough: the least and the largest of five are on one side of it in 1 of 16 cases.

    Raises:
      ValueError: if there are none.
    """
    if not len(values):
        raise ValueError("median_interval expects at least one value, got none.")
    ordered, count = np.sort(np.asarray(values, np.float64)), len(values)
    median = float(np.median(ordered))
    outside = int(binom.ppf((1 - LEVEL) / 2, count, 0.5))  # so many may lie beyond each end
    if outside < 1:
        return Ratio(median, None, None)
    return Ratio(median, float(ordered[outside - 1]), float(ordered[count - outside]))


def clock(cores: int) -> str:
    """Which of the two times counts: on one core the processor's own, which nothing beside it can stretch; else the clock's."""
    return "cpu" if cores == 1 else "wall"


def seconds(run: dict[str, Any], library: str, kind: str) -> np.ndarray:
    """Of each round, the seconds that a step of `kind` ("train" or "infer") took."""
    return np.array([round_[clock(run["cores"])] for round_ in run["libraries"][library][kind]])


def ratio(run: dict[str, Any], library: str, kind: str, to: str) -> Ratio:
    """How many times as long as another library it takes, round by round."""
    return median_interval(seconds(run, library, kind) / seconds(run, to, kind))


def floor(run: dict[str, Any]) -> float:
    """Operations a second of the quickest library at a large product of matrices, in the same rounds."""
    name, work = clock(run["cores"]), run["floor"]["operations"]
    return max(work / float(np.median([one[name] for one in rounds])) for rounds in run["floor"]["products"].values())


def share_of_floor(run: dict[str, Any], library: str, kind: str) -> float:
    """The rate at which it does the work of a step's matrix products, as a share of that floor."""
    return run["operations"][kind] / float(np.median(seconds(run, library, kind))) / floor(run)


def memory(run: dict[str, Any], library: str) -> float | None:
    """Bytes that the process had at most while it was timed, beyond what it had when its library was imported."""
    record = run["libraries"][library]
    return None if record["peak"] is None else record["peak"] - record["before"]
