"""The main job, `python -m transfer`: does transfer help here, and can I trust the answer?"""

import argparse
import shlex
import signal
import sys
import tempfile
from pathlib import Path
from typing import NoReturn

DESCRIPTION = """\
Does transfer help here, and can I trust the answer?

Runs experiments on real data that needs no download: each method on the same seeds, beside controls that would show
if something else than transfer were at work. Prints accuracies, paired differences with their 95% intervals, and a
verdict, which is "inconclusive" wherever an interval holds 0. Writes report.html, report.json and the figures to
OUT/<experiment>/.
"""

EXAMPLES = """\
examples:
  python -m transfer                                          the two of the README
  python -m transfer --list                                   what there is
  python -m transfer --experiment few_labels --shots 1 10 --seeds 4
  python -m transfer --experiment negative_transfer --methods joint "joint, shifted labels"

Ctrl-C stops, and reports the seeds that finished.
"""

INTERRUPTED = 128 + signal.SIGINT


class OneLineParser(argparse.ArgumentParser):
    """Says what is wrong in one line, and exits with 2."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n")


def arguments(words: list[str] | None = None) -> argparse.Namespace:
    """Reads the command line; refuses what can be refused without loading anything."""
    parser = OneLineParser(
        prog="python -m transfer",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,  # --seed 3 would be read as --seeds 3, and 3 seeds are not seed 3
    )
    parser.add_argument("--list", action="store_true", help="print the experiments with their methods, and stop")
    parser.add_argument(
        "--experiment", nargs="+", metavar="NAME", help="which to run (default: those of the README; --list has all)"
    )
    parser.add_argument("--seeds", type=int, metavar="N", help="how many seeds, at least 2 (default: the experiment's own)")
    parser.add_argument("--shots", type=int, nargs="+", metavar="N", help="examples per class of the target")
    parser.add_argument("--methods", nargs="+", metavar="METHOD", help="which methods; what they are compared with is added")
    parser.add_argument("--out", type=Path, default=Path("reports"), metavar="DIR", help="where to write (default: reports)")
    parser.add_argument("--quiet", action="store_true", help="no progress bars")
    given = parser.parse_args(words)
    if given.seeds is not None and given.seeds < 2:
        parser.error(f"--seeds expects at least 2, for an interval needs a spread; got {given.seeds}.")
    for shots in given.shots or ():
        if shots < 1:
            parser.error(f"--shots expects numbers of at least 1, got {shots}.")
    return given


def require_writable(folder: Path) -> None:
    """Raises an OSError unless a file can be written in the folder, which is made if it is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder):
        pass


def main(words: list[str] | None = None) -> int:
    """Runs the command; returns its exit status: 0, 2 for bad input, 130 after Ctrl-C."""
    given = arguments(words)

    # The rest takes seconds to load, and --help should not.
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    from nn.data import DataNotPreparedError
    from nn.training import enable_compilation_cache
    from transfer.experiments import EXPERIMENTS, run
    from transfer.report import results_table, write_report

    console = Console()
    if given.list:
        for experiment in EXPERIMENTS.values():
            console.print(f"[bold]{experiment.name}[/]  {escape(experiment.question)}")
            for method in experiment.methods:
                console.print(f"  {escape(method.name):24} {escape(method.description)}", soft_wrap=True)
            console.print(f"  [dim]{experiment.seeds} seeds; examples per class: {', '.join(map(str, experiment.shots))}[/]\n")
        return 0

    try:
        unknown = [name for name in given.experiment or () if name not in EXPERIMENTS]
        if unknown:
            raise ValueError(f"--experiment expects names from {', '.join(EXPERIMENTS)}; got {', '.join(unknown)}.")
        standard = [name for name, experiment in EXPERIMENTS.items() if experiment.by_default]
        chosen = [EXPERIMENTS[name] for name in dict.fromkeys(given.experiment or standard)]
        for experiment in chosen:
            experiment.check(given.seeds, given.shots, given.methods)
            require_writable(given.out / experiment.name)
    except (ValueError, OSError) as error:
        print(f"python -m transfer: {describe(error, given.out)}", file=sys.stderr)
        return 2

    enable_compilation_cache()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    for experiment in chosen:
        command = shlex.join(["python", "-m", "transfer", "--experiment", experiment.name, *choices(given)])
        with Progress(*columns, console=console, disable=given.quiet or not console.is_terminal) as progress:
            task = progress.add_task(experiment.title, total=experiment.count(given.seeds, given.shots, given.methods))
            try:
                results = run(
                    experiment,
                    seeds=given.seeds,
                    shots=given.shots,
                    methods=given.methods,
                    command=command,
                    on_number=lambda progress=progress, task=task: progress.advance(task),
                )
            except DataNotPreparedError as error:
                print(f"python -m transfer: {error}", file=sys.stderr)
                return 2
        if not results.finished:
            print("Interrupted before a seed of this experiment finished: nothing to report.", file=sys.stderr)
            return INTERRUPTED
        console.print(results_table(results))
        page = write_report(results, given.out / experiment.name)
        console.print(f"Report: {escape(str(page))}  ({results.wall_time:.0f} s)\n", soft_wrap=True)
        if results.partial:
            kept = f"{len(results.finished)} of {len(results.seeds)} seeds finished and are in the report"
            print(f"Interrupted: {kept}.", file=sys.stderr)
            return INTERRUPTED
    return 0


def choices(given: argparse.Namespace) -> list[str]:
    """The options that change the numbers, as they are typed."""
    words: list[str] = []
    for name in ("seeds", "shots", "methods"):
        value = getattr(given, name)
        if value is not None:
            words += [f"--{name}", *map(str, value if isinstance(value, list) else [value])]
    return words


def describe(error: ValueError | OSError, out: Path) -> str:
    """What went wrong, in one line."""
    if isinstance(error, OSError):
        return f"--out expects a folder that can be written, got {out}: {error.strerror}."
    return str(error)


if __name__ == "__main__":
    sys.exit(main())
