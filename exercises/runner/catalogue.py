"""The catalogue: which exercises there are and in what order. It is data, easily edited: each topic's `exercises.toml`."""

import difflib
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1]
ROOT = FOLDER.parent

HINT_TIERS = ("a nudge", "the idea", "almost the answer")


@dataclass(frozen=True, kw_only=True)
class Exercise:
    """One function to write.

    Attributes:
      name: the function's name, and its file's.
      topic: the folder, and the lesson that goes with it, as `03_feedforward`.
      title: a few words for the list.
      library: where the library keeps the same function, as `nn.layers.linear:linear`.
      reading: where the definition stands in the literature.
      hints: one per tier of `HINT_TIERS`.
      wrong_answers: name of a recorded wrong answer -> the sentence that says what is wrong with it.
    """

    name: str
    topic: str
    title: str
    library: str
    reading: str
    hints: tuple[str, ...]
    wrong_answers: dict[str, str]

    def __post_init__(self):
        if len(self.hints) != len(HINT_TIERS):
            raise ValueError(f"Exercise {self.name} expects {len(HINT_TIERS)} hints, got {len(self.hints)}.")

    @property
    def blank(self) -> Path:
        """The file that the student edits."""
        return FOLDER / self.topic / f"{self.name}.py"

    @property
    def tests(self) -> Path:
        return FOLDER / self.topic / f"test_{self.name}.py"

    @property
    def wrong_answers_file(self) -> Path:
        return FOLDER / self.topic / "wrong_answers" / f"{self.name}.py"

    @property
    def lesson(self) -> str:
        """The notebook, as a path from the clone's root."""
        return f"lessons/{self.topic}.ipynb"

    @property
    def look(self) -> str:
        """The last line of a failure: the lesson, the literature and the hint command."""
        return f"  look at     {self.lesson} · {self.reading} · python -m exercises hint {self.name}"


@cache
def load_catalogue(folder: Path = FOLDER) -> dict[str, Exercise]:
    """All exercises by name, in the order of the course: topics by their number, exercises as their topic lists them.

    Raises:
      ValueError: if two exercises share a name, or one has a field missing, too many, or the wrong number of hints.
    """
    catalogue: dict[str, Exercise] = {}
    for path in sorted(folder.glob("[0-9][0-9]_*/exercises.toml")):
        shown = path.relative_to(folder).as_posix()
        for entry in tomllib.loads(path.read_text(encoding="utf-8"))["exercise"]:
            try:
                exercise = Exercise(topic=path.parent.name, **entry | {"hints": tuple(entry.get("hints", ()))})
            except TypeError as error:  # a field is missing, or unknown
                raise ValueError(f"{shown}, exercise {entry.get('name')!r}: {error}") from error
            if exercise.name in catalogue:
                raise ValueError(f"{shown} has {exercise.name!r}, a name that {catalogue[exercise.name].topic} has already.")
            catalogue[exercise.name] = exercise
    return catalogue


def lesson_after(topic: str) -> str | None:
    """The notebook of the first lesson behind a topic's own, as a path from the clone's root; None behind the last."""
    later = sorted(path.stem for path in (ROOT / "lessons").glob("[0-9][0-9]_*.ipynb") if path.stem > topic)
    return f"lessons/{later[0]}.ipynb" if later else None


def choose(names: list[str]) -> list[Exercise]:
    """The exercises that these names, of exercises or topics, stand for, in the order of the course; all for no name.

    Raises:
      ValueError: for an unknown name; the message names the choices.
    """
    catalogue = load_catalogue()
    choices = [*catalogue, *dict.fromkeys(exercise.topic for exercise in catalogue.values())]
    for name in names:
        if name not in choices:
            near = difflib.get_close_matches(name.lower(), choices, n=3, cutoff=0.5)
            near += [choice for choice in choices if choice.split("_")[0] == name.zfill(2)]
            advice = f"Did you mean {' or '.join(near)}?" if near else f"Choose from: {', '.join(choices)}."
            raise ValueError(f"There is no exercise {name!r}. {advice}")
    return [e for e in catalogue.values() if not names or e.name in names or e.topic in names]
