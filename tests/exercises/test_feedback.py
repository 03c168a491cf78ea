"""What a student reads when an answer is wrong: each failure once, with digits enough, and what to do next."""

import numpy as np
import pytest

import exercises.__main__ as commands
from exercises.runner import catalogue, outcomes
from exercises.runner.expectations import expect, expect_refusal, expect_that


def test_expect_shows_as_many_digits_as_it_takes_to_tell_the_two_apart():
    with pytest.raises(AssertionError) as raised:
        expect(np.array([1.09863]), [1.09861], "f(x)")
    assert str(raised.value).splitlines()[1:] == [
        "  it returned [1.09863]",
        "  expected    [1.09861]",
        "  differs by  2e-05 (allowed 1.2e-05)",
    ]


def test_none_is_a_missing_return_and_a_function_was_no_refusal():
    with pytest.raises(AssertionError, match=r"it returned None \(is there a `return`\?\)"):
        expect_that(False, "f(0)", None, "a function")
    with pytest.raises(AssertionError, match="it returned a function, without complaint"):
        expect_refusal(lambda: max, "f(0)")


def test_identical_failures_are_shown_once_and_so_is_where_to_look(capsys):
    exercise = catalogue.load_catalogue()["relu"]

    def failure(body):
        message = f"{body}\n{exercise.look}"
        return outcomes.Outcome(exercise="relu", answer="mine", test="test_a", passed=False, kind="crash", message=message)

    commands.show_failures(exercise, [failure(body) for body in ("one", "two", "one", "one", "three")], most=2)
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        "a", "one", "… the same in 2 more", "a", "two", "… and 1 more, often for the same reason.", exercise.look.strip()
    ]  # fmt: skip


def test_where_to_look_is_a_file_that_is_there():
    for exercise in catalogue.load_catalogue().values():
        assert (catalogue.ROOT / exercise.lesson).exists()
        assert exercise.lesson in exercise.look


def test_list_names_the_next_lesson_once_all_pass(monkeypatch, capsys):
    everything = {e.name: (outcomes.PASSING, []) for e in catalogue.choose([])}
    monkeypatch.setattr(commands, "states", lambda exercises: everything)
    monkeypatch.setattr(commands, "lesson_after", lambda topic: "lessons/99_end.ipynb")
    assert commands.main(["list"]) == 0
    assert "Go on with the next lesson: lessons/99_end.ipynb" in capsys.readouterr().out


def test_the_lesson_after_is_the_first_later_one_and_none_after_the_last(tmp_path, monkeypatch):
    monkeypatch.setattr(catalogue, "ROOT", tmp_path)
    (tmp_path / "lessons").mkdir()
    for name in ("05_c", "03_a", "04_b"):
        (tmp_path / "lessons" / f"{name}.ipynb").touch()
    assert catalogue.lesson_after("03_a") == "lessons/04_b.ipynb"
    assert catalogue.lesson_after("05_c") is None
