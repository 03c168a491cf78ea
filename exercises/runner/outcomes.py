"""Runs tests in a child process and reads what came of them, so that an endless loop or a crash ends only the child."""

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from exercises.runner.answers import MINE, is_blank
from exercises.runner.catalogue import ROOT, Exercise

NOT_WRITTEN, FAILING, PASSING = "not written", "failing", "passing"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of one test.

    Attributes:
      exercise: its name.
      answer: whose function was tested: `mine`, `library` or `wrong:NAME`.
      test: the test's name.
      passed: whether it passed.
      kind: of failure: `assertion`, `crash`, `not written` or `not loaded`; empty if it passed.
      message: what the student reads; empty if it passed.
    """

    exercise: str
    answer: str
    test: str
    passed: bool
    kind: str
    message: str


def run_tests(exercises: list[Exercise], answers: list[str], timeout: float = 300) -> list[Outcome]:
    """Asks the tests of these exercises of these answers, all in one child process.

    Args:
      exercises: whose tests to run.
      answers: as for `pytest --answer`: `mine`, `library`, `wrong:NAME`, or `wrong` for all recorded wrong ones.
      timeout: in seconds, for all of it.

    Returns:
      An outcome for each test that ran, in order. Behind an answer's first failure tests may be skipped.

    Raises:
      RuntimeError: if the tests could not be run to the end; the message says why.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "outcomes.jsonl"
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--outcomes={file}"]
        command += [str(exercise.tests) for exercise in exercises] + [f"--answer={answer}" for answer in answers]
        try:
            child = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=timeout)
        except subprocess.TimeoutExpired:
            raise RuntimeError(f"The tests were still running after {timeout:g} s. Is there an endless loop?") from None
        if child.returncode not in (0, 1):  # 1 is pytest's code for failed tests
            raise RuntimeError(f"pytest could not run:\n{child.stdout}{child.stderr}".rstrip())
        lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
        return [Outcome(**json.loads(line)) for line in lines]


def states(exercises: list[Exercise]) -> dict[str, tuple[str, list[Outcome]]]:
    """Where the student stands: name -> (`not written`, `failing` or `passing`; the outcomes behind it).

    A blank is known by its TODO and costs no test run.

    Raises:
      RuntimeError: if the tests could not be run to the end.
    """
    written = [e for e in exercises if not (e.blank.exists() and is_blank(e.blank.read_text(encoding="utf-8")))]
    outcomes = run_tests(written, [MINE]) if written else []
    found: dict[str, tuple[str, list[Outcome]]] = {exercise.name: (NOT_WRITTEN, []) for exercise in exercises}
    for exercise in written:
        own = [outcome for outcome in outcomes if outcome.exercise == exercise.name]
        passing = bool(own) and all(outcome.passed for outcome in own)
        found[exercise.name] = (PASSING if passing else FAILING, own)
    return found
