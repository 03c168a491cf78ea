"""Lesson sources and the notebooks beside them: reading both, and saying where they differ.

The source is what people write and review; the notebook is what students open. Nothing here needs Jupyter, so that the
ordinary tests can hold the two together.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise, zip_longest
from pathlib import Path
from typing import Literal, NamedTuple

from lessons import bootstrap

LESSONS = Path(__file__).resolve().parent
LARGEST = 400_000
"""The most bytes that a notebook may have: what a student on a slow line, and a review of a change, can bear."""


class Cell(NamedTuple):
    """One cell of a lesson: its kind, its text as a notebook holds it, and the line of the source it begins on."""

    kind: Literal["code", "markdown"]
    text: str
    line: int


def parse_percent(text: str) -> list[Cell]:
    """Cells of a percent-format program.

    A cell begins with `# %%` or `# %% [markdown]` alone on a line; Markdown is written as comments. Of what else
    Jupytext knows (titles, tags, magics) lessons use nothing, so that a lesson stays a plain program.

    Raises:
      ValueError: code before the first cell, another cell marker, or a Markdown line that is not a comment.
    """
    cells: list[Cell] = []
    lines = text.split("\n")
    starts = [i for i, line in enumerate(lines) if line.startswith("# %%")] + [len(lines)]
    for number, line in enumerate(lines[: starts[0]], 1):
        if line.strip() and not line.startswith("#"):
            raise ValueError(f"A lesson expects only comments before its first `# %%`, got line {number}: {line}")
    for start, end in pairwise(starts):
        marker = lines[start].rstrip()
        if marker not in ("# %%", "# %% [markdown]"):
            raise ValueError(f"A cell begins with `# %%` or `# %% [markdown]`, got line {start + 1}: {marker}")
        kind = "markdown" if marker.endswith("[markdown]") else "code"
        body = lines[start + 1 : end]
        while body and not body[-1].strip():
            body.pop()
        skipped = next((i for i, line in enumerate(body) if line.strip()), 0)
        body = body[skipped:]
        if kind == "markdown":
            for i, line in enumerate(body):
                if line != "#" and not line.startswith("# "):
                    raise ValueError(f"Markdown is written as `# text`, got line {start + skipped + i + 2}: {line}")
            body = [line[2:] for line in body]
        cells.append(Cell(kind, "\n".join(body), start + skipped + 2))
    return cells


@dataclass(frozen=True)
class Lesson:
    """A lesson by its source, `lessons/NN_topic.py`; the notebook is the file beside it that ends in .ipynb."""

    source: Path

    @property
    def name(self) -> str:
        """The file's name without its ending, such as "03_feedforward"."""
        return self.source.stem

    @property
    def number(self) -> str:
        return self.name.split("_", 1)[0]

    @property
    def topic(self) -> str:
        return self.name.split("_", 1)[1]

    @property
    def notebook(self) -> Path:
        return self.source.with_suffix(".ipynb")

    @cached_property
    def text(self) -> str:
        return self.source.read_text(encoding="utf-8")

    @cached_property
    def cells(self) -> list[Cell]:
        try:
            return parse_percent(self.text)
        except ValueError as error:
            raise ValueError(f"{self.source.name}: {error}") from None

    @property
    def digest(self) -> str:
        """SHA-256 of the source, which a notebook stores to say what it was built from."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def _opening(self) -> str:
        return next((cell.text for cell in self.cells if cell.kind == "markdown"), "")

    @property
    def _heading(self) -> str:
        return next((line.lstrip("# ") for line in self._opening.splitlines() if line.startswith("#")), self.topic)

    @property
    def title(self) -> str:
        """The first heading, up to its colon."""
        return self._heading.partition(": ")[0]

    @property
    def question(self) -> str:
        """What the first heading asks after its colon."""
        return self._heading.partition(": ")[2]

    @property
    def time(self) -> str:
        """What follows "Time:" in the opening cell, such as "about a minute to run on two cores"."""
        found = re.search(r"Time:\s*(.+?)(?:\.\s|\.?$)", " ".join(self._opening.split()))
        return found.group(1) if found else "?"

    def where(self, index: int, line: int = 1) -> str:
        """A cell as a student and an editor both find it: "code cell [2], 03_feedforward.py:41"."""
        cell = self.cells[index]
        ordinal = sum(c.kind == "code" for c in self.cells[: index + 1])
        label = f"code cell [{ordinal}]" if cell.kind == "code" else "Markdown cell"
        return f"{label}, {self.source.name}:{cell.line + line - 1}"


def find(folder: Path = LESSONS) -> list[Lesson]:
    """The lessons in `folder`, in order."""
    return [Lesson(path) for path in sorted(folder.glob("[0-9][0-9]_*.py"))]


def choose(names: Sequence[str], lessons: Sequence[Lesson]) -> list[Lesson]:
    """The lessons called `names`, each "03", "3", "03_feedforward" or "feedforward"; all of them for no names.

    Raises:
      ValueError: a name that no lesson has.
    """
    called = {key: lesson for lesson in lessons for key in (lesson.name, lesson.topic, lesson.number, str(int(lesson.number)))}
    if unknown := [name for name in names if name not in called]:
        choices = ", ".join(lesson.name for lesson in lessons) or "none yet"
        raise ValueError(f"No lesson is called {', '.join(unknown)}. Lessons: {choices}.")
    return list(dict.fromkeys(called[name] for name in names)) if names else list(lessons)


def read(path: Path) -> dict:
    """A notebook file as plain data, the text of each cell and stream joined."""
    content = json.loads(path.read_text(encoding="utf-8"))
    for part in [*content["cells"], *(output for cell in content["cells"] for output in cell.get("outputs", []))]:
        for key in ("source", "text"):
            if isinstance(part.get(key), list):
                part[key] = "".join(part[key])
    return content


def problems(lesson: Lesson) -> list[str]:
    """What is wrong with a lesson's notebook as it lies there, a sentence each; nothing is executed.

    The notebook must exist, begin with the bootstrap cell, hold the source's cells, be built from this very source,
    hold no error, and be no larger than `LARGEST`.
    """
    rebuild = f"run `python -m lessons build {lesson.number}`"
    try:
        cells = lesson.cells
    except ValueError as error:
        return [str(error)]
    found = []
    first = next((cell.text for cell in cells if cell.kind == "code"), "")
    if first != bootstrap.cell(lesson.source.parent.parent):
        found.append(f"its first code cell is not the bootstrap cell of lessons/bootstrap.py: {rebuild}")
    if not lesson.notebook.exists():
        return [*found, f"{lesson.notebook.name} is not built: {rebuild}"]
    try:
        notebook = read(lesson.notebook)
        theirs = [(cell["cell_type"], cell["source"]) for cell in notebook["cells"]]
    except (ValueError, KeyError, TypeError) as error:
        return [*found, f"{lesson.notebook.name} is not a notebook ({type(error).__name__}: {error}): {rebuild}"]
    for index, (ours, their) in enumerate(zip_longest(((c.kind, c.text) for c in cells), theirs)):
        if ours != their:
            place = lesson.where(index) if ours else "the notebook's last cells, which the source does not have"
            found.append(f"{lesson.notebook.name} differs from its source at {place}: {rebuild}")
            break
    else:
        if notebook["metadata"].get("source_sha256") != lesson.digest:
            found.append(f"{lesson.notebook.name} was built from another version of its source: {rebuild}")
    for index, cell in enumerate(notebook["cells"][: len(cells)]):
        for output in cell.get("outputs", []):
            if output["output_type"] == "error":
                found.append(f"an error is stored in {lesson.where(index)}: {output['ename']}: {output['evalue']}")
    return [*found, *oversize(lesson, lesson.notebook.read_bytes())]


def oversize(lesson: Lesson, content: bytes) -> list[str]:
    """One sentence that names the three largest cells when a notebook's bytes are more than `LARGEST`, else nothing."""
    if len(content) <= LARGEST:
        return []
    sizes = [len(json.dumps(cell)) for cell in json.loads(content)["cells"]]
    largest = sorted(range(len(sizes)), key=sizes.__getitem__, reverse=True)[:3]
    named = "; ".join(f"{lesson.where(i)}: {sizes[i] / 1000:.0f} KB" for i in largest if i < len(lesson.cells))
    return [f"{lesson.notebook.name} has {len(content) / 1000:.0f} KB, more than {LARGEST / 1000:.0f} KB. Largest: {named}"]
