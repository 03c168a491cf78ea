"""Means, paired differences and what may be said of them.

Why its own file: everything else in the report only repeats these numbers, so this is the page to distrust first.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

LEVEL = 0.95
Verdict = Literal["positive", "negative", "inconclusive"]

# Accuracies are shares of at most millions of examples, and come as float32: what is smaller than this is rounding.
ROUNDING = 2e-7


@dataclass(frozen=True)
class Interval:
    """A mean of n numbers with its confidence interval, in the unit of the numbers.

    With n = 1 the interval is (−∞, ∞): one number says nothing about spread.
    """

    mean: float
    low: float
    high: float
    n: int

    @property
    def half_width(self) -> float:
        return (self.high - self.low) / 2


@dataclass(frozen=True)
class Comparison:
    """A method against its reference, pair by pair; differences are method − reference, in the order of the seeds.

    mean, low and high are the mean difference and its interval; wins, ties and losses count seeds; p_value is that of
    the two-sided paired t-test, which is below 1 − level exactly when the interval leaves zero out.
    """

    mean: float
    low: float
    high: float
    wins: int
    ties: int
    losses: int
    n: int
    p_value: float
    differences: tuple[float, ...]

    @property
    def verdict(self) -> Verdict:
        return verdict(self.low, self.high)


def mean_interval(values: Sequence[float] | np.ndarray, level: float = LEVEL) -> Interval:
    """Mean and Student's t-interval: x̄ ± t₍n−1₎ · s / √n (Student 1908).

    Values that are all equal give an interval of no width; one value gives an interval without ends.

    Raises:
      ValueError: for no values, a value that is not finite, or a level outside (0, 1).
    """
    if not 0 < level < 1:
        raise ValueError(f"mean_interval expects a level between 0 and 1, got {level}.")
    if len(values) == 0:
        raise ValueError("mean_interval expects at least one value, got none.")
    x = np.asarray(values, dtype=np.float64)
    if not np.isfinite(x).all():
        raise ValueError(f"mean_interval expects finite values, got {list(values)}.")
    mean, n = float(x.mean()), len(x)
    if n == 1:
        return Interval(mean, -math.inf, math.inf, n)
    half_width = float(stats.t.ppf((1 + level) / 2, df=n - 1)) * _standard_error(x)
    return Interval(mean, mean - half_width, mean + half_width, n)


def paired_difference(
    values: Mapping[int, float],
    baseline: Mapping[int, float],
    level: float = LEVEL,
    *,
    names: tuple[str, str] = ("the method", "the baseline"),
) -> Comparison:
    """Compare two arms seed by seed, so that what a seed does to both arms (its split, its draw of labels) cancels.

    Args:
      values, baseline: a number for each seed. Pairs are made by seed, never by order.
      level: of the interval.
      names: what error messages call the two arms.

    Two cases have no spread to judge by, and both are inconclusive with p_value 1. One seed: the interval is (−∞, ∞).
    All differences equal: the interval has no width; so many equal differences usually mean that the seed never
    reached the run.

    Raises:
      ValueError: where a seed has no partner or a number is not finite, naming the seeds and the arm.
    """
    for name, arm in zip(names, (values, baseline), strict=True):
        if bad := sorted(seed for seed, value in arm.items() if not math.isfinite(value)):
            raise ValueError(f"paired_difference expects finite numbers, got {arm[bad[0]]} from {name} at seed {bad[0]}.")
    for name, without in zip(names, (baseline.keys() - values.keys(), values.keys() - baseline.keys()), strict=True):
        if without:
            raise ValueError(
                f"paired_difference expects the same seeds in both arms, got none from {name} for {sorted(without)}."
            )
    d = np.array([values[seed] - baseline[seed] for seed in sorted(values)])
    d[np.abs(d) < ROUNDING] = 0.0
    interval = mean_interval(d, level)
    error = _standard_error(d) if len(d) > 1 else math.inf
    return Comparison(
        mean=interval.mean,
        low=interval.low,
        high=interval.high,
        wins=int((d > 0).sum()),
        ties=int((d == 0).sum()),
        losses=int((d < 0).sum()),
        n=len(d),
        p_value=float(2 * stats.t.sf(abs(interval.mean) / error, df=len(d) - 1)) if 0 < error < math.inf else 1.0,
        differences=tuple(d.tolist()),
    )


def verdict(low: float, high: float) -> Verdict:
    """Name what an interval of differences supports.

    An interval that touches or crosses zero is inconclusive; so is one without width, or with an end that is NaN.
    """
    if 0 < low < high:
        return "positive"
    if low < high < 0:
        return "negative"
    return "inconclusive"


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values so that the chance of even one false alarm among them all stays at the level (Holm 1979).

    The k-th smallest of m is multiplied by m − k + 1, then made no smaller than those before it, and at most 1.

    Raises:
      ValueError: for a p-value outside [0, 1].
    """
    if any(not 0 <= p <= 1 for p in p_values):
        raise ValueError(f"holm expects p-values between 0 and 1, got {list(p_values)}.")
    adjusted, floor = [0.0] * len(p_values), 0.0
    for rank, i in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        floor = max(floor, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = floor
    return adjusted


def _standard_error(x: np.ndarray) -> float:
    """s / √n, with the rounding noise of equal numbers taken for the zero that it stands for."""
    spread = float(x.std(ddof=1))
    return spread / math.sqrt(len(x)) if spread > ROUNDING else 0.0
