"""Lessons: what a source says, its notebook holds, and what it claims is executed."""

import base64
import io
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lessons import bootstrap, execution, notebooks
from lessons.__main__ import ON_TWO_CORES, main
from lessons.notebooks import Lesson, parse_percent

EXTRA = "the extra `lessons` (jupytext, nbclient, ipykernel) is not installed"
OPENING = """\
# # Squares: how fast do they grow?
#
# Twice as wide, how much larger? This lesson measures it.
#
# Needed: nothing. Time: one second."""


def write_lesson(folder: Path, name: str, code: str) -> Lesson:
    source = folder / f"{name}.py"
    first = bootstrap.cell(folder.parent)
    source.write_text(f"# %% [markdown]\n{OPENING}\n\n# %%\n{first}\n\n# %%\n{code}\n", encoding="utf-8")
    return Lesson(source)


def write_notebook(lesson: Lesson, output: dict | None = None) -> dict:
    """A faithful notebook, as `build` writes it, without executing anything."""
    cells: list[dict] = [
        {"cell_type": c.kind, "id": f"c{i}", "metadata": {}, "source": c.text} for i, c in enumerate(lesson.cells)
    ]
    for cell in cells:
        if cell["cell_type"] == "code":
            cell |= {"execution_count": None, "outputs": []}
    if output:
        cells[-1]["outputs"] = [output]
    content = {"cells": cells, "metadata": {"source_sha256": lesson.digest}, "nbformat": 4, "nbformat_minor": 5}
    lesson.notebook.write_text(json.dumps(content), encoding="utf-8")
    return content


@pytest.fixture
def course(tmp_path):
    """The folder `lessons` of a small course of its own, with this package's programs and no lesson yet."""
    folder = tmp_path / "lessons"
    folder.mkdir()
    for program in notebooks.LESSONS.glob("[!0-9]*.py"):
        shutil.copy(program, folder)
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nname = "course"\ndependencies = []\nurls.Source = "https://example.org/course.git"\n'
    )
    return folder


def lessons_command(course: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "lessons", *arguments]
    return subprocess.run(
        command, cwd=course.parent, capture_output=True, text=True, timeout=60, env={**os.environ, **environment}
    )


# --- every lesson of this course ---


@pytest.mark.parametrize("lesson", notebooks.find(), ids=lambda lesson: lesson.name)
def test_the_notebook_is_its_source_executed(lesson):
    assert notebooks.problems(lesson) == []


@pytest.mark.parametrize("lesson", notebooks.find(), ids=lambda lesson: lesson.name)
def test_a_lesson_says_what_it_asks_and_how_long_it_takes(lesson):
    assert lesson.title and lesson.question.endswith("?") and lesson.time.endswith(ON_TWO_CORES)


@pytest.mark.parametrize("lesson", notebooks.find(), ids=lambda lesson: lesson.name)
def test_a_lesson_ends_with_the_command_that_tests_its_own_exercises(lesson):
    folder = notebooks.LESSONS.parent / "exercises" / lesson.name
    named = re.findall(r"`python -m pytest (\S+)`", lesson.cells[-1].text)
    assert named == ([f"exercises/{lesson.name}"] if folder.is_dir() else [])


# --- reading sources ---

text_lines = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")) | st.just(" "), min_size=1, max_size=12)
bodies = st.lists(text_lines.map(str.strip), max_size=4).map(lambda lines: "\n".join(lines).strip())
cells_of_a_lesson = st.lists(st.tuples(st.sampled_from(["code", "markdown"]), bodies), max_size=5)


@settings(max_examples=50, deadline=None)
@given(cells_of_a_lesson)
def test_reading_undoes_writing(cells):
    cells = [(kind, text.replace("# %%", "# 5")) for kind, text in cells]
    source = "# ---\n# jupyter: {}\n# ---\n"
    for kind, text in cells:
        commented = "\n".join(f"# {line}".strip() for line in text.splitlines())
        source += f"\n# %% [markdown]\n{commented}\n" if kind == "markdown" else f"\n# %%\n{text}\n"
    assert [(cell.kind, cell.text) for cell in parse_percent(source)] == cells


def test_a_cell_knows_its_line():
    source = "# %%\n\n\nfirst = 1\n\n\n# %% [markdown]\n# text\n"
    assert [(cell.text, cell.line) for cell in parse_percent(source)] == [("first = 1", 4), ("text", 8)]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("import jax\n# %%\n", "only comments before its first `# %%`, got line 1: import jax"),
        ("# %%\n1\n# %% A title\n", r"got line 3: # %% A title"),
        ("# %% [markdown]\n# one\ntwo\n", "`# text`, got line 3: two"),
    ],
)
def test_what_is_not_percent_format_is_named_with_its_line(source, message):
    with pytest.raises(ValueError, match=message.replace("[", r"\[")):
        parse_percent(source)


def test_jupytext_reads_the_same_cells(course):
    pytest.importorskip("jupytext", reason=EXTRA)
    code = "def square(x):\n    return x * x\n\n\n# a comment\nsquare(2)\n\n\n# %% [markdown]\n# - a\n#   - b\n#\n# $x^2$"
    for lesson in [write_lesson(course, "01_squares", code), *notebooks.find()]:
        theirs = [(cell.cell_type, cell.source) for cell in execution.convert(lesson).cells]
        assert theirs == [(cell.kind, cell.text) for cell in lesson.cells]


def test_the_opening_gives_title_question_and_time(course):
    lesson = write_lesson(course, "01_squares", "1")
    assert lesson.title == "Squares"
    assert lesson.question == "how fast do they grow?"
    assert lesson.time == "one second"


# --- names ---


def test_a_lesson_answers_to_four_names(course):
    lessons = [write_lesson(course, name, "1") for name in ("03_squares", "12_cubes")]
    for name in ("03", "3", "03_squares", "squares"):
        assert notebooks.choose([name], lessons) == lessons[:1]
    assert notebooks.choose(["12", "cubes", "3"], lessons) == [lessons[1], lessons[0]]
    assert notebooks.choose([], lessons) == lessons


@pytest.mark.parametrize("verb", ["run", "build", "check"])
def test_an_unknown_name_exits_2_with_one_line_that_names_the_choices(course, capsys, verb):
    write_lesson(course, "03_squares", "1")
    assert main([verb, "4"], folder=course) == 2
    assert capsys.readouterr().err == "No lesson is called 4. Lessons: 03_squares.\n"


# --- drift ---


def test_a_faithful_notebook_has_no_problem(course, capsys):
    lesson = write_lesson(course, "01_squares", "print(2 ** 2)")
    write_notebook(lesson)
    assert notebooks.problems(lesson) == []
    assert main(["check", "--no-execute"], folder=course) == 0


@pytest.mark.parametrize("change", [("2 ** 2", "2 ** 3"), ("Twice as", "twice as"), ("# ## End", "# ## end")])
@pytest.mark.parametrize("where", ["source", "notebook"])
def test_one_changed_character_is_drift(course, change, where):
    lesson = write_lesson(course, "01_squares", "print(2 ** 2)\n\n# %% [markdown]\n# ## End")
    write_notebook(lesson)
    path = lesson.source if where == "source" else lesson.notebook
    old, new = change if where == "source" else [part.removeprefix("# ") for part in change]
    before = path.read_text(encoding="utf-8")
    path.write_text(before.replace(old, new), encoding="utf-8")
    assert path.read_text(encoding="utf-8") != before
    (problem,) = notebooks.problems(Lesson(lesson.source))
    assert "01_squares.ipynb differs from its source at " in problem and "python -m lessons build 01" in problem


def test_drift_is_named_by_the_line_of_the_source(course):
    lesson = write_lesson(course, "01_squares", "print(2 ** 2)")
    write_notebook(lesson)
    lesson.source.write_text(lesson.text.replace("2 ** 2", "2 ** 3"))
    line = lesson.text.splitlines().index("print(2 ** 2)") + 1
    assert f"code cell [2], 01_squares.py:{line}:" in notebooks.problems(Lesson(lesson.source))[0]


def test_a_change_outside_the_cells_still_makes_the_notebook_old(course):
    lesson = write_lesson(course, "01_squares", "print(2 ** 2)")
    write_notebook(lesson)
    lesson.source.write_text("# new\n" + lesson.text)
    (problem,) = notebooks.problems(Lesson(lesson.source))
    assert "was built from another version of its source" in problem


def test_cells_that_only_the_notebook_has_are_drift(course):
    lesson = write_lesson(course, "01_squares", "1")
    content = write_notebook(lesson)
    content["cells"].append(content["cells"][-1] | {"id": "more"})
    lesson.notebook.write_text(json.dumps(content))
    (problem,) = notebooks.problems(lesson)
    assert "which the source does not have" in problem


def test_a_missing_or_broken_notebook_is_a_problem(course, capsys):
    lesson = write_lesson(course, "01_squares", "1")
    assert "01_squares.ipynb is not built: run `python -m lessons build 01`" in notebooks.problems(lesson)[0]
    lesson.notebook.write_text("{")
    assert "is not a notebook" in notebooks.problems(lesson)[0]
    assert main(["check", "--no-execute"], folder=course) == 1


def test_a_stored_error_is_a_problem(course):
    lesson = write_lesson(course, "01_squares", "1 / 0")
    write_notebook(lesson, {"output_type": "error", "ename": "ZeroDivisionError", "evalue": "by zero", "traceback": []})
    (problem,) = notebooks.problems(lesson)
    assert "code cell [2]" in problem and "ZeroDivisionError: by zero" in problem


def test_an_oversize_notebook_names_its_largest_cell(course):
    lesson = write_lesson(course, "01_squares", "picture()")
    room = notebooks.LARGEST - len(json.dumps(write_notebook(lesson))) - 1_000
    for extra, count in ((0, 0), (2_000, 1)):
        write_notebook(lesson, {"output_type": "stream", "name": "stdout", "text": "x" * (room + extra)})
        assert len(notebooks.problems(lesson)) == count
    assert "more than 400 KB. Largest: code cell [2]" in notebooks.problems(lesson)[0]


# --- the first cell ---


def test_a_lesson_without_the_bootstrap_cell_gets_it_and_an_old_one_is_renewed(course):
    lesson = write_lesson(course, "01_squares", "print(2 ** 2)")
    right = lesson.text
    for wrong in (right.replace("example.org", "example.com"), right.replace(bootstrap.cell(course.parent), "1")):
        lesson.source.write_text(wrong)
        assert "is not the bootstrap cell" in notebooks.problems(Lesson(lesson.source))[0]
        execution.refresh_bootstrap(Lesson(lesson.source))
        renewed = Lesson(lesson.source)
        assert next(c.text for c in renewed.cells if c.kind == "code") == bootstrap.cell(course.parent)
        assert renewed.cells[-1].text == "print(2 ** 2)"
        execution.refresh_bootstrap(renewed)
        assert Lesson(lesson.source).text == renewed.text


# --- tidying ---


def test_tidying_keeps_results_and_drops_noise():
    nbformat = pytest.importorskip("nbformat", reason=EXTRA)
    outputs = [
        {"output_type": "stream", "name": "stderr", "text": "50%|##"},
        {"output_type": "stream", "name": "stdout", "text": "step 1\rstep 2\r"},
        {"output_type": "stream", "name": "stderr", "text": "90%|###"},
        {"output_type": "stream", "name": "stdout", "text": "accuracy 0.9\nend\n"},
        {"output_type": "display_data", "metadata": {}, "data": {"application/vnd.jupyter.widget-view+json": {}}},
        {"output_type": "execute_result", "metadata": {}, "data": {"text/plain": "42"}, "execution_count": 1},
    ]
    cell = {"cell_type": "code", "metadata": {"execution": {"started": "now"}}, "outputs": outputs, "source": "f()"}
    notebook = nbformat.from_dict({"cells": [cell], "metadata": {"language_info": {"version": "3.11.7"}}})
    execution.tidy(notebook)
    stream, result = notebook.cells[0].outputs
    assert stream.text == "accuracy 0.9\nend\n" and result.data == {"text/plain": "42"}
    assert notebook.cells[0].metadata == {} and notebook.metadata == {"language_info": {"name": "python"}}


def test_a_smaller_picture_shows_the_same():
    gradient = np.tile(np.arange(250, dtype=np.uint8)[:, None, None], (1, 80, 3))
    large = io.BytesIO()
    Image.fromarray(gradient).save(large, "png", compress_level=0)
    small = base64.b64decode(execution.smaller_png(base64.b64encode(large.getvalue()).decode()))
    assert len(small) < len(large.getvalue()) / 4
    np.testing.assert_allclose(np.asarray(Image.open(io.BytesIO(small)).convert("RGB"), int), gradient, atol=2)


# --- whole commands ---


def test_listing_shows_the_question_and_whether_the_notebook_is_current(course, capsys):
    lesson = write_lesson(course, "01_squares", "1")
    for expected in ("not built", "up to date", "out of date"):
        assert main(["list"], folder=course) == 0
        shown = " ".join(capsys.readouterr().out.split())
        assert "Squares" in shown and "How fast do they grow?" in shown and "one second" in shown
        assert [state for state in ("not built", "up to date", "out of date") if state in shown] == [expected]
        write_notebook(lesson)
        if expected == "up to date":
            lesson.source.write_text(lesson.text + "\n# %%\n2\n")


@pytest.mark.parametrize(("verb", "code"), [("list", 2), ("build", 2), ("check", 1)])
def test_a_source_that_cannot_be_read_is_named(course, capsys, verb, code):
    (course / "01_odd.py").write_text("import jax\n")
    assert main([verb], folder=course) == code
    assert "01_odd.py: A lesson expects only comments before its first" in "".join(capsys.readouterr())


@pytest.mark.parametrize(("verb", "module"), [("build", "jupytext"), ("check", "nbclient")])
def test_without_jupyter_one_sentence_says_what_to_install(course, capsys, monkeypatch, verb, module):
    write_notebook(write_lesson(course, "01_squares", "1"))
    monkeypatch.setitem(sys.modules, module, None)
    assert main([verb], folder=course) == 1
    (sentence,) = capsys.readouterr().err.splitlines()
    assert "`make notebooks`" in sentence and 'pip install -e ".[lessons]"' in sentence


@pytest.mark.slow
def test_running_tells_success_from_failure(course):
    write_lesson(course, "01_right", "import os\nassert os.environ['MPLBACKEND'] == 'Agg'\nprint('drawn')")
    write_lesson(course, "02_wrong", "assert 1 + 1 == 3, 'sums are wrong'")
    right, wrong = lessons_command(course, "run", "1"), lessons_command(course, "run", "right", "wrong")
    assert right.returncode == 0 and "drawn" in right.stdout and "01_right: ran in" in right.stdout
    assert wrong.returncode == 1 and "02_wrong: failed" in wrong.stdout and "sums are wrong" in wrong.stderr


@pytest.mark.slow
def test_building_twice_gives_the_same_bytes_in_this_pythons_kernel(course, tmp_path):
    """Beside an installed kernel of the usual name that cannot start, and a back end that draws nothing."""
    pytest.importorskip("nbclient", reason=EXTRA)
    other = tmp_path / "jupyter" / "kernels" / "python3"
    other.mkdir(parents=True)
    (other / "kernel.json").write_text('{"argv": ["no-such-python"], "display_name": "other", "language": "python"}')
    code = "import matplotlib.pyplot as plt\n\nprint(sys.executable)\nplt.plot([0, 1])\nplt.show()"
    lesson = write_lesson(course, "01_picture", code)
    written = []
    for _ in range(2):
        environment = {"JUPYTER_PATH": str(other.parent.parent), "MPLBACKEND": "Agg"}
        done = lessons_command(course, "build", **environment)
        assert done.returncode == 0, done.stdout + done.stderr
        written.append(lesson.notebook.read_bytes())
    assert written[0] == written[1]
    assert notebooks.problems(lesson) == []
    text, picture = notebooks.read(lesson.notebook)["cells"][-1]["outputs"]
    assert text["text"].strip() == sys.executable and "image/png" in picture["data"]
    assert sorted(path.name for path in course.glob("01_picture*")) == ["01_picture.ipynb", "01_picture.py"]


@pytest.mark.slow
def test_a_failing_assertion_fails_the_check_and_is_named(course):
    pytest.importorskip("nbclient", reason=EXTRA)
    right = write_lesson(course, "01_right", "import warnings\n\nwarnings.warn('rounded')\nassert 1 + 1 == 2")
    wrong = write_lesson(course, "02_wrong", "total = 1 + 1\nassert total == 3, 'sums are wrong'")
    for lesson in (right, wrong):
        write_notebook(lesson)
    done = lessons_command(course, "check", "--expected", "0")
    assert done.returncode == 1
    line = wrong.text.splitlines().index("total = 1 + 1") + 2
    failure = f"02_wrong: code cell [2], 02_wrong.py:{line}\n  assert total == 3, 'sums are wrong'\n"
    assert done.stdout.endswith(failure + "  AssertionError: sums are wrong\n")
    assert "UserWarning: rounded" in done.stdout and "more than the 0 s it should" in done.stdout
    assert done.stderr == ""


@pytest.mark.slow
def test_a_lesson_without_end_is_stopped_at_its_limit(course):
    pytest.importorskip("nbclient", reason=EXTRA)
    write_notebook(write_lesson(course, "01_endless", "while True:\n    pass"))
    done = lessons_command(course, "check", "--limit", "3")
    assert done.returncode == 1 and "still running after 3 s, the time limit" in done.stdout
    assert "code cell [2], 01_endless.py:" in done.stdout
