"""The lines that a report on your own data begins with: does it help, how sure, which method, and is it the source?

Made from the numbers alone. Holm's adjustment is made for every difference of the table and of these lines together: whoever
looks at twenty differences finds one by chance.
"""

import math
import textwrap
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from transfer.report import Comparison, Results, holm, paired_difference
from transfer.report.results import Setting
from transfer.report.statistics import LEVEL
from transfer.report.wording import difference_text, setting_text

COLUMNS = 80  # of a terminal; a page of HTML has them, too
SCORES = ("trial", "LogME", "H-score", "LEEP")


@dataclass(frozen=True)
class Arm:
    """A method of a report, and what it is made of.

    Attributes:
      name: of the method.
      way: of transfer, such as "linear probe"; or what kind of control it is.
      source: what its network has learned first; None for nothing.
      control: the method that does the same without what the source teaches; None for controls.
    """

    name: str
    way: str
    source: str | None = None
    control: str | None = None


@dataclass(frozen=True)
class Finding:
    """A difference that a line is about, with its p-value after Holm's adjustment."""

    comparison: Comparison
    p: float

    @property
    def sign(self) -> int:
        """1 for a gain, -1 for a loss, 0 where these seeds cannot tell."""
        return int(np.sign(self.comparison.mean)) if self.p < 1 - LEVEL else 0

    def __str__(self) -> str:
        if self.comparison.n == 1:
            return difference_text(self.comparison)
        p = f"p\u00a0=\u00a0{self.p:.2g}" if self.p >= 0.001 else "p\u00a0<\u00a00.001"  # not to be broken at the end of a line
        seeds = self.comparison.losses if self.comparison.mean < 0 else self.comparison.wins  # those of the mean's sign
        lower = "lower in " if self.comparison.mean < 0 else ""
        return f"{difference_text(self.comparison)}, {lower}{seeds} of {self.comparison.n} seeds, {p}"


def answer(results: Results, arms: Sequence[Arm], warnings: Iterable[str] = ()) -> str:
    """The first lines of the report.

    Args:
      results: of finished seeds.
      arms: what its methods are made of.
      warnings: sentences that stand above the rest.
    """
    tried = [arm for arm in arms if arm.control]
    by_way, by_source = grouped(tried, lambda arm: arm.way), grouped(tried, lambda arm: arm.source)
    best = {n: max(tried, key=lambda arm: mean(results, [arm.name], n)) for n in results.settings}
    pairs: dict[Hashable, tuple[list[str], list[str], Setting]] = {}
    for n in results.settings:
        pairs |= {(n, arm.name): ([arm.name], [results.baseline], n) for arm in arms if arm.name != results.baseline}
        pairs[n, "control"] = ([best[n].name], [str(best[n].control)], n)
        for question, groups in (("method", by_way), ("source", by_source)):
            if len(groups) > 1:
                first, second = leaders(results, groups, n)
                pairs[n, question] = (groups[first], groups[second], n)
    found = adjusted(results, pairs)

    lines = [("Beware", warning) for warning in warnings]
    lines += [("Does it help?", helps(results, tried, found))]
    for n in results.settings:
        where, arm = f"With {setting_text(results, n)}", best[n]
        lines.append(("How sure?", f"{where}: {arm.name}, {found[n, arm.name]}."))
        for question, groups in (("method", by_way), ("source", by_source)):
            if len(groups) > 1:
                first, second = leaders(results, groups, n)
                ahead = "ahead of" if found[n, question].sign else "hard to tell from"
                lines.append((f"Which {question}?", f"{where}: {first}, {ahead} {second} ({found[n, question]})."))
        control = found[n, "control"]
        # No "perhaps" here: the arm is the best of several on the very seeds that judge it, and needs the adjustment.
        says = {1: "Yes", 0: "Not shown", -1: "No"}[control.sign]
        if control.sign > 0 and found[n, arm.name].sign < 0:
            says = "What it teaches helps, the whole does not"
        lines.append(("Is it the source?", f"{where}: {says}. {arm.name} minus {arm.control}: {control}."))
        for arm in tried:
            if found[n, arm.name].sign < 0:
                lines.append(("What does harm?", f"{where}: {arm.name}, {found[n, arm.name]}."))
    questions = dict.fromkeys(question for question, _ in lines)
    lines = [line for question in questions for line in lines if line[0] == question]
    judged = f"; p after Holm's adjustment for {len(found)} differences."
    if len(results.finished) == 1:
        judged = ". One seed shows no spread, so it cannot tell."
    lines.append(("", f"Points of accuracy over {results.baseline}{judged}"))
    asked: set[str] = set()
    paragraphs = []
    for question, text in lines:
        head = "" if question in asked else question
        asked.add(question)
        paragraphs.append(textwrap.fill(text, COLUMNS, initial_indent=f"{head:18}", subsequent_indent=18 * " "))
    return "\n".join(paragraphs)


def helps(results: Results, tried: Sequence[Arm], found: Mapping[Hashable, Finding]) -> str:
    """Whether some method is better than the baseline, for each number of examples."""
    answers: dict[str, list[Setting]] = {}
    for n in results.settings:
        of_methods = [found[n, arm.name] for arm in tried]
        if any(finding.sign > 0 for finding in of_methods):
            text = "Yes, with {}."
        elif any(finding.comparison.verdict == "positive" for finding in of_methods):
            text = "Perhaps, with {}: an interval is above 0, but Holm's adjustment takes it back. More seeds would tell."
        elif all(finding.sign < 0 for finding in of_methods):
            text = "No, it does harm with {}."
        else:
            text = "Not shown with {}."
        answers.setdefault(text, []).append(n)
    return " ".join(text.format(listed(results, settings)) for text, settings in answers.items())


def listed(results: Results, settings: Sequence[Setting]) -> str:
    """1 and 5 examples per class."""
    *others, last = settings
    return f"{', '.join(map(str, others))} and {setting_text(results, last)}" if others else setting_text(results, last)


def grouped(arms: Iterable[Arm], key) -> dict[str, list[str]]:
    """The names of the arms that have the same way, or the same source."""
    groups: dict[str, list[str]] = {}
    for arm in arms:
        groups.setdefault(key(arm), []).append(arm.name)
    return groups


def by_seed(results: Results, names: Sequence[str], setting: Setting) -> dict[int, float]:
    """The mean accuracy of some methods, by seed."""
    return {seed: float(np.mean([results.accuracies(name, setting)[seed] for name in names])) for seed in results.finished}


def mean(results: Results, names: Sequence[str], setting: Setting) -> float:
    """The mean accuracy of some methods."""
    return float(np.mean(list(by_seed(results, names, setting).values())))


def leaders(results: Results, groups: Mapping[str, list[str]], setting: Setting) -> list[str]:
    """The groups with the highest and the second highest mean accuracy."""
    return sorted(groups, key=lambda name: -mean(results, groups[name], setting))[:2]


def adjusted(results: Results, pairs: Mapping[Hashable, tuple[list[str], list[str], Setting]]) -> dict[Hashable, Finding]:
    """The paired difference of each pair, with its p-value after Holm's adjustment for all of them."""
    comparisons = {
        key: paired_difference(by_seed(results, first, n), by_seed(results, second, n))
        for key, (first, second, n) in pairs.items()
    }
    p_values = holm([comparison.p_value for comparison in comparisons.values()])
    return {key: Finding(comparison, p) for (key, comparison), p in zip(comparisons.items(), p_values, strict=True)}


def source_table(results: Results, arms: Sequence[Arm], known: Mapping[str, Mapping[int, Mapping[str, float | None]]]) -> str:
    """What was known of each source beforehand, and what came of it: means over the seeds, the best in the trial first.

    Args:
      results: of finished seeds.
      arms: what its methods are made of.
      known: source → seed → "own test", "LogME", "LEEP", and "trial" and "H-score", which may be None.
    """
    most = max(results.settings)
    outcome = {
        source: mean(results, [arm.name for arm in arms if arm.source == source and arm.control], most) for source in known
    }
    table = {
        source: {score: _mean([seeds[seed][score] for seed in results.finished]) for score in ("own test", *SCORES)}
        for source, seeds in known.items()
    }
    present = [score for score in SCORES if not any(math.isnan(row[score]) for row in table.values())]
    order = sorted(table, key=lambda source: -table[source][present[0]])
    cells = {source: {score: _cell(score, row[score]) for score in ("own test", *SCORES)} for source, row in table.items()}
    width = min(22, max(len("source"), *map(len, table)))  # so that a line has no more than COLUMNS
    lines = [f"{'source':{width}}  own test  trial   LogME  H-score    LEEP  after transfer"]
    for source in order:
        own, trial, log_me, h_score, leep = cells[source].values()
        numbers = f"{own:>8}  {trial:>5}  {log_me:>6}  {h_score:>7}  {leep:>6}  {_cell('after', outcome[source]):>14}"
        first, *rest = textwrap.wrap(source, width)
        lines += [f"{first:{width}}  {numbers}", *rest]
    n = int(most)
    held = max(1, n // 5)
    trial = f"Trial: a linear probe on {n - held} of the {n} labelled pictures of each class of the target, tested on the other"
    explained = (
        f"Own test: accuracy in % on the source's own test pictures. {f'{trial} {held}. ' if n > 1 else ''}LogME, H-score and "
        f"LEEP read the labelled pictures ({setting_text(results, most)}) and train nothing; larger is better. (The H-score "
        "needs more pictures than features.) After transfer: mean accuracy of the methods on the target's test pictures."
    )
    lines += ["", *textwrap.wrap(explained, COLUMNS)]
    if len(known) > 1:
        chosen: dict[str, list[str]] = {}
        for score in present:
            chosen.setdefault(_best({source: table[source][score] for source in order}, score), []).append(score)
        picked = "; ".join(f"{names} by {', '.join(scores)}" for names, scores in chosen.items())
        lines += textwrap.wrap(f"Chosen beforehand: {picked}. Best afterwards: {_best(outcome, 'after')}.", COLUMNS)
    return "\n".join(lines)


def _cell(score: str, value: float) -> str:
    """A number of the table of sources: accuracies in %, scores as they are."""
    if math.isnan(value):
        return "–"
    return f"{value:.2f}" if score in ("LogME", "H-score", "LEEP") else f"{100 * value:.1f}"


def _best(values: Mapping[str, float], score: str) -> str:
    """The source of the largest value; where several show the same number, all of them."""
    best = _cell(score, max(values.values()))
    names = [source for source, value in values.items() if _cell(score, value) == best]
    return f"{' and '.join(names)} alike" if len(names) > 1 else names[0]


def _mean(values: Sequence[float | None]) -> float:
    """The mean, or NaN where a value is missing."""
    return float(np.mean([math.nan if value is None else value for value in values]))
