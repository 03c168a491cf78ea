"""A worker seen from outside: started with the environment that all have, asked, and ended."""

import json
import select
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.workload import Workload

ROOT = Path(__file__).parents[1]
PATIENCE = 1800.0
"""Seconds that an answer may take: compiling for PyTorch's inductor is the longest."""


class WorkerFailedError(RuntimeError):
    """A process ended or did not answer. The message has the end of what it printed."""


class Process:
    """A worker, from outside."""

    def __init__(self, workload: Workload, library: str, *, weights: Path, cores: int):
        self.log = tempfile.TemporaryFile("w+")  # noqa: SIM115  it is closed with the process
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker", workload.name, library, str(weights), str(cores)],
            cwd=ROOT,
            env=machine.environment(cores),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
        )

    def ask(self, what: str, **arguments: Any) -> dict[str, Any]:
        """Asks and waits for the answer.

        Raises:
          WorkerFailedError: if the process ends, or does not answer in time.
        """
        requests, answers = self.process.stdin, self.process.stdout
        assert requests and answers
        try:
            requests.write(json.dumps({"ask": what, **arguments}) + "\n")
            requests.flush()
        except BrokenPipeError:
            raise WorkerFailedError(self._end()) from None
        if not select.select([answers], [], [], PATIENCE)[0]:
            raise WorkerFailedError(f"no answer within {PATIENCE:g} s")
        if not (line := answers.readline()):
            raise WorkerFailedError(self._end())
        return json.loads(line)

    def close(self) -> None:
        """Ends the process."""
        self.process.kill()
        self.process.communicate()
        self.log.close()

    def _end(self) -> str:
        self.process.wait(timeout=60)
        self.log.seek(0)
        lines = [line.strip() for line in self.log.read().splitlines() if line.strip()]
        return lines[-1][:300] if lines else f"ended with {self.process.returncode}, and said nothing"
