"""`python -m lessons list | run | build | check`: which lessons there are, and whether each notebook is its source executed."""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lessons import bootstrap, execution, notebooks
from lessons.notebooks import LESSONS, Lesson

ON_TWO_CORES = " to run on two cores"
"""How a lesson ends what it says of its time."""


def show_list(lessons: Sequence[Lesson]) -> int:
    """What each lesson says of itself, and whether its notebook was built from the source that is there."""
    table = Table("", "lesson", "to run on two cores", "notebook", box=None, padding=(0, 2, 1, 0), pad_edge=False)
    for lesson in lessons:
        state = "up to date" if not notebooks.problems(lesson) else "out of date" if lesson.notebook.exists() else "not built"
        about = Text.assemble((lesson.title, "bold"), f"\n{lesson.question[:1].upper()}{lesson.question[1:]}")
        table.add_row(lesson.number, about, lesson.time.removesuffix(ON_TWO_CORES), state)
    Console().print(table)
    print("\n`make lab` opens them in Jupyter; `python -m lessons run 03` runs one here, without its pictures.")
    return 0


def run(lessons: Sequence[Lesson]) -> int:
    """Each source as a program, with figures drawn but no window opened."""
    failed = 0
    for lesson in lessons:
        start = time.monotonic()
        done = subprocess.run(
            [sys.executable, str(lesson.source)],
            cwd=lesson.source.parent.parent,
            env={**os.environ, "MPLBACKEND": "Agg"},
        )
        failed |= done.returncode != 0
        print(f"{lesson.name}: {'failed' if done.returncode else 'ran'} in {time.monotonic() - start:.1f} s")
    return int(failed)


def build(lessons: Sequence[Lesson], limit: float) -> int:
    failed = False
    for lesson in lessons:
        result = execution.build(lesson, limit=limit)
        for warning in result.warnings:
            print(f"warning: {lesson.name}: {warning}")
        if result.failure:
            failed = True
            print(f"{lesson.name}: not built after {result.seconds:.1f} s\n  {result.failure}")
        else:
            size = lesson.notebook.stat().st_size / 1000
            print(f"{lesson.name}: built in {result.seconds:.1f} s, {size:.0f} KB")
    return int(failed)


def check(lessons: Sequence[Lesson], *, execute: bool, expected: float, limit: float) -> int:
    """Drift, size and stored errors of each notebook; then its cells afresh, if they are the source's."""
    table = Table("lesson", "notebook", "size", "cells", "seconds", box=None)
    complaints, remarks = [], []
    for lesson in lessons:
        found = notebooks.problems(lesson)
        seconds = ran = ""
        if execute and not found:
            result = execution.execute(lesson, limit=limit)
            seconds, ran = f"{result.seconds:.1f}", "FAILED" if result.failure else "ran"
            found += [result.failure] if result.failure else []
            remarks += [f"{lesson.name}: {warning}" for warning in result.warnings]
            if result.seconds > expected:
                remarks.append(f"{lesson.name}: took {result.seconds:.0f} s, more than the {expected:.0f} s it should")
        size = f"{lesson.notebook.stat().st_size / 1000:.0f} KB" if lesson.notebook.exists() else ""
        table.add_row(lesson.name, "FAILED" if found and not ran else "up to date", size, ran, seconds)
        complaints += [f"{lesson.name}: {problem}" for problem in found]
    Console().print(table)
    for remark in remarks:
        print(f"warning: {remark}")
    for complaint in complaints:
        print(complaint)
    return int(bool(complaints))


def main(arguments: Sequence[str] | None = None, folder: Path = LESSONS) -> int:
    """The command line; returns the exit code: 0 done, 1 a lesson failed, 2 asked for what there is not."""
    parser = argparse.ArgumentParser(
        prog="python -m lessons", description="Lists the lessons, runs them as programs, builds their notebooks, checks these."
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="list | run | build | check")
    what = "show number, title, question and time of each lesson, and whether its notebook is up to date"
    verbs.add_parser("list", help=what, description=f"{what.capitalize()}.")
    for verb, many, what in (
        ("run", "+", "run lessons as programs; their figures are drawn, and not shown"),
        ("build", "*", "execute lessons and write their notebooks (all, if none is named)"),
        ("check", "*", "compare notebooks with their sources, then execute them afresh (all, if none is named)"),
    ):
        verbs.add_parser(verb, help=what, description=f"{what.capitalize()}.").add_argument(
            "names", nargs=many, metavar="NAME", help="a lesson: 03, 3, 03_feedforward or feedforward"
        )
    for verb in ("build", "check"):
        verbs.choices[verb].add_argument(
            "--limit", type=float, default=600, metavar="SECONDS", help="stop a lesson after so long (default: 600)"
        )
    verbs.choices["check"].add_argument(
        "--expected", type=float, default=90, metavar="SECONDS", help="warn when a lesson takes longer (default: 90)"
    )
    verbs.choices["check"].add_argument("--no-execute", action="store_true", help="only compare, which takes no time")
    options = parser.parse_args(arguments)
    try:
        lessons = notebooks.choose(getattr(options, "names", []), notebooks.find(folder))
        if options.verb in ("list", "build"):
            for lesson in lessons:
                lesson.cells  # a source that cannot be read is said here, not halfway through
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    if options.verb in ("build", "check") and not bootstrap.address(folder.parent):
        print(
            "pyproject.toml names no Source under [project.urls]: "
            "on Colab and Kaggle a lesson's first cell cannot fetch the course."
        )
    try:
        match options.verb:
            case "list":
                return show_list(lessons)
            case "run":
                return run(lessons)
            case "build":
                return build(lessons, options.limit)
            case _:
                return check(lessons, execute=not options.no_execute, expected=options.expected, limit=options.limit)
    except execution.JupyterMissing as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
