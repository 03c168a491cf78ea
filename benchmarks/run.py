"""The run: first whether all compute the same, then rounds in which each library has its turn, in an order drawn anew.

What disturbs a machine for a while disturbs everybody in that round, and ratios are taken within rounds.
"""

import random
import subprocess
import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import machine
from benchmarks.agreement import Agreement, Answers, agreement, require_agreement
from benchmarks.catalogue import FLOOR
from benchmarks.process import ROOT, Process, WorkerFailedError
from benchmarks.worker import module_of
from benchmarks.workload import MESH, OURS, Workload

Results = dict[str, Any]


def installed(libraries: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Those that can be imported here; and for each of the others, why it is left out."""
    missing = {library: f"{module_of(library)} is not installed" for library in libraries if not find_spec(module_of(library))}
    return [library for library in libraries if library not in missing], missing


def check(workload: Workload, libraries: Sequence[str], folder: Path, say: Callable[[str], None]) -> Results:
    """How far each library is from ours, as shares; those that fail are named with their reason.

    Raises:
      ValueError: if one computes something else.
    """
    heard: dict[str, Answers] = {}
    left_out: dict[str, str] = {}
    for library in libraries:
        process = Process(workload, library, weights=_weights(workload, folder), cores=1 + (library == MESH))
        path = folder / "answers.npz"
        try:
            process.ask("agreement", path=str(path))
            with np.load(path) as arrays:
                heard[library] = Answers(**arrays)
        except WorkerFailedError as error:
            left_out[library] = str(error)
        finally:
            process.close()
    if OURS not in heard:
        raise ValueError(f"On {workload.name} ours failed: {left_out.get(OURS, 'it was not asked for')}.")
    found: dict[str, Agreement] = {}
    for library, theirs in heard.items():
        if library != OURS:
            found[library] = agreement(heard[OURS], theirs)
            say(f"  {workload.name}, {library}: outputs {found[library].outputs:.0e}, change {found[library].change:.0e}")
    require_agreement(workload.name, found)
    return {"agreement": {library: list(parts) for library, parts in found.items()}, "left out": left_out}


def measure(
    workload: Workload, libraries: Sequence[str], *, cores: int, rounds: int, folder: Path, say: Callable[[str], None]
) -> Results:
    """Starts all, one after the other, then times them in turns: seconds a step for each round, first steps, memory."""
    processes: dict[tuple[str, str], Process] = {}
    records: dict[tuple[str, str], dict[str, Any]] = {}
    left_out: dict[str, str] = {}
    asked: list[tuple[Workload, str]] = [(workload, library) for library in libraries]
    asked += [(FLOOR, library) for library in installed(FLOOR.libraries)[0]]
    draw = random.Random(0)
    try:
        for what, library in asked:
            key = (what.name, library)
            process = processes[key] = Process(what, library, weights=_weights(what, folder), cores=cores)
            try:
                records[key] = process.ask("ready") | process.ask("first") | {"train": [], "infer": []}
            except WorkerFailedError as error:
                left_out[library] = str(error)
                say(f"  {what.name}, {library} is left out: {error}")
                processes.pop(key).close()
                continue
            say(f"  {what.name}, {library}: the first step was done after {records[key]['first train']:.1f} s")
        for _ in range(rounds):
            for key in draw.sample(list(processes), len(processes)):
                try:
                    answer = processes[key].ask("time")
                except WorkerFailedError as error:  # such as for want of memory
                    left_out[key[1]] = str(error)
                    say(f"  {key[0]}, {key[1]} is left out from here on: {error}")
                    processes.pop(key).close()
                    records.pop(key)
                    continue
                for kind in ("train", "infer"):
                    records[key][kind].append(answer[kind])
        for key, process in processes.items():
            records[key] |= process.ask("memory")
    finally:
        for process in processes.values():
            process.close()
    floor = {library: record["train"] for (name, library), record in records.items() if name == FLOOR.name}
    return {
        "workload": workload.name,
        "family": workload.family,
        "size": workload.size,
        "cores": cores,
        "operations": workload.operations()._asdict(),
        "libraries": {library: record for (name, library), record in records.items() if name == workload.name},
        "floor": {"operations": FLOOR.operations().train, "products": floor},
        "left out": left_out,
    }


def _weights(workload: Workload, folder: Path) -> Path:
    """A file with the weights that all begin with, made by a process of its own: JAX is not to stand beside PyTorch."""
    path = folder / f"{workload.name}.npz"
    if not path.exists():
        program = "import sys, numpy; from benchmarks.catalogue import workload; "
        program += "numpy.savez(sys.argv[2], **workload(sys.argv[1]).weights())"
        command = [sys.executable, "-c", program, workload.name, str(path)]
        subprocess.run(command, cwd=ROOT, env=machine.environment(1), check=True)
    return path
