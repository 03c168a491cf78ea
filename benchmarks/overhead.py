"""`python -m benchmarks.overhead`: what the record and the progress bar of `fit` cost, as a share of the training itself.

The same training runs four times in each round: with one record at its end, with one every 50 steps, with the bar as well, and
with a record at every step, where each step is waited for. A step is the MLP's, of a few milliseconds: whatever costs the same
in each step shows most where a step is short.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import kept, machine
from benchmarks.process import ROOT
from benchmarks.statistics import median_interval
from benchmarks.worker import timed

LOG_EVERY = 50  # what `fit` does when it is not told
BARE, LOG = "one record, at the end", f"a record every {LOG_EVERY} steps"
BAR, ALWAYS = "the same, and a bar in the terminal", "a record at every step"
FORMS: dict[str, dict[str, Any]] = {
    BARE: {},
    LOG: {"log_every": LOG_EVERY},
    BAR: {"log_every": LOG_EVERY, "progress": True},
    ALWAYS: {"log_every": 1},
}
"""What `fit` is told in each."""


def main(arguments: list[str] | None = None) -> int:
    """Times them in a process of their own, keeps the times in overhead.json, and prints the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.overhead", description=__doc__)
    parser.add_argument("workload", nargs="?", default="mlp", help="one with a single network (default: mlp)")
    parser.add_argument("--rounds", type=int, default=41)
    parser.add_argument("--steps", type=int, default=200, help="in each training (default: 200)")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent, metavar="FOLDER", help="for overhead.json")
    options = parser.parse_args(arguments)
    found = kept.read(options.output / "overhead.json")
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "times.json"
        child = "import sys; from benchmarks.overhead import measure; measure(*sys.argv[1:])"
        command = [sys.executable, "-c", child, options.workload, str(options.rounds), str(options.steps), str(path)]
        # FORCE_COLOR: the bar takes what it prints to for a terminal, and draws as it would there.
        environment = machine.environment(1) | {"FORCE_COLOR": "1", "COLUMNS": "100"}
        subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, check=True)
        found[options.workload] = json.loads(path.read_text(encoding="utf-8"))
    kept.write(options.output / "overhead.json", found)
    print(table(options.workload, found[options.workload]))
    return 0


def measure(name: str, rounds: str, steps: str, path: str) -> None:
    """Times ours at a workload, pinned to a core, and leaves the times in a file. In a process of its own."""
    from benchmarks.catalogue import workload
    from benchmarks.optimizers import Optimizer
    from benchmarks.workload import OURS

    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-1:])
    work = workload(name)
    program = work.program(OURS, Optimizer("adam", work.rate, work.momentum), work.weights())
    times = in_rounds(program, int(rounds), int(steps))
    Path(path).write_text(json.dumps(times), encoding="utf-8")


def in_rounds(program: Any, rounds: int, steps: int) -> dict[str, list[float]]:
    """Processor's seconds a step of each form, round by round, in an order drawn anew each time.

    Args:
      program: of `workload.program("ours", …)`; its `options` go to `fit`.
      rounds: how often each has its turn.
      steps: of a training.
    """
    times: dict[str, list[float]] = {form: [] for form in FORMS}
    draw = random.Random(0)
    program.train(steps)  # compiles
    for _ in range(rounds):
        for form in draw.sample(list(FORMS), len(FORMS)):
            program.options = {"log_every": steps, **FORMS[form]}
            times[form].append(timed(lambda: program.train(steps), steps)["cpu"])
    return times


def table(name: str, times: Mapping[str, Sequence[float]]) -> str:
    """The median share that each adds, with its interval at 95%, as Markdown."""
    bare = np.array(times[BARE])
    rows = [f"| {name}, {len(bare)} rounds | ms a step | adds |", "|---|---|---|"]
    for form, seconds in times.items():
        share, low, high = median_interval(np.array(seconds) / bare)
        span = "" if low is None or high is None else f" ({low - 1:+.2%} to {high - 1:+.2%})"
        rows.append(f"| {form} | {1e3 * np.median(seconds):.3f} | {'' if form == BARE else f'{share - 1:+.2%}{span}'} |")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    sys.exit(main())
