"""From recorded numbers to outcomes: for every setting and method its accuracy, its paired difference and its verdict.

Why a step of its own: the table, the figures, the page and the JSON all show this one list, so they cannot disagree.
"""

from dataclasses import dataclass, replace

from transfer.report.results import Method, Results, Setting
from transfer.report.statistics import LEVEL, Comparison, Interval, holm, mean_interval, paired_difference


@dataclass(frozen=True)
class Outcome:
    """One row of a report.

    comparison, reference and p_holm are None for the baseline. p_holm is the p-value adjusted for all comparisons of
    the report; the interval in `comparison` is not adjusted.
    """

    setting: Setting
    method: Method
    accuracy: Interval
    reference: str | None = None
    comparison: Comparison | None = None
    p_holm: float | None = None

    @property
    def fragile(self) -> bool:
        """A verdict that the comparison has alone, and loses once all comparisons of the report are counted."""
        return (
            self.comparison is not None
            and self.p_holm is not None
            and self.comparison.verdict != "inconclusive"
            and self.p_holm >= 1 - LEVEL
        )


def outcomes(results: Results) -> list[Outcome]:
    """Rows by setting, then by method, both in the order of the plan, from the seeds that finished.

    Raises:
      ValueError: where no seed finished.
    """
    if not results.finished:
        raise ValueError(f"A report expects at least one finished seed, got none of the {len(results.seeds)} asked for.")
    rows = []
    for setting in results.settings:
        for method in results.methods:
            values, reference = results.accuracies(method.name, setting), results.reference_of(method)
            row = Outcome(setting, method, mean_interval(list(values.values())), reference)
            if reference is not None:
                names = (f"{method.name!r}", f"{reference!r}")
                comparison = paired_difference(values, results.accuracies(reference, setting), names=names)
                row = replace(row, comparison=comparison)
            rows.append(row)
    adjusted = iter(holm([row.comparison.p_value for row in rows if row.comparison]))
    return [replace(row, p_holm=next(adjusted)) if row.comparison else row for row in rows]
