"""Asks the same tests of the student's file, of the library, or of recorded wrong answers, and words the failures.

A student reads these failures, not the tests' code: so a failure is the call, the two values and where to look.
"""

import json
import os
import re
import traceback
from pathlib import Path

import pytest

from exercises.runner.answers import LIBRARY, MINE, WRONG, AnswerError, answers_of, load_answer, shown
from exercises.runner.catalogue import Exercise, load_catalogue

# The programs are tiny: XLA takes far longer to optimize one than to run it.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
# Lesson 11 is about several devices: a CPU stands for four. Each that waits for the others in a sum needs a thread of its own.
os.environ.setdefault("JAX_NUM_CPU_DEVICES", "4")
os.environ.setdefault("PJRT_NPROC", "16")

# Exceptions that everybody meets, in the words of NumPy and jax, and what they mean here.
ADVICE = {
    r"unsupported operand type\(s\) for \+=?: .*NoneType|scalar arguments, got <class 'NoneType'>": (
        "bias is None in this call: add it only where there is one"
    ),
    r"'NoneType' object (has no|is not)": "a function came back with None: is there a `return`?",
    r"truth value of an array": "an `if` on an array: for bias write `if bias is not None`; number by number, jnp.where",
    r"TracerBoolConversionError": (
        "an `if` on a number that jit does not know yet: choose by jnp.where; refuse only what is no jax.core.Tracer"
    ),
    r"NonConcreteBooleanIndexError": (
        "x[mask] under jit, which has to know how many rows come out: multiply by the mask, or by jax.nn.one_hot of the labels"
    ),
    r"__jax_array__": "in this test a loss only stands for one on a device, and jnp cannot take it: keep losses as they are",
    r"Singular matrix": "a matrix without an inverse: np.linalg.pinv takes the pseudo-inverse, if that is what is asked for",
    r"[Ii]ncompatible shapes for broadcasting": "keepdims=True keeps the reduced axis, so that the shapes fit",
}

REASON_TO_SKIP = pytest.StashKey[dict[tuple[str, str], str]]()


def pytest_addoption(parser):
    group = parser.getgroup("exercises")
    group.addoption(
        "--answer",
        action="append",
        metavar="WHICH",
        help="whose function to test: mine (the file you edit; the default), library, wrong:NAME, or wrong for all of "
        "the recorded wrong ones; may be repeated",
    )
    group.addoption("--outcomes", type=Path, metavar="FILE", help="also write each test's outcome as a line of JSON")


def pytest_configure(config):
    config.stash[REASON_TO_SKIP] = {}
    known = {MINE, LIBRARY, "wrong"} | {WRONG + name for e in load_catalogue().values() for name in e.wrong_answers}
    for answer in config.getoption("--answer") or []:
        if answer not in known:
            raise pytest.UsageError(f"--answer={answer} is unknown. Choose from: {', '.join(sorted(known))}.")


def exercise_at(path: Path) -> Exercise:
    """The exercise whose test file this is."""
    return next(exercise for exercise in load_catalogue().values() if exercise.tests == path)


def pytest_generate_tests(metafunc):
    wanted = metafunc.config.getoption("--answer")
    if wanted and "answer" in metafunc.fixturenames:
        answers = answers_of(exercise_at(metafunc.definition.path), wanted)
        metafunc.parametrize("answer", answers, indirect=True, scope="module")


@pytest.fixture(scope="module")
def answer(request):
    """The function under test. Each test file gives it the exercise's own name."""
    return load_answer(exercise_at(request.path), getattr(request, "param", MINE))


def identity(item) -> tuple[str, str]:
    """(exercise, answer) that a test is asked of."""
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    return exercise_at(item.path).name, parameters.get("answer", MINE)


def pytest_runtest_setup(item):
    # One blank file is one message, not one for each of its tests.
    if reason := item.config.stash[REASON_TO_SKIP].get(identity(item)):
        pytest.skip(reason)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    kind = message = ""
    if report.failed and call.excinfo is not None:
        exercise, (_, which) = exercise_at(item.path), identity(item)
        kind, message = worded(exercise, call.excinfo.value)
        report.longrepr = message
        if kind in ("not written", "not loaded"):
            item.config.stash[REASON_TO_SKIP][exercise.name, which] = f"{exercise.name} is {kind}"
        elif which.startswith(WRONG):
            item.config.stash[REASON_TO_SKIP][exercise.name, which] = "already rejected"
    if (path := item.config.getoption("--outcomes")) and (report.failed or report.when == "call"):
        name, which = identity(item)
        outcome = {"exercise": name, "answer": which, "test": item.originalname, "passed": report.passed}
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(outcome | {"kind": kind, "message": message}) + "\n")
    return report


def worded(exercise: Exercise, error: BaseException) -> tuple[str, str]:
    """What kind of failure this is, and the text that a student should read."""
    if isinstance(error, NotImplementedError) and str(error).startswith("TODO"):
        question = str(error).removeprefix("TODO").lstrip(": ")
        return "not written", (
            f"{exercise.name} is not written yet. Write it in {shown(exercise.blank)}, and begin with this question:\n"
            f"  {question}\n{exercise.look}"
        )
    if isinstance(error, AnswerError):
        return "not loaded", f"{error}\n{exercise.look}"
    if isinstance(error, AssertionError):
        return "assertion", f"{error}\n{exercise.look}"
    return "crash", f"{crash(exercise, error)}\n{exercise.look}"


def crash(exercise: Exercise, error: BaseException) -> str:
    """The exception, the test's line and the student's lines; the frames inside jax help nobody."""
    reason = str(error).strip().splitlines()
    frames = traceback.extract_tb(error.__traceback__)
    asked = [frame for frame in frames if Path(frame.filename) == exercise.tests][-1:]
    answered = [f for f in frames if Path(f.filename) in (exercise.blank, exercise.wrong_answers_file)]
    stopped = f"{type(error).__name__}: {reason[0] if reason else ''}"
    lines = [f"  {exercise.name} stopped with {stopped}"]
    lines += [f"    {shown(Path(frame.filename))}, line {frame.lineno}: {frame.line}" for frame in asked + answered]
    lines += [f"  perhaps     {advice}" for symptom, advice in ADVICE.items() if re.search(symptom, stopped)]
    return "\n".join(lines)
