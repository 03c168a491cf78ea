"""`python -m exercises`: what it prints, and the exit status that a script may rely on."""

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

import exercises.__main__ as commands
from exercises.runner import catalogue, outcomes, restoring


def outcome(name, passed=True, message=""):
    kind = "" if passed else "assertion"
    return outcomes.Outcome(exercise=name, answer="mine", test="test_a", passed=passed, kind=kind, message=message)


@pytest.fixture
def tests_say(monkeypatch):
    """Replaces the child process by what it would have said: name -> passed."""

    def install(passed):
        def run(exercises, answers):
            return [outcome(e.name, passed[e.name], "  you called  f(x)") for e in exercises]

        monkeypatch.setattr(commands, "run_tests", run)

    return install


@pytest.mark.parametrize("verb", ["check", "hint", "reset"])
@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("liner", "'liner'. Did you mean linear"),
        ("Relu", "Did you mean relu"),
        ("3", "Did you mean 03_feedforward?"),
        ("zzz", "Choose from: "),
    ],
)
def test_an_unknown_name_exits_2_with_one_line_that_names_the_nearest_or_the_choices(verb, name, advice, capsys):
    assert commands.main([verb, name]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and advice in lines[0]
    assert ("linear, relu, softmax" in lines[0]) == (name == "zzz")


@pytest.mark.parametrize("level", [1, 2, 3])
def test_hint_shows_its_tier_and_no_later_one(level, capsys):
    assert commands.main(["hint", "linear", "--level", str(level)]) == 0
    text = capsys.readouterr().out
    hints = catalogue.load_catalogue()["linear"].hints
    assert [hint in text for hint in hints] == [tier == level for tier in (1, 2, 3)]
    assert (f"--level {level + 1}" in text) == (level < 3)


def test_check_passes_only_if_every_test_does(tests_say, capsys):
    tests_say({"linear": True, "relu": True})
    assert commands.main(["check", "linear", "relu"]) == 0
    tests_say({"linear": True, "relu": False})
    assert commands.main(["check", "linear", "relu"]) == 1
    text = capsys.readouterr().out
    assert "✗ relu" in text and "you called  f(x)" in text


def test_next_is_the_first_that_does_not_pass(monkeypatch, capsys):
    def states(exercises):
        found = {e.name: (outcomes.PASSING, [outcome(e.name)]) for e in exercises}
        return found | {name: (outcomes.FAILING, [outcome(name, False, f"about {name}")]) for name in ("relu", "softmax")}

    monkeypatch.setattr(commands, "states", states)
    assert commands.main(["next"]) == 1
    text = capsys.readouterr().out
    assert "about relu" in text and "about softmax" not in text


def test_the_list_cuts_no_name_on_a_narrow_terminal(monkeypatch, capsys):
    monkeypatch.setattr(commands, "states", lambda exercises: {e.name: (outcomes.NOT_WRITTEN, []) for e in exercises})
    monkeypatch.setattr(commands, "console", Console(highlight=False, soft_wrap=True, width=80))
    assert commands.main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    first = [line.split()[0] for line in lines if line.strip()]
    for exercise in catalogue.load_catalogue().values():
        assert exercise.name in first and exercise.topic in first


def test_an_untouched_checkout_is_not_written_without_running_a_test(tmp_path, monkeypatch):
    def run(*arguments):
        raise AssertionError("a blank needs no test run")

    monkeypatch.setattr(outcomes, "run_tests", run)
    monkeypatch.setattr(catalogue, "FOLDER", tmp_path)
    (tmp_path / "03_feedforward").mkdir()
    exercise = catalogue.load_catalogue()["relu"]
    exercise.blank.write_text('def relu(x):\n    raise NotImplementedError("TODO: what?")\n', encoding="utf-8")
    assert outcomes.states([exercise]) == {"relu": (outcomes.NOT_WRITTEN, [])}


def test_the_catalogue_refuses_a_wrong_number_of_hints():
    with pytest.raises(ValueError, match="linear expects 3 hints, got 1"):
        replace(catalogue.load_catalogue()["linear"], hints=("only one",))


def test_the_catalogue_names_the_entry_with_a_missing_field(tmp_path):
    (tmp_path / "03_topic").mkdir()
    path = tmp_path / "03_topic" / "exercises.toml"
    path.write_text('[[exercise]]\nname = "relu"\nhints = ["a", "b", "c"]\n', encoding="utf-8")
    with pytest.raises(ValueError, match=r"03_topic/exercises.toml, exercise 'relu': .*missing.*'title'"):
        catalogue.load_catalogue(tmp_path)


def test_the_catalogue_goes_by_topic_and_refuses_a_name_that_an_earlier_topic_has(tmp_path):
    fields = 'title = "t"\nlibrary = "l"\nreading = "r"\nhints = ["a", "b", "c"]\nwrong_answers = {}\n'
    for topic, names in {"10_later": "c", "02_earlier": "ba"}.items():
        (tmp_path / topic).mkdir()
        entries = "".join(f'[[exercise]]\nname = "{name}"\n{fields}' for name in names)
        (tmp_path / topic / "exercises.toml").write_text(entries, encoding="utf-8")
    assert [(e.topic, e.name) for e in catalogue.load_catalogue(tmp_path).values()] == [
        ("02_earlier", "b"),
        ("02_earlier", "a"),
        ("10_later", "c"),
    ]
    (tmp_path / "11_last").mkdir()
    (tmp_path / "11_last" / "exercises.toml").write_text(f'[[exercise]]\nname = "a"\n{fields}', encoding="utf-8")
    catalogue.load_catalogue.cache_clear()
    with pytest.raises(ValueError, match=r"11_last/exercises\.toml has 'a', a name that 02_earlier has already"):
        catalogue.load_catalogue(tmp_path)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("git") is None, reason="reset needs git, which is not installed")
def test_reset_brings_the_blank_back_and_keeps_what_was_written(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(catalogue, "FOLDER", tmp_path)
    monkeypatch.setattr(restoring, "ROOT", tmp_path)
    exercise = catalogue.load_catalogue()["relu"]
    exercise.blank.parent.mkdir()
    handed_out = 'def relu(x):\n    raise NotImplementedError("TODO: what?")\n'

    def commit(source):
        exercise.blank.write_text(source, encoding="utf-8")
        for command in (["add", "-A"], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "work"]):
            subprocess.run(["git", *command], cwd=tmp_path, check=True)

    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    commit(handed_out)
    commit("def relu(x):\n    return x\n")  # a student may commit too
    exercise.blank.write_text("def relu(x):\n    return abs(x)\n", encoding="utf-8")

    assert commands.main(["reset", "relu"]) == 1  # not without --yes
    assert "abs" in exercise.blank.read_text(encoding="utf-8")
    assert commands.main(["reset", "relu", "--yes"]) == 0
    assert exercise.blank.read_text(encoding="utf-8") == handed_out
    (kept,) = exercise.blank.parent.glob("relu.*.txt")
    assert "abs" in kept.read_text(encoding="utf-8")
    assert Path(kept).name in capsys.readouterr().out


@pytest.mark.slow
def test_pytest_runs_from_inside_the_folder():
    """A student stands where their file is, and has installed nothing but the dependencies."""
    folder = catalogue.FOLDER / "03_feedforward"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_relu.py", "--answer=wrong:hides_nan"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "you called  relu(x) with x = [nan, -1, nan, 0, 1]" in done.stdout
    assert "Traceback" not in done.stdout
