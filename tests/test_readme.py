"""The README says what runs: its library lines are executed, and what it names is there."""

import re
from pathlib import Path

import pytest

from exercises.runner.catalogue import load_catalogue

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
