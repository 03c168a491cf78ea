"""Answers: the function under test, which may be the student's, the library's, or one of the recorded wrong ones.

The same tests are asked of all three; that is how the course knows that its tests can tell them apart.
"""

import ast
import importlib
import importlib.util
import os
import traceback
from collections.abc import Callable
from pathlib import Path

from exercises.runner.catalogue import Exercise

MINE = "mine"
LIBRARY = "library"
WRONG = "wrong:"


class AnswerError(Exception):
    """An answer that cannot be loaded: its message is for the student, and stands without a traceback."""


def answers_of(exercise: Exercise, wanted: list[str]) -> list[str]:
    """Those of the wanted answers that the exercise has. `wrong` stands for all recorded wrong ones."""
    recorded = [WRONG + name for name in exercise.wrong_answers]
    expanded = [answer for choice in wanted for answer in (recorded if choice == "wrong" else [choice])]
    return [answer for answer in dict.fromkeys(expanded) if answer in (MINE, LIBRARY, *recorded)]


def load_answer(exercise: Exercise, answer: str = MINE) -> Callable:
    """The function that `answer` stands for: `mine`, `library` or `wrong:NAME`.

    Raises:
      AnswerError: if the file does not run, or does not define the function.
    """
    if answer == LIBRARY:
        module, _, name = exercise.library.partition(":")
        return getattr(importlib.import_module(module), name)
    if answer == MINE:
        return load_function(exercise.blank, exercise.name)
    return load_function(exercise.wrong_answers_file, answer.removeprefix(WRONG))


def load_function(path: Path, name: str) -> Callable:
    """Runs a file and returns the function of this name. By path, since folders such as 03_feedforward are no packages.

    Raises:
      AnswerError: if the file is missing, does not run, or has no such function.
    """
    spec = importlib.util.spec_from_file_location(f"answer_{name}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except FileNotFoundError:
        raise AnswerError(f"There is no file {shown(path)}.") from None
    except SyntaxError as error:
        line = (error.text or "").rstrip()
        pointer = " " * (error.offset - 1) + "^" if error.offset else ""
        raise AnswerError(
            f"{shown(path)} is not Python yet: {error.msg}, line {error.lineno}.\n    {line}\n    {pointer}".rstrip()
        ) from None
    except Exception as error:
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
        at = f", line {lines[-1]}" if lines else ""
        raise AnswerError(f"{shown(path)} stops while it is loaded{at}: {type(error).__name__}: {error}") from error
    function = getattr(module, name, None)
    if not callable(function):
        raise AnswerError(f"{shown(path)} should define a function named {name}, and does not.")
    return function


def is_blank(source: str) -> bool:
    """Whether a file still raises the TODO it was handed out with."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return False
    raised = [node.exc for node in ast.walk(tree) if isinstance(node, ast.Raise)]
    return any(
        isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id == "NotImplementedError"
        and any(isinstance(text, ast.Constant) and str(text.value).startswith("TODO") for text in call.args)
        for call in raised
    )


def shown(path: Path) -> str:
    """The path as the student would type it, from where they stand."""
    return os.path.relpath(path)
