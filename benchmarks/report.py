"""What runs found, as JSON, as tables of Markdown and as a picture. Every number in README.md comes from here.

Results are of one machine: its header, and a part for each command that was run there.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import kept, statistics
from benchmarks.attention import EQUATION
from benchmarks.catalogue import FIVE
from benchmarks.overhead import table as overhead_table
from benchmarks.profile import table as profile_table
from benchmarks.workload import HALF, LIBRARIES, OURS

NOT_YET = "Not timed yet.\n"

KINDS = {"train": "Training", "infer": "Inference"}

ORDER = (OURS, EQUATION, *LIBRARIES[1:], *HALF)

Results = dict[str, Any]
Run = dict[str, Any]


def write_results(results: Results, folder: Path) -> None:
    """results.json, complete or not at all."""
    kept.write(folder / "results.json", results)


def read_results(folder: Path) -> Results | None:
    """What `write_results` wrote, or None where nothing has been timed."""
    return kept.read(folder / "results.json") or None


def begun(command: str, rounds: int, header: Results, before: Results | None = None) -> tuple[Results, Results]:
    """Results with a new part to be filled, behind those of an earlier command if there are any; and that part.

    Raises:
      ValueError: if the earlier ones are of another machine, or of other versions or settings.
    """
    part: Results = {"command": command, "rounds": rounds, "left out": {}, "agreement": {}, "runs": []}
    if before and (other := [name for name in header if before["machine"].get(name) != header[name]]):
        raise ValueError(f"Results can be added to those of the same machine, versions and settings; here differ {other}.")
    return {"machine": header, "parts": [*(before["parts"] if before else []), part]}, part


def runs_of(results: Results) -> list[Run]:
    """All runs; of one workload on as many cores, the last."""
    return list({(run["workload"], run["cores"]): run for part in results["parts"] for run in part["runs"]}.values())


def write_tables(folder: Path, readme: Path) -> None:
    """Puts what a folder holds between the markers of a README."""
    readme.write_text(with_tables(readme.read_text(encoding="utf-8"), folder), encoding="utf-8")


def with_tables(text: str, folder: Path) -> str:
    """A text with the tables of a folder's results, profile and overhead, each between its two markers, whatever was there."""
    profiles, costs = (kept.read(folder / name) for name in ("profile.json", "overhead.json"))
    results = read_results(folder)
    text = between(text, "results", NOT_YET if results is None else tables(results))
    text = between(text, "profile", "\n".join(profile_table(*of_one) for of_one in profiles.items()) or NOT_YET)
    return between(text, "overhead", "\n".join(overhead_table(*of_one) for of_one in costs.items()) or NOT_YET)


def between(text: str, name: str, content: str) -> str:
    """A text with the content between the two markers of this name.

    Raises:
      ValueError: if the markers are not there, once each and in this order.
    """
    begin, end = (f"<!-- {edge} of {name}: python -m benchmarks --tables -->" for edge in ("begin", "end"))
    before, found, rest = text.partition(begin)
    _, found_too, after = rest.partition(end)
    if not (found and found_too) or begin in after or end in before + after:
        raise ValueError(f"The text should have the line {begin!r}, and behind it {end!r}, once each.")
    return f"{before}{begin}\n{content}{end}{after}"


# Tables.


def tables(results: Results) -> str:
    """All of them, under their headings."""
    runs = runs_of(results)
    parts = [_header(results), "![Time over ours, network by network; time and memory by length](plot.png)\n"]
    for cores in sorted({run["cores"] for run in runs}):
        five = _those(runs, [workload.name for workload in FIVE], cores)
        where = f"{'one core' if cores == 1 else f'{cores} cores'}"
        for kind, title in KINDS.items():
            if five:
                clock = "the processor's time" if statistics.clock(cores) == "cpu" else "the clock's time"
                parts += [f"### {title} on {where}\n", f"Milliseconds a step, {clock}: medians.\n", _times(five, kind)]
                parts += ["As a multiple of ours, round by round, with the 95% interval of the median.\n", _ratios(five, kind)]
                parts += ["Share of the floor.\n", _shares(five, kind)]
        if five:
            parts += [f"### The first step on {where}\n", "Seconds from building the network to the end of the first step.\n"]
            parts += [_table(five, lambda run, library: f"{run['libraries'][library]['first train']:.1f}")]
            parts += [f"### Memory on {where}\n", MEMORY, _table(five, _megabytes)]
        for family, title in (("lstm", "LSTM, by steps"), ("attention", "Attention, by tokens")):
            growing = [run for run in runs if run["family"] == family and run["cores"] == cores]
            if len(growing) > 1:
                growing.sort(key=lambda run: run["size"])
                parts += [f"### {title}, on {where}\n", "Milliseconds a step of training.\n", _times(growing, "train")]
                parts += ["Milliseconds of inference.\n", _times(growing, "infer"), MEMORY, _table(growing, _megabytes)]
    return "\n".join(parts) + "\n"


MEMORY = "Megabytes at most while steps ran, beyond what the process had when its library was imported.\n"


def _header(results: Results) -> str:
    """Machine, versions and settings, who was left out, and how well all agree."""
    facts, parts, runs = results["machine"], results["parts"], runs_of(results)
    versions = ", ".join(f"{name} {version or 'absent'}" for name, version in facts["versions"].items())
    caches = ", ".join(f"{level} {size}" for level, size in facts["caches"].items())
    checked = {name: {} for part in parts for name in part["agreement"]}
    for part in parts:
        for name, found in part["agreement"].items():
            checked[name] |= found["agreement"]
    worst = max((max(pair) for found in checked.values() for pair in found.values()), default=0.0)
    floors = {
        cores: np.median([statistics.floor(run) for run in runs if run["cores"] == cores]) / 1e9
        for cores in sorted({run["cores"] for run in runs})
    }
    lines = [
        *(f"- Command: `{part['command']}`; {part['rounds']} rounds." for part in parts),
        f"- Machine: {facts['processor']}, {facts['cores']} cores, {facts['memory']}; {caches}; {facts['system']}.",
        f"- Versions: {versions}.",
        f"- Set for all: {', '.join(f'`{name}={value}`' for name, value in facts['settings'].items())}.",
        "- The floor: "
        + ", ".join(f"{rate:.0f} GFLOP/s on {cores} core{'s' * (cores > 1)}" for cores, rate in floors.items())
        + ".",
        f"- {sum(map(len, checked.values()))} pairs computed the same: the largest difference was {worst:.0e}.",
    ]
    left_out = {}
    for part in parts:
        for found in (part, *part["agreement"].values(), *part["runs"]):
            left_out |= found["left out"]
    lines += [f"- Left out: {library}, for {reason}." for library, reason in left_out.items()]
    return "\n".join(lines) + "\n"


def _those(runs: Iterable[Run], names: Sequence[str], cores: int) -> list[Run]:
    found = {run["workload"]: run for run in runs if run["cores"] == cores}
    return [found[name] for name in names if name in found]


def _libraries(runs: Sequence[Run]) -> list[str]:
    """Who took part anywhere, always in the same order."""
    return [library for library in ORDER if any(library in run["libraries"] for run in runs)]


def _table(runs: Sequence[Run], cell: Callable[[Run, str], str], columns: Sequence[str] | None = None) -> str:
    """A row for each workload, a column for each library; – where it did not take part."""
    columns = _libraries(runs) if columns is None else columns
    rows = [f"| | {' | '.join(columns)} |", f"|---|{'---|' * len(columns)}"]
    for run in runs:
        cells = [cell(run, library) if library in run["libraries"] else "–" for library in columns]
        rows.append(f"| {run['workload']} | {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def _times(runs: Sequence[Run], kind: str) -> str:
    return _table(runs, lambda run, library: _three(1e3 * float(np.median(statistics.seconds(run, library, kind)))))


def _ratios(runs: Sequence[Run], kind: str) -> str:
    def cell(run: Run, library: str) -> str:
        if OURS not in run["libraries"]:
            return "–"
        median, low, high = statistics.ratio(run, library, kind, OURS)
        return f"{median:.2f}" + ("" if low is None else f" [{low:.2f}, {high:.2f}]")

    return _table(runs, cell, [library for library in _libraries(runs) if library != OURS])


def _shares(runs: Sequence[Run], kind: str) -> str:
    return _table(runs, lambda run, library: f"{statistics.share_of_floor(run, library, kind):.0%}")


def _megabytes(run: Run, library: str) -> str:
    found = statistics.memory(run, library)
    return "–" if found is None else f"{found / 1e6:.0f}"


def _three(value: float) -> str:
    """Three digits, or as many as stand before the point."""
    return f"{value:.{max(0, 2 - int(np.floor(np.log10(value))))}f}" if value > 0 else "0"


# The picture.

COLOURS = (
    "#0072B2",
    "#56B4E9",
    "#6b6b6b",
    "#D55E00",
    "#E69F00",
    "#009E73",
    "#CC79A7",
    "#8C6D31",
    "#222222",
    "#9A4FC4",
    "#b0b000",
)


def draw(results: Results, path: Path) -> None:
    """Above, training as a multiple of ours, network by network; below, how time and memory grow with the sequence."""
    from matplotlib.figure import Figure

    runs = runs_of(results)
    libraries = [library for library in _libraries(runs) if library != OURS]
    colours = dict(zip(ORDER, COLOURS, strict=True))
    cores = sorted({run["cores"] for run in runs})
    families = [family for family in ("lstm", "attention") if len([run for run in runs if run["family"] == family]) > 1]
    rows = len(cores) + bool(families)
    figure = Figure(figsize=(11, 3.4 * rows), layout="constrained")
    grid = figure.add_gridspec(rows, 4)
    for row, count in enumerate(cores):
        for half, (kind, title) in enumerate(KINDS.items()):
            axes = figure.add_subplot(grid[row, 2 * half : 2 * half + 2])
            _bars(axes, _those(runs, [workload.name for workload in FIVE], count), kind, libraries, colours)
            axes.set_title(f"{title}, {count} core{'s' * (count > 1)}: time over ours (above 1, ours is quicker)", fontsize=9)
    for half, family in enumerate(families):
        growing = sorted((run for run in runs if run["family"] == family and run["cores"] == 1), key=lambda run: run["size"])
        for column, what in enumerate(("ms a training step", "MB at most")):
            axes = figure.add_subplot(grid[-1, 2 * half + column])
            _curves(axes, growing, what, colours)
            axes.set_title(f"{family}: {what}", fontsize=9)
    handles = {}
    for axes in figure.axes:
        handles |= dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    figure.savefig(path, dpi=110)


def _bars(axes: Any, runs: Sequence[Run], kind: str, libraries: Sequence[str], colours: Mapping[str, str]) -> None:
    width = 0.8 / max(1, len(libraries))
    for place, library in enumerate(libraries):
        with_it = [(i, statistics.ratio(run, library, kind, OURS)) for i, run in enumerate(runs) if _both(run, library)]
        if not with_it:
            continue
        x = [i + (place - (len(libraries) - 1) / 2) * width for i, _ in with_it]
        medians = [ratio.median for _, ratio in with_it]
        low = [ratio.median - (ratio.low or ratio.median) for _, ratio in with_it]
        high = [(ratio.high or ratio.median) - ratio.median for _, ratio in with_it]
        heights = [median - 1 for median in medians]
        look: dict[str, Any] = dict(color=colours[library], error_kw={"lw": 0.8})
        axes.bar(x, heights, width, bottom=1, yerr=(low, high), label=library, **look)
    axes.axhline(1, color="#222222", lw=1)
    axes.set_yscale("log", base=2)  # twice as long and half as long look alike
    low, high = axes.get_ylim()
    axes.set_yticks([tick for tick in (0.25, 0.5, 0.75, 1, 1.25, 1.5, 2, 3, 4, 6, 8) if low <= tick <= high])
    axes.yaxis.set_major_formatter("{x:g}")
    axes.minorticks_off()
    axes.set_xticks(range(len(runs)), [run["workload"] for run in runs])
    axes.spines[["top", "right"]].set_visible(False)


def _both(run: Run, library: str) -> bool:
    return OURS in run["libraries"] and library in run["libraries"]


def _curves(axes: Any, runs: Sequence[Run], what: str, colours: Mapping[str, str]) -> None:
    for library in _libraries(runs):
        with_it = [run for run in runs if library in run["libraries"]]
        if what.startswith("ms"):
            values = [1e3 * float(np.median(statistics.seconds(run, library, "train"))) for run in with_it]
        else:
            values = [(statistics.memory(run, library) or np.nan) / 1e6 for run in with_it]
        axes.plot([run["size"] for run in with_it], values, "o-", ms=3, lw=1.2, label=library, color=colours[library])
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    sizes = [run["size"] for run in runs]
    axes.set_xticks(sizes, [str(size) for size in sizes])
    axes.spines[["top", "right"]].set_visible(False)
