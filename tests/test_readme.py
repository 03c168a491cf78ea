"""The README says what runs: its library lines are executed, and what it names is there."""

import json
import re
from pathlib import Path

import pytest

from exercises.runner.catalogue import load_catalogue
from lessons.notebooks import find

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
(LIBRARY_LINES,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.mark.slow
def test_the_library_lines_run_and_do_what_the_comment_says(capsys):
    exec(compile(LIBRARY_LINES, "README.md", "exec"), {})
    accuracy = re.search(r"([\d.]+)% of 797 digits right", capsys.readouterr().out)
    claimed = re.search(r"# about ([\d.]+)%", LIBRARY_LINES)
    assert accuracy and claimed
    assert float(accuracy[1]) == pytest.approx(float(claimed[1]), abs=1.5)


def test_the_library_lines_are_about_ten():
    assert 8 <= len([line for line in LIBRARY_LINES.splitlines() if line.strip()]) <= 12


def test_every_file_that_is_linked_is_there():
    targets = re.findall(r"\]\((?!https?:)([^)#]+)\)", README)
    assert targets and not [target for target in targets if not (ROOT / target).exists()]


def test_the_first_commands_are_the_two():
    (first, *_) = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    assert [line.split("#")[0].strip() for line in first.splitlines()] == ["make demo", "make test"]


def test_the_number_of_wrong_answers_is_counted():
    recorded = sum(len(exercise.wrong_answers) for exercise in load_catalogue().values())
    assert f"reject {recorded} wrong answers" in " ".join(README.split())


def lesson_results():
    """(notebook, number) for every number in the results of the table of lessons."""
    notebook = None
    for row in re.findall(r"^\|.*\|$", README, re.MULTILINE):
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        if link := re.search(r"\((lessons/\w+\.ipynb)\)", row):
            notebook = link[1]
        elif cells[0]:  # another table
            notebook = None
        if notebook and len(cells) == 4:
            yield from ((notebook, number) for number in re.findall(r"\d+(?:[.,]\d+)*", cells[3]))


def test_every_lesson_is_in_the_table():
    lessons = {f"lessons/{path.stem}.ipynb" for path in (ROOT / "lessons").glob("[0-9][0-9]_*.py")}
    assert {notebook for notebook, _ in lesson_results()} == lessons


@pytest.mark.parametrize("lesson", find(), ids=lambda lesson: lesson.name)
def test_a_lesson_has_the_name_and_the_question_that_it_begins_with(lesson):
    assert f"| {lesson.number} | [{lesson.title}](lessons/{lesson.name}.ipynb): {lesson.question} |" in README


@pytest.mark.parametrize("notebook", sorted({notebook for notebook, _ in lesson_results()}))
def test_every_number_in_the_table_was_printed_by_its_lesson(notebook):
    cells = json.loads((ROOT / notebook).read_text(encoding="utf-8"))["cells"]
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    printed = "".join("".join(o.get("text") or o.get("data", {}).get("text/plain", "")) for o in outputs)
    numbers = set(re.findall(r"\d+(?:[.,]\d+)*", printed))
    assert not [number for where, number in lesson_results() if where == notebook and number not in numbers]
