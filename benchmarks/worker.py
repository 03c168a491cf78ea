"""One library at one workload, in a process of its own: it is asked by lines of JSON, and answers by lines of JSON.

So each library starts fresh, has its memory to itself, and is timed in turns with the others while they wait. It is pinned to
its cores before anything is imported that counts them.
"""

import ctypes
import json
import os
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

MODULES = {
    "ours": "nn",
    "flax.nnx": "flax.nnx",
    "flax.linen": "flax.linen",
    "Keras": "keras",
    "PyTorch": "torch",
    "NumPy": "numpy",
    "JAX": "jax",
}


def module_of(library: str) -> str:
    """What has to be imported for it."""
    return MODULES[library.split(",")[0].split()[0]]


class Worker:
    """What a process can be asked.

    Args:
      workload: by name.
      library: who does it.
      weights: a file of them (npz).
    """

    def __init__(self, workload: str, library: str, weights: Path):
        from benchmarks.workload import MESH

        start = time.perf_counter()
        import_module(module_of(library))
        if library == MESH:
            import nn

            nn.training.cores_as_devices()
        self.imported = time.perf_counter() - start

        import numpy as np

        from benchmarks import catalogue

        self.workload = catalogue.workload(workload)
        self.library = library
        with np.load(weights) as arrays:
            self.weights = dict(arrays)
        self.before = memory("VmRSS")

    def ready(self) -> dict[str, Any]:
        """How long the import took (s)."""
        return {"import": self.imported}

    def agreement(self, path: str) -> dict[str, Any]:
        """Writes what this library's network says, and what it says after steps of gradient descent, to a file."""
        import numpy as np

        from benchmarks.agreement import answers

        np.savez(path, **answers(self.workload, self.library, self.weights)._asdict())
        return {}

    def first(self) -> dict[str, Any]:
        """Builds the network and does everything once: how long until the first step, and the first inference, is done (s)."""
        import numpy as np

        from benchmarks.optimizers import Optimizer

        start = time.perf_counter()
        adam = Optimizer("adam", self.workload.rate, self.workload.momentum)
        self.program = self.workload.program(self.library, adam, self.weights)
        self.program.train(1)
        trained = time.perf_counter()
        self.program.infer(self.workload.inputs())
        done = time.perf_counter()
        self.many = np.concatenate([self.workload.inputs()] * self.workload.steps[1])
        self.program.train(self.workload.steps[0])  # another number of steps may be another program
        self.program.infer(self.many)
        resettable = reset_peak()
        return {"first train": trained - start, "first infer": done - trained, "peak is of steps": resettable}

    def time(self) -> dict[str, Any]:
        """Seconds a step, of training and of inference, by the clock and by the processor's own count."""
        train, infer = self.workload.steps
        return {
            "train": timed(lambda: self.program.train(train), train),
            "infer": timed(lambda: self.program.infer(self.many), infer),
        }

    def memory(self) -> dict[str, Any]:
        """Bytes: what the process had before it built anything, and the most that it had while it was timed."""
        return {"before": self.before, "peak": memory("VmHWM")}


def timed(work: Callable[[], Any], steps: int) -> dict[str, float]:
    """Seconds for each of the steps that `work` does: `wall` by the clock, `cpu` that all cores together were busy."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return {"wall": (time.perf_counter() - wall) / steps, "cpu": (time.process_time() - cpu) / steps}


def memory(what: str) -> int | None:
    """Of this process, in bytes: `VmRSS` now, `VmHWM` at most. None where the system does not say."""
    status = Path("/proc/self/status")
    if not status.exists():
        return None
    (line,) = (line for line in status.read_text().splitlines() if line.startswith(what))
    return 1024 * int(line.split()[1])


def reset_peak() -> bool:
    """Begins to count the peak anew, so that compiling is not in it. False where that cannot be done."""
    try:
        ctypes.CDLL("libc.so.6").malloc_trim(0)  # what compiling freed goes back first: malloc is told to keep it
        Path("/proc/self/clear_refs").write_text("5")
    except (OSError, AttributeError):  # another system, or another C library
        return False
    return True


def main(workload: str, library: str, weights: str, cores: str) -> None:
    """Answers until nobody asks any more."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-int(cores) :])
    # Whatever a library prints goes to stderr: stdout is for answers alone.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    worker = Worker(workload, library, Path(weights))
    for line in sys.stdin:
        request = json.loads(line)
        answer = getattr(worker, request.pop("ask"))(**request)
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
