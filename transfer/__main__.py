"""The main job, `python -m transfer`: does transfer help here, and can I trust the answer?"""

import argparse
import itertools
import shlex
import shutil
import signal
import sys
import tempfile
import textwrap
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from transfer.experiments import Experiment

DESCRIPTION = """\
Does transfer help here, and can I trust the answer?

Asked about your own pictures (--source, --target) or about named experiments on data that needs no download
(--experiment), it runs each method on the same seeds, beside controls that would show if something else than transfer
were at work. Prints accuracies, paired differences with their 95% intervals, and a verdict, which is "inconclusive"
wherever an interval holds 0. Writes report.html, report.json and the figures to OUT/<experiment>/.

A source or a target is a folder, or a set by name: digits, mnist_5k, glyphs, animals, or one of TensorFlow Datasets. A
folder has a folder for each class, of png, jpg, bmp, gif, webp or tif pictures of any size:

  DIR/CLASS/*.png         a quarter of each class is kept for the test
  DIR/train/CLASS/*.png   and DIR/test/CLASS/*.png: you choose the test pictures

With several sources the report ranks them: by scores, by a trial, and by what came of them.
"""

EXAMPLES = """\
examples:
  python -m transfer                                     the two of the README
  python -m transfer --list                              what there is
  python -m transfer --source mnist_5k --target digits   or folders of your own
  python -m transfer --source birds/ cats/ --target dogs/ --shots 1 5 20 \\
      --methods fine-tune prototypes --seeds 5
  python -m transfer --experiment few_labels --shots 1 10 --seeds 4
  python -m transfer --experiment negative_transfer \\
      --methods joint "joint, shifted labels"

Ctrl-C stops, and reports the seeds that finished. Each is kept in OUT/<experiment>/seeds-….json as soon as it is
finished: the same command goes on from there, also after a kill. A report of other settings is kept beside the new one.
"""

INTERRUPTED = 128 + signal.SIGINT
OUT = Path("reports")


class OneLineParser(argparse.ArgumentParser):
    """Says what is wrong in one line, and exits with 2."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n")


def filled(text: str) -> str:
    """The text with its paragraphs broken where the terminal ends; those that hold indented lines stay as they are."""
    width = shutil.get_terminal_size().columns - 2  # as argparse has it
    paragraphs = text.split("\n\n")
    return "\n\n".join(p if "\n  " in f"\n{p}" else textwrap.fill(p, width) for p in paragraphs)


def arguments(words: list[str] | None = None) -> argparse.Namespace:
    """Reads the command line; refuses what can be refused without loading anything."""
    parser = OneLineParser(
        prog="python -m transfer",
        description=filled(DESCRIPTION),
        epilog=filled(EXAMPLES),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,  # --seed 3 would be read as --seeds 3, and 3 seeds are not seed 3
    )
    parser.add_argument("--list", action="store_true", help="print the experiments with their methods, and stop")
    parser.add_argument(
        "--experiment", nargs="+", metavar="NAME", help="which to run (default: the two of the README; --list has all)"
    )
    parser.add_argument("--source", nargs="+", metavar="NAME|DIR", help="what a network is to learn first; several are ranked")
    parser.add_argument("--target", metavar="NAME|DIR", help="what it is to learn then, from few pictures")
    parser.add_argument("--side", type=int, metavar="PIXELS", help="read all pictures at this height and width (default: 28)")
    parser.add_argument("--seeds", type=int, metavar="N", help="how many seeds, at least 2 (default: the experiment's own)")
    parser.add_argument(
        "--shots", type=int, nargs="+", metavar="N", help="examples per class of the target (default: the experiment's own)"
    )
    parser.add_argument(
        "--methods",
        nargs="+",
        metavar="METHOD",
        help="which methods, of those that --list shows (default: all); what they are compared with is added",
    )
    parser.add_argument("--out", type=Path, default=OUT, metavar="DIR", help=f"where to write (default: {OUT})")
    parser.add_argument(
        "--devices",
        type=int,
        metavar="N",
        help="train on N GPUs or TPUs at once, each with a part of every batch; a CPU only acts as N. The numbers are the same "
        "but for rounding; seeds finished on another number of devices are not mixed in",
    )
    parser.add_argument("--quiet", action="store_true", help="no progress bars")
    given = parser.parse_args(words)
    if given.seeds is not None and given.seeds < 2:
        parser.error(f"--seeds expects at least 2, for an interval needs a spread; got {given.seeds}.")
    if bool(given.source) != bool(given.target):
        parser.error("--source expects --target beside it, and --target expects --source.")
    if given.experiment and given.source:
        parser.error("--experiment is one of ours; with --source and --target it is yours. Expects one of the two.")
    if given.devices is not None and given.devices < 1:
        parser.error(f"--devices expects at least 1, got {given.devices}.")
    if given.side is not None and not given.source:
        parser.error("--side expects --source and --target beside it.")
    if given.side is not None and given.side < 12:
        parser.error(f"--side expects at least 12 pixels, got {given.side}.")
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
    if given.devices is None:
        return answer(given)

    from nn.training import device_mesh, on_mesh, virtual_cpu_devices

    with suppress(ValueError):  # JAX is in use already, by whoever called main: with enough devices or not
        virtual_cpu_devices(given.devices)
    try:
        mesh = device_mesh(given.devices)
    except ValueError as error:
        print(f"python -m transfer: --devices: {error}", file=sys.stderr)
        return 2
    with on_mesh(mesh):
        return answer(given)


def answer(given: argparse.Namespace) -> int:
    """What `main` does once the words are read and the devices chosen; returns the exit status."""
    # The rest takes seconds to load, and --help should not.
    from rich.console import Console
    from rich.markup import escape
    from rich.padding import Padding
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.table import Table

    from nn.data import DataNotPreparedError
    from nn.training import enable_compilation_cache
    from transfer.experiments import EXPERIMENTS, run
    from transfer.experiments.experiment import UNFINISHED
    from transfer.report import results_table, set_aside, write_report

    console = Console(highlight=False)
    if given.list:
        for experiment in EXPERIMENTS.values():
            asked = " (run where none is named)" if experiment.by_default else ""
            console.print(f"[bold]{experiment.name}[/]{asked}\n{escape(experiment.question)}")
            methods = Table.grid(padding=(0, 2))
            for column in ("name", "description"):
                methods.add_column(column, no_wrap=column == "name")
            for method in experiment.methods:
                kind = "control: " if method.kind == "control" else ""
                methods.add_row(escape(method.name), escape(kind + method.description))
            console.print(Padding(methods, (0, 0, 0, 2), expand=False))
            settings = f"{experiment.setting_name}: {', '.join(map(str, experiment.shots))}"
            console.print(f"  [dim]{experiment.seeds} seeds; {escape(settings)}[/]\n")
        return 0

    try:
        if given.source:
            chosen, methods = [own_experiment(given)], None  # the methods that are asked for are those it has
        else:
            unknown = [name for name in given.experiment or () if name not in EXPERIMENTS]
            if unknown:
                raise ValueError(f"--experiment expects names from {', '.join(EXPERIMENTS)}; got {', '.join(unknown)}.")
            standard = [name for name, experiment in EXPERIMENTS.items() if experiment.by_default]
            chosen, methods = [EXPERIMENTS[name] for name in dict.fromkeys(given.experiment or standard)], given.methods
        for experiment in chosen:
            experiment.check(given.seeds, given.shots, methods)
            require_writable(given.out / experiment.name)
    except (ValueError, OSError, DataNotPreparedError) as error:
        print(f"python -m transfer: {describe(error, given.out)}", file=sys.stderr)
        return 2

    enable_compilation_cache()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    for experiment in chosen:
        asked = ["--source", *given.source, "--target", given.target] if given.source else ["--experiment", experiment.name]
        command = shlex.join(["python", "-m", "transfer", *asked, *choices(given)])
        directory = given.out / experiment.name
        done, kept = kept_runs(experiment, given, methods)
        if kept:
            console.print(f"[dim]{escape(kept)}[/]", soft_wrap=True)
        with Progress(*columns, console=console, disable=given.quiet or not console.is_terminal) as progress:
            count = experiment.count(given.seeds, given.shots, methods)
            task, number = progress.add_task(experiment.title, total=count, completed=done), itertools.count(1)

            def on_number(progress=progress, task=task, number=number, done=done):
                progress.update(task, completed=max(done, next(number)))  # those that are kept come first, and at once

            try:
                results = run(
                    experiment,
                    seeds=given.seeds,
                    shots=given.shots,
                    methods=methods,
                    command=command,
                    on_number=on_number,
                    directory=directory,
                )
            except DataNotPreparedError as error:
                print(f"python -m transfer: {error}", file=sys.stderr)
                return 2
        if not results.finished:
            print("Interrupted before a seed of this experiment finished: nothing to report.", file=sys.stderr)
            return INTERRUPTED
        console.print(results_table(results))
        if aside := set_aside(results, directory):
            console.print(f"The report of other settings that was there is now {escape(str(aside))}.", soft_wrap=True)
        page = write_report(results, directory)
        console.print(f"Report: {escape(str(page))}  ({results.wall_time:.0f} s)\n", soft_wrap=True)
        if results.partial:
            kept = f"{len(results.finished)} of {len(results.seeds)} seeds finished and are in the report"
            print(f"Interrupted: {kept}.", file=sys.stderr)
            return INTERRUPTED
        if UNFINISHED in results.sections:
            print("Interrupted: the numbers are in the report, some of what belongs below them is not.", file=sys.stderr)
            return INTERRUPTED
    return 0


def own_experiment(given: argparse.Namespace) -> "Experiment":
    """The experiment on the sets and folders of the command line, which are read here."""
    from transfer.experiments.own_data import SIDE, own_data
    from transfer.experiments.pictures import Pictures, read_pictures

    def read(option: str, word: str) -> Pictures:
        try:
            return read_pictures(word, side=given.side or SIDE)
        except ValueError as error:
            raise ValueError(f"{option}: {error}") from None
        except OSError as error:
            raise ValueError(f"{option}: {word} cannot be read: {error.strerror} ({error.filename}).") from None

    sources = [read("--source", word) for word in given.source]
    return own_data(sources, read("--target", given.target), methods=given.methods)


def kept_runs(experiment: "Experiment", given: argparse.Namespace, methods: list[str] | None) -> tuple[int, str]:
    """How many numbers there are of an earlier run; and a sentence on it, empty where there is nothing."""
    journal = experiment.journal(given.out / experiment.name, given.shots, methods)
    wanted = range(given.seeds or experiment.seeds)
    if kept := [seed for seed in wanted if seed in journal.seeds]:
        done, count = (experiment.count(seeds, given.shots, methods) for seeds in (len(kept), len(wanted)))
        runs = f"{len(kept)} of {len(wanted)} seeds are finished and are not run again ({done} of {count} runs)"
        return done, f"{runs}; {journal.path} has them."
    if journal.others:
        return 0, f"{journal.path.parent} has seeds of other settings, data, versions or code: this run begins anew."
    return 0, ""


def choices(given: argparse.Namespace) -> list[str]:
    """The options that change the numbers, or where they go, as they are typed."""
    words: list[str] = []
    for name in ("side", "seeds", "shots", "methods", "devices"):
        value = getattr(given, name)
        if value is not None:
            words += [f"--{name}", *map(str, value if isinstance(value, list) else [value])]
    return words if given.out == OUT else [*words, "--out", str(given.out)]


def describe(error: Exception, out: Path) -> str:
    """What went wrong, in one line."""
    if isinstance(error, OSError):
        return f"--out expects a folder that can be written, got {out}: {error.strerror}."
    return str(error)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:  # while it loads or reads: nothing is begun yet, or all is kept
        print("Interrupted.", file=sys.stderr)
        sys.exit(INTERRUPTED)
