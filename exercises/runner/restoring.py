"""Gives a student a fresh blank, and keeps what they wrote: a mistake here would cost an evening's work."""

import subprocess
from datetime import datetime
from pathlib import Path

from exercises.runner.answers import is_blank
from exercises.runner.catalogue import ROOT, Exercise


def blank_from_history(path: Path) -> str:
    """The newest version of the file in git that is still a blank; the student may have committed an answer since.

    Raises:
      RuntimeError: if this is no git checkout, or the file was never a blank in it.
    """
    name = path.relative_to(ROOT).as_posix()
    for commit in _git("log", "--format=%H", "--", name).split():
        source = _git("show", f"{commit}:{name}")
        if is_blank(source):
            return source
    raise RuntimeError(f"git has no blank version of {name}.")


def restore(exercise: Exercise) -> Path:
    """Puts the blank back, and returns where the student's file is kept.

    Raises:
      RuntimeError: if git cannot tell what the blank was. Nothing is changed then.
    """
    source = blank_from_history(exercise.blank)
    kept = exercise.blank.with_name(f"{exercise.name}.{datetime.now():%Y%m%d-%H%M%S-%f}.txt")
    if exercise.blank.exists():
        exercise.blank.rename(kept)
    exercise.blank.write_text(source, encoding="utf-8")
    return kept


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, encoding="utf-8")
    except FileNotFoundError:
        raise RuntimeError("git is not installed.") from None
    if done.returncode:
        raise RuntimeError(f"git {arguments[0]} failed: {done.stderr.strip()}")
    return done.stdout
