"""How the report puts numbers into words: percentages, differences in points, and the sentences above the table.

Why generated: a summary written by hand outlives the numbers it was written for.
"""

import math

from transfer.report.outcomes import Outcome, outcomes
from transfer.report.results import Results, Setting
from transfer.report.statistics import LEVEL, Comparison, Interval

MARKS = {"positive": "▲", "negative": "▼", "inconclusive": "·"}
FRAGILE = "†"


def accuracy_text(accuracy: Interval) -> str:
    """Per cent, with half the width of the interval: 54.2 ± 3.0."""
    spread = f" ± {100 * accuracy.half_width:.1f}" if math.isfinite(accuracy.half_width) else ""
    return f"{100 * accuracy.mean:.1f}{spread}"


def interval_text(comparison: Comparison) -> str:
    """The interval of a difference in points: [+20.1, +26.2]. One seed has none."""
    if not math.isfinite(comparison.low):
        return ""
    digits = _digits(comparison)
    return f"[{_signed(comparison.low, digits)}, {_signed(comparison.high, digits)}]"


def difference_text(comparison: Comparison) -> str:
    """A difference in points with its interval: +23.1 [+20.1, +26.2]."""
    return f"{_signed(comparison.mean, _digits(comparison))} {interval_text(comparison)}".rstrip()


def verdict_text(row: Outcome) -> str:
    """The verdict with its mark, and a dagger where it does not outlive Holm's adjustment."""
    if row.comparison is None:
        return ""
    verdict = row.comparison.verdict
    return f"{MARKS[verdict]} {verdict}" + (f" {FRAGILE}" if row.fragile else "")


def setting_text(results: Results, setting: Setting) -> str:
    """A setting as a phrase: 1 example per class, 5 examples per class; a word stands for itself."""
    if isinstance(setting, str):
        return setting
    first, _, rest = results.setting_name.partition(" ")
    singular = first.removesuffix("s") if setting == 1 else first
    return f"{setting} {singular} {rest}".strip()


def summary(results: Results) -> str:
    """The outcome in one to three sentences, made from the numbers alone; controls are left to the table.

    Only a difference whose interval leaves zero out is named. The largest gain and the largest loss are named as such,
    since the largest of many is partly luck.
    """
    compared = [(row, row.comparison) for row in outcomes(results) if row.comparison and row.method.kind == "method"]
    if not compared:
        return "No method was compared with another."
    by_verdict = {name: [pair for pair in compared if pair[1].verdict == name] for name in MARKS}
    claims = []
    if gains := by_verdict["positive"]:
        claims.append(("gain", _claim(results, *max(gains, key=lambda pair: pair[1].mean))))
    if losses := by_verdict["negative"]:
        claims.append(("loss", _claim(results, *min(losses, key=lambda pair: pair[1].mean))))
    if not claims:
        subject = f"None of the {len(compared)} comparisons is" if len(compared) > 1 else "The comparison is not"
        return f"{subject} conclusive{': one seed shows no spread' if len(results.finished) == 1 else ''}."
    if len(compared) == 1:
        return f"W{claims[0][1][1:]}."
    counts = ", ".join(f"{len(pairs)} {name}{_fragile_text(pairs)}" for name, pairs in by_verdict.items())
    sentences = [f"The largest {noun}: {claim}." for noun, claim in claims]
    return " ".join([*sentences, f"Of {len(compared)} comparisons between methods: {counts}."])


def partial_notice(results: Results) -> str:
    """What to say first where seeds are missing; empty where all finished."""
    if not results.partial:
        return ""
    return f"Partial: {len(results.finished)} of {len(results.seeds)} seeds finished; only these are counted."


def caption(results: Results) -> str:
    """What the numbers of a table are, and how many chances there were to be fooled."""
    rows = outcomes(results)
    compared, seeds = sum(row.comparison is not None for row in rows), len(results.finished)
    if seeds == 1:
        text = "Accuracy in % and Δ in points, both of one seed, which shows no spread."
    else:
        text = (
            f"Accuracy in %, mean ± half the {LEVEL:.0%} t-interval over {seeds} seeds; Δ in points, paired by seed. "
            f"{_count(compared, 'comparison')}; each interval is {LEVEL:.0%} for itself, not adjusted for the rest."
        )
    if controls := [method.name for method in results.methods if method.kind == "control"]:
        text += f" Controls: {'; '.join(controls)}."
    if any(row.fragile for row in rows):
        text += f" {FRAGILE} inconclusive after Holm's adjustment for all of them."
    elif any(row.comparison and row.comparison.verdict != "inconclusive" for row in rows):
        text += " Every verdict stands after Holm's adjustment for all of them."
    return text


def _claim(results: Results, row: Outcome, comparison: Comparison) -> str:
    gained, digits = comparison.mean > 0, _digits(comparison)
    low, high = sorted((100 * abs(comparison.low), 100 * abs(comparison.high)))
    return (
        f"with {setting_text(results, row.setting)}, {row.method.name} {'gained' if gained else 'lost'} "
        f"{100 * abs(comparison.mean):.{digits}f} points {'over' if gained else 'against'} {row.reference} "
        f"[{low:.{digits}f}, {high:.{digits}f}], "
        f"{comparison.wins if gained else comparison.losses} of {comparison.n} seeds"
        f"{', though not after adjustment for all comparisons' if row.fragile else ''}"
    )


def _fragile_text(pairs: list[tuple[Outcome, Comparison]]) -> str:
    fragile = sum(row.fragile for row, _ in pairs)
    return f" ({'all' if fragile == len(pairs) else fragile} {FRAGILE})" if fragile else ""


def _digits(comparison: Comparison) -> int:
    """One decimal, or as many as it takes to see that a conclusive interval stays clear of zero (at most three)."""
    if comparison.verdict == "inconclusive":
        return 1
    nearest = 100 * min(abs(comparison.low), abs(comparison.high))
    return next((digits for digits in (1, 2) if round(nearest, digits) > 0), 3)


def _signed(share: float, digits: int = 1) -> str:
    """Points with a sign, and a true minus; zero has neither."""
    text = f"{100 * share:+.{digits}f}"
    return text[1:] if float(text) == 0 else text.replace("-", "−")


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"
