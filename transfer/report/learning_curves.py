"""What a learning curve gains by transfer: where it begins, where it ends, the area below it, how soon it gets there.

One accuracy after training cannot tell a better end from an earlier one. Taylor and Stone 2009, "Transfer Learning for
Reinforcement Learning Domains: A Survey" (Journal of Machine Learning Research 10, section 2.1), give each its own number.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from transfer.report.statistics import LEVEL, holm, paired_difference
from transfer.report.wording import MARKS, difference_text

Curve = Sequence[float]
"""Accuracies, from 0 to 1, at the steps of evaluation."""


@dataclass(frozen=True)
class Gain:
    """One of the numbers, over the seeds.

    Attributes:
      name: what it is, and its unit.
      text: its mean with the interval; or, where a curve is censored, in how many seeds it came sooner.
      p_value: two-sided, of no difference.
      p_holm: the same, adjusted for all gains that are shown together.
      sign: 1 or -1 where p_holm is below 0.05 and the number above or below 0; else 0.
    """

    name: str
    text: str
    p_value: float
    sign: int
    p_holm: float = 1.0


def jumpstart(transfer: Curve, scratch: Curve) -> float:
    """How much higher the curve begins: the difference at the first evaluation, before any training on the target."""
    return transfer[0] - scratch[0]


def asymptotic_gain(transfer: Curve, scratch: Curve, *, last: int = 3) -> float:
    """How much higher the curve ends: the difference of the means of the last evaluations.

    Raises:
      ValueError: for fewer evaluations than `last`.
    """
    if not 1 <= last <= min(len(transfer), len(scratch)):
        raise ValueError(f"asymptotic_gain expects at least {last} evaluations, got {len(transfer)} and {len(scratch)}.")
    return float(np.mean(transfer[-last:]) - np.mean(scratch[-last:]))


def area_ratio(steps: Sequence[int], transfer: Curve, scratch: Curve) -> float:
    """How much more area is below the curve, as a share of the area below scratch's: (A_transfer − A_scratch) / A_scratch.

    Straight lines are drawn between evaluations. It depends on where the curve is cut off: compare curves of equal length.

    Raises:
      ValueError: for steps that do not increase, another number of accuracies, or a scratch that is never right.
    """
    if len(steps) < 2 or any(np.diff(steps) <= 0) or not len(steps) == len(transfer) == len(scratch):
        raise ValueError(
            f"area_ratio expects increasing steps and an accuracy at each, got steps {list(steps)} and "
            f"{len(transfer)} and {len(scratch)} accuracies."
        )
    area, of_scratch = (float(np.trapezoid(curve, steps)) for curve in (transfer, scratch))
    if of_scratch <= 0:
        raise ValueError("area_ratio expects some area below the curve of scratch, got none: it is never right.")
    return (area - of_scratch) / of_scratch


def time_to_threshold(steps: Sequence[int], curve: Curve, threshold: float) -> float:
    """The first evaluated step at which the curve reaches a threshold; infinity if it never does within these steps."""
    return next((float(step) for step, accuracy in zip(steps, curve, strict=True) if accuracy >= threshold), math.inf)


def curve_gains(
    steps: Sequence[int],
    transfer: Mapping[int, Curve],
    scratch: Mapping[int, Curve],
    *,
    threshold: float,
    last: int = 3,
    source: Mapping[int, tuple[float, float]] | None = None,
) -> tuple[Gain, ...]:
    """All gains of a method over scratch, paired by seed, with Holm's adjustment for all of them.

    Args:
      steps: when the curves were evaluated, the first before any training on the target.
      transfer, scratch: a curve for each seed.
      threshold: the accuracy to be reached. Fix it beforehand: chosen on these curves it flatters.
      last: how many evaluations count as the end.
      source: for each seed the accuracy on the source before and after: what is lost is forgotten. None to leave it out.

    Raises:
      ValueError: for seeds without a partner, and as the single numbers do.
    """
    seeds = sorted(transfer)
    if seeds != sorted(scratch) or (source is not None and seeds != sorted(source)):
        raise ValueError(f"curve_gains expects the same seeds everywhere, got {seeds} and {sorted(scratch)}.")
    gains = [
        _mean_gain("jumpstart, points", {s: jumpstart(transfer[s], scratch[s]) for s in seeds}),
        _mean_gain("asymptotic gain, points", {s: asymptotic_gain(transfer[s], scratch[s], last=last) for s in seeds}),
        _mean_gain("area ratio, %", {s: area_ratio(steps, transfer[s], scratch[s]) for s in seeds}),
        _sooner(steps, transfer, scratch, threshold),
    ]
    if source is not None:
        gains.append(_mean_gain("change on the source, points", {s: source[s][1] - source[s][0] for s in seeds}))
    p_values = holm([gain.p_value for gain in gains])
    return tuple(
        replace(gain, p_holm=p, sign=gain.sign if p < 1 - LEVEL else 0) for gain, p in zip(gains, p_values, strict=True)
    )


def gains_table(gains: Sequence[Gain]) -> str:
    """The gains as lines of text, for a section of a report."""
    wide, wider = (max(len(text) for text in column) for column in zip(*((g.name, g.text) for g in gains), strict=True))
    verdicts = {sign: f"{MARKS[name]} {name}" for sign, name in ((1, "positive"), (-1, "negative"), (0, "inconclusive"))}
    return "\n".join(f"{g.name:{wide}}  {g.text:{wider}}  {_p_text(g.p_holm)}  {verdicts[g.sign]}" for g in gains)


def _p_text(p: float) -> str:
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def _mean_gain(name: str, values: Mapping[int, float]) -> Gain:
    comparison = paired_difference(values, dict.fromkeys(values, 0.0))
    return Gain(name, difference_text(comparison), comparison.p_value, int(np.sign(comparison.mean)))


def _sooner(steps: Sequence[int], transfer: Mapping[int, Curve], scratch: Mapping[int, Curve], threshold: float) -> Gain:
    """How many times sooner the threshold is reached; where a curve never does, only in how many seeds it was sooner."""
    name = f"times sooner at {100 * threshold:g}%"
    mine, theirs = ({s: time_to_threshold(steps, curves[s], threshold) for s in curves} for curves in (transfer, scratch))
    censored = {"transfer": sum(map(math.isinf, mine.values())), "scratch": sum(map(math.isinf, theirs.values()))}
    never = [f"{who} never within {steps[-1]} steps in {count}" for who, count in censored.items() if count]
    if not never:
        # Step 0 has no logarithm: whoever is there at once needed one evaluation.
        first = steps[0] or steps[1]
        before, now = ({s: math.log2(max(t, first)) for s, t in times.items()} for times in (theirs, mine))
        c = paired_difference(before, now)
        return Gain(name, f"{2**c.mean:.2f} [{2**c.low:.2f}, {2**c.high:.2f}]", c.p_value, int(np.sign(c.mean)))
    sooner, later = sum(mine[s] < theirs[s] for s in mine), sum(mine[s] > theirs[s] for s in mine)
    p_value = float(stats.binomtest(sooner, sooner + later).pvalue) if sooner + later else 1.0
    text = f"sooner in {sooner}, later in {later} of {len(mine)} seeds; {'; '.join(never)}"
    return Gain(name, text, p_value, int(np.sign(sooner - later)))
