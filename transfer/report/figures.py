"""The two pictures of a report: accuracy by setting, and paired differences against the line of no difference.

Why Figure objects and never pyplot: a report is drawn in a terminal, a notebook or a test without leaving a window, a
back end or an open figure behind.
"""

import math
import textwrap

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from scipy.optimize import isotonic_regression

from transfer.report.outcomes import Outcome, outcomes
from transfer.report.results import Method, Results, is_number
from transfer.report.statistics import LEVEL
from transfer.report.wording import difference_text, partial_notice, setting_text

INK, QUIET, RULE = "#222222", "#6b6b6b", "#d9d9d9"
# Okabe and Ito's palette, which stays apart for every common kind of colour vision; the yellow is too pale for lines.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
# Of the controls: duller, far from the methods' first three, and dark enough for their names.
CONTROL_PALETTE = ("#6b6b6b", "#8C6D31", "#9A4FC4")
METHOD_MARKERS, CONTROL_MARKERS = "osD^vP", "X<p>dh"
VERDICT_LOOKS = {  # colour, marker, its face: told apart by shape alone too
    "positive": ("#0072B2", "^", "#0072B2"),
    "negative": ("#D55E00", "v", "#D55E00"),
    "inconclusive": ("#8a8a8a", "o", "white"),
}
WIDTH = 8.0  # inches; at 110 pixels per inch that is a column of a page


def accuracy_figure(results: Results) -> Figure:
    """Accuracy of every method: means with their intervals, a small dot for each seed.

    Several settings give a line per method, over a logarithmic axis where the settings are positive numbers that span
    a factor of four or more. One setting gives a row per method. Controls are dashed, and their markers hollow.

    Raises:
      ValueError: where no seed finished.
    """
    rows = outcomes(results)
    return _accuracy_lines(results, rows) if len(results.settings) > 1 else _accuracy_rows(results, rows)


def difference_figure(results: Results) -> Figure:
    """A forest plot: each method's paired difference to its reference, with its interval, coloured by verdict.

    Raises:
      ValueError: where no seed finished, or nothing is compared.
    """
    rows = [row for row in outcomes(results) if row.comparison]
    if not rows:
        raise ValueError(f"difference_figure expects a method beside the baseline, got only {results.baseline!r}.")
    lines: list[Outcome | str] = []
    for setting in results.settings:
        if len(results.settings) > 1:
            lines.append(setting_text(results, setting))
        lines += [row for row in rows if row.setting == setting]
    one = len(results.finished) == 1
    subtitle = f"seed by seed (dots), its mean and {LEVEL:.0%} t-interval" if not one else "under one seed"
    subtitle = f"difference to {results.baseline} {subtitle}"
    figure, axes = _canvas(results, 1.1 + 0.32 * len(lines), subtitle)
    for y, line in enumerate(lines):
        if isinstance(line, Outcome):
            _draw_difference(axes, y, line)
        if y:
            axes.axhline(y - 0.5, color=QUIET if isinstance(line, str) else RULE, linewidth=0.5, zorder=0)
    axes.axvline(0, color=INK, linewidth=1, zorder=0)
    _label_rows(axes, [line if isinstance(line, str) else _name_with_reference(results, line) for line in lines])
    for line, label in zip(lines, axes.get_yticklabels(), strict=True):
        label.set_fontweight("bold" if isinstance(line, str) else "normal")
    _write_columns(axes, -0.8, ("points", "" if one else f"{LEVEL:.0%} interval", "wins"), QUIET)
    axes.set_xlabel("difference in accuracy, points (right of the line: better)")
    present = {row.comparison.verdict for row in rows if row.comparison}
    handles = [
        Line2D([], [], color=colour, marker=marker, markerfacecolor=face, label=name)
        for name, (colour, marker, face) in VERDICT_LOOKS.items()
        if name in present
    ]
    figure.legend(handles=handles, loc="outside lower right", ncols=3, frameon=False, fontsize=9)
    return figure


def _draw_difference(axes: Axes, y: float, row: Outcome) -> None:
    comparison = row.comparison
    assert comparison is not None
    colour, marker, face = VERDICT_LOOKS[comparison.verdict]
    points = 100 * np.array(comparison.differences)
    axes.plot(points, np.full(len(points), y + 0.27), ".", color=colour, alpha=0.45, markersize=5, markeredgewidth=0)
    if math.isfinite(comparison.low):
        axes.plot([100 * comparison.low, 100 * comparison.high], [y, y], color=colour, linewidth=2.2)
    axes.plot(100 * comparison.mean, y, marker, color=colour, markerfacecolor=face, markersize=7)
    mean, _, interval = difference_text(comparison).partition(" ")
    _write_columns(axes, y, (mean, interval, f"{comparison.wins}/{comparison.n}"), INK)


def _write_columns(axes: Axes, y: float, texts: tuple[str, str, str], colour: str) -> None:
    """Three right-aligned columns beside the axes, at the height of a row."""
    for text, right in zip(texts, (38, 118, 148), strict=True):
        axes.annotate(
            text, xy=(1, y), xycoords=axes.get_yaxis_transform(), xytext=(right, 0), textcoords="offset points",
            ha="right", va="center", fontsize=8.5, color=colour, parse_math=False, annotation_clip=False,
        )  # fmt: skip


def _accuracy_lines(results: Results, rows: list[Outcome]) -> Figure:
    figure, axes = _canvas(results, 4.2, _seeds_text(results, "dashed and hollow"))
    numeric = all(is_number(setting) for setting in results.settings)
    centres = np.array(results.settings if numeric else range(len(results.settings)), dtype=float)
    logarithmic = numeric and centres.min() > 0 and centres.max() >= 4 * centres.min()
    scale, unscale = (np.log10, lambda x: 10**x) if logarithmic else (np.asarray, np.asarray)
    gap = float(np.diff(np.sort(scale(centres))).min())
    step = min(0.1, 0.35 / len(results.methods)) * gap
    offsets = step * (np.arange(len(results.methods)) - (len(results.methods) - 1) / 2)
    if logarithmic:
        axes.set_xscale("log")
    ends = []
    for method, offset in zip(results.methods, offsets, strict=True):
        colour, line, marker, face = _look(results, method)
        mine = [row for row in rows if row.method == method]
        x, means = unscale(scale(centres) + offset), [100 * row.accuracy.mean for row in mine]
        order = np.argsort(centres)
        axes.plot(x[order], np.array(means)[order], line, color=colour, linewidth=1.4, alpha=0.7, zorder=2)
        for place, row in zip(x, mine, strict=True):
            seeds = 100 * np.array(list(results.accuracies(method.name, row.setting).values()))
            beside = np.full(len(seeds), unscale(scale(place) - 0.018 * gap))
            axes.plot(beside, seeds, ".", color=colour, alpha=0.4, markersize=5, markeredgewidth=0)
            _interval_bar(axes, [place, place], [100 * row.accuracy.low, 100 * row.accuracy.high], row, colour)
        axes.plot(x, means, marker, color=colour, markerfacecolor=face, markersize=6.5, zorder=4)
        ends.append((x[order[-1]], means[order[-1]], method.name, colour))
    axes.set_xticks(centres, [_wrapped(str(s), 16) for s in results.settings], fontsize=9, parse_math=False)
    axes.minorticks_off()
    axes.set_xlabel(results.setting_name + (" (log scale)" if logarithmic else ""), parse_math=False)
    axes.set_ylabel("accuracy, %")
    axes.grid(axis="y", color=RULE, linewidth=0.6)
    _label_ends(axes, ends)
    return figure


def _accuracy_rows(results: Results, rows: list[Outcome]) -> Figure:
    figure, axes = _canvas(results, 0.8 + 0.4 * len(rows), _seeds_text(results, "hollow"))
    for y, row in enumerate(rows):
        colour, _, marker, face = _look(results, row.method)
        seeds = 100 * np.array(list(results.accuracies(row.method.name, row.setting).values()))
        axes.plot(seeds, np.full(len(seeds), y + 0.24), ".", color=colour, alpha=0.45, markersize=6, markeredgewidth=0)
        _interval_bar(axes, [100 * row.accuracy.low, 100 * row.accuracy.high], [y, y], row, colour)
        axes.plot(100 * row.accuracy.mean, y, marker, color=colour, markerfacecolor=face, markersize=7, zorder=4)
    _label_rows(axes, [row.method.name for row in rows])
    axes.set_xlabel(f"accuracy, %, with {setting_text(results, results.settings[0])}", parse_math=False)
    axes.grid(axis="x", color=RULE, linewidth=0.6)
    return figure


def _canvas(results: Results, height: float, subtitle: str) -> tuple[Figure, Axes]:
    """A figure headed by the question and a quieter line below it, with one pair of axes that has no box around it."""
    title = _balanced(results.question, 76)
    below = textwrap.fill(". ".join(filter(None, (subtitle, partial_notice(results).partition(";")[0]))), 118)
    title_height, below_height = (0.19 * (1 + title.count("\n")), 0.165 * (1 + below.count("\n")))
    height += title_height + below_height
    figure = Figure(figsize=(WIDTH, height), dpi=110, layout="constrained", facecolor="white")
    # The layout makes room for the title alone, so empty lines in it keep the place of what stands below.
    figure.suptitle(
        title + "\n" * (1 + below.count("\n")), x=0.01, ha="left", fontsize=11.5, fontweight="bold", color=INK,
        parse_math=False,
    )  # fmt: skip
    figure.text(0.01, 1 - (0.09 + title_height) / height, below, va="top", fontsize=9, color=QUIET, parse_math=False)
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(QUIET)
    axes.tick_params(colors=QUIET, labelcolor=INK, labelsize=9)
    axes.xaxis.label.set(fontsize=9.5, color=INK)
    axes.yaxis.label.set(fontsize=9.5, color=INK)
    axes.set_axisbelow(True)
    return figure, axes


def _look(results: Results, method: Method) -> tuple[str, str, str, str]:
    """Colour, line style, marker and its face: the baseline black, controls dashed and hollow, each in a colour of its own."""
    if method.name == results.baseline:
        return INK, "-", "o", INK
    peers = [other for other in results.methods if other.kind == method.kind and other.name != results.baseline]
    i = peers.index(method)
    control = method.kind == "control"
    palette, markers = (CONTROL_PALETTE, CONTROL_MARKERS) if control else (PALETTE, METHOD_MARKERS)
    colour, marker = palette[i % len(palette)], markers[(i + i // len(palette)) % len(markers)]
    return (colour, "--", marker, "white") if control else (colour, "-", marker, colour)


def _interval_bar(axes: Axes, x: list[float], y: list[float], row: Outcome, colour: str) -> None:
    if math.isfinite(row.accuracy.half_width):
        axes.plot(x, y, color=colour, linewidth=2.2, solid_capstyle="butt", zorder=3)


def _label_rows(axes: Axes, labels: list[str]) -> None:
    axes.set_yticks(range(len(labels)), [_wrapped(label, 34) for label in labels], fontsize=9, parse_math=False)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)


def _label_ends(axes: Axes, ends: list[tuple[float, float, str, str]]) -> None:
    """Name each line at its right end, moved apart where names would overlap, with a thread back to the line.

    Names stand as the lines end, the highest on top; where lines end together, in the order of the table.
    """
    low, high = axes.get_ylim()
    ends = sorted(ends, key=lambda end: round(end[1], 1), reverse=True)[::-1]  # from below; what looks equal is equal
    texts = [_wrapped(name, 22) for _, _, name, _ in ends]
    heights = [(high - low) * (0.045 * (1 + text.count("\n")) + 0.008) for text in texts]
    places = _apart(np.array([y for _, y, _, _ in ends]), np.array(heights), low, high)
    for (x, y, _, colour), text, place in zip(ends, texts, places, strict=True):
        thread = {"arrowstyle": "-", "color": colour, "alpha": 0.4, "linewidth": 0.7, "shrinkA": 2, "shrinkB": 5}
        axes.annotate(
            text, xy=(x, y), xytext=(1.03, place), textcoords=("axes fraction", "data"), va="center", fontsize=9,
            color=colour, parse_math=False, annotation_clip=False, arrowprops={**thread, "relpos": (0, 0.5)},
        )  # fmt: skip


def _apart(wanted: np.ndarray, heights: np.ndarray, low: float, high: float) -> np.ndarray:
    """Centres as near as can be to the wanted ones (ascending), so that texts of these heights do not overlap.

    With the height below each centre taken off, "does not overlap" reads "does not decrease": isotonic regression.
    """
    below = np.cumsum(heights) - heights / 2
    free = isotonic_regression(wanted - below).x
    return np.clip(free, low, max(low, high - heights.sum())) + below


def _name_with_reference(results: Results, row: Outcome) -> str:
    return f"{row.method.name}\nover {row.reference}" if row.reference != results.baseline else row.method.name


def _seeds_text(results: Results, of_controls: str) -> str:
    n = len(results.finished)
    text = f"mean and {LEVEL:.0%} t-interval over {n} seeds; a small dot for each seed" if n > 1 else "one seed"
    return f"{text}; {of_controls}: a control" if any(method.kind == "control" for method in results.methods) else text


def _balanced(text: str, width: int) -> str:
    """Wrapped to as few lines as the width allows, and those about equally long: no last word stands alone."""
    lines = len(textwrap.wrap(text, width))
    while width > 1 and len(textwrap.wrap(text, width - 1)) == lines:
        width -= 1
    return textwrap.fill(text, width)


def _wrapped(text: str, width: int) -> str:
    return "\n".join(textwrap.fill(line, width) for line in text.splitlines())
