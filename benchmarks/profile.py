"""`python -m benchmarks.profile gpt`: where the time of our own training step goes, by operation and by direction.

XLA runs fused operations under names of its own. The program that it dumps says of each from which line of JAX it comes; the
trace says how long it ran. Joined, they say what to look at next.
"""

import argparse
import gzip
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import kept, machine
from benchmarks.process import ROOT

STEPS = 15
"""Traced, as many as were trained before. In some of them memory is touched for the first time, hence the median of them."""
LINES = 10
"""Rows of the table; what is below is summed up in one more."""


def main(arguments: list[str] | None = None) -> int:
    """Profiles each workload in turn, prints its table, and keeps all in profile.json."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.profile", description=__doc__)
    parser.add_argument("workloads", nargs="+", metavar="WORKLOAD")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent, metavar="FOLDER", help="for profile.json")
    options = parser.parse_args(arguments)
    path = options.output / "profile.json"
    found = kept.read(path)
    for name in options.workloads:
        with tempfile.TemporaryDirectory() as scratch:
            # One arena of memory for all threads: what another thread takes over would be written to pages that are new to it.
            memory = {"GLIBC_TUNABLES": f"{machine.MALLOC}:glibc.malloc.arena_max=1"}
            flags = {"XLA_FLAGS": f"--xla_dump_to={scratch}/dump --xla_dump_hlo_as_text"}
            child = "import sys; from benchmarks.profile import measure; measure(*sys.argv[1:])"
            command = [sys.executable, "-c", child, name, scratch]
            subprocess.run(command, cwd=ROOT, env=machine.environment(1) | memory | flags, check=True)
            found[name] = read(Path(scratch))
        print(table(name, found[name]), flush=True)
    kept.write(path, found)
    return 0


def measure(name: str, folder: str) -> None:
    """Trains ours for a few steps, pinned to a core, and leaves their trace in a folder. In a process of its own."""
    import jax

    from benchmarks.catalogue import workload
    from benchmarks.optimizers import Optimizer
    from benchmarks.workload import OURS

    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-1:])
    work = workload(name)
    program = work.program(OURS, Optimizer("adam", work.rate, work.momentum), work.weights())
    program.train(STEPS)
    with jax.profiler.trace(f"{folder}/trace"):
        program.train(STEPS)


def read(folder: Path) -> dict[str, Any]:
    """Milliseconds of a training step by (operation, direction), the longest first, from a trace and the dumped programs."""
    (trace,) = folder.glob("trace/**/*.trace.json.gz")
    events = json.loads(gzip.decompress(trace.read_bytes()))["traceEvents"]
    origin = origins(path.read_text() for path in (folder / "dump").glob("*after_optimizations.txt"))
    parts: dict[tuple[str, str], float] = defaultdict(float)
    for (module, operation), runs in own_times(events).items():
        parts[origin.get((module, operation), (kind_of(operation), "not known"))] += of_a_step(runs) / 1e3
    return {"parts": [[*part, milliseconds] for part, milliseconds in sorted(parts.items(), key=lambda item: -item[1])]}


def of_a_step(runs: Sequence[float]) -> float:
    """The median over steps of what an operation took in a step, where it may have run many times; else what it took of all."""
    in_each, rest = divmod(len(runs), STEPS)
    return sum(runs) / STEPS if rest else median(sum(runs[i : i + in_each]) for i in range(0, len(runs), in_each))


def own_times(events: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], list[float]]:
    """Microseconds of each run of each (module, operation) of a trace, one after the other, without those of the operations
    that ran inside of it.

    Args:
      events: Chrome's trace events. Complete ones (`ph` X) of XLA have the names among their arguments; inside a loop's event
        lie those of its body, on the same thread.
    """
    threads: dict[tuple[Any, Any], list[Mapping[str, Any]]] = defaultdict(list)
    for event in events:
        if event.get("ph") == "X" and "hlo_op" in event.get("args", {}):
            threads[event["pid"], event["tid"]].append(event)
    runs: list[tuple[float, tuple[str, str], list[float]]] = []  # when it began, what, and its own time
    for thread in threads.values():
        open_: list[tuple[float, list[float]]] = []
        for event in sorted(thread, key=lambda event: (event["ts"], -event["dur"])):
            while open_ and open_[-1][0] <= event["ts"]:
                open_.pop()
            if open_:
                open_[-1][1][0] -= event["dur"]
            own = [event["dur"]]
            runs.append((event["ts"], (event["args"].get("hlo_module", ""), event["args"]["hlo_op"]), own))
            open_.append((event["ts"] + event["dur"], own))
    times: dict[tuple[str, str], list[float]] = defaultdict(list)
    for _, name, own in sorted(runs):
        times[name] += own
    return times


def origins(programs: Iterable[str]) -> dict[tuple[str, str], tuple[str, str]]:
    """(module, operation) → (JAX's operation, direction), read off the texts of compiled programs."""
    found = {}
    for text in programs:
        module = re.search(r"^HloModule ([\w.-]+)", text, re.MULTILINE)
        for line in text.splitlines():
            instruction = re.match(r"\s*(?:ROOT )?%?([\w.-]+) = .*op_name=\"([^\"]*)\"", line)
            if module and instruction:
                found[module[1], instruction[1]] = (instruction[2].split("/")[-1], direction(instruction[2]))
    return found


def direction(path: str) -> str:
    """Where in a step an operation stands, by JAX's name for it: jit(step)/transpose(jvp(…))/…"""
    return "backward" if "transpose(" in path else "forward" if "jvp(" in path else "update and the rest"


def kind_of(operation: str) -> str:
    """dot.12 → dot."""
    return re.sub(r"[._]\d+$", "", operation)


def table(name: str, found: Mapping[str, Any]) -> str:
    """The longest parts of one workload, as Markdown."""
    parts = found["parts"]
    total = sum(milliseconds for *_, milliseconds in parts)
    rows = [f"| {name} | | ms a step | share |", "|---|---|---|---|"]
    rows += [f"| {what} | {where} | {ms:.2f} | {ms / total:.0%} |" for what, where, ms in parts[:LINES]]
    if rest := sum(milliseconds for *_, milliseconds in parts[LINES:]):
        rows.append(f"| {len(parts) - LINES} others | | {rest:.2f} | {rest / total:.0%} |")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    sys.exit(main())
