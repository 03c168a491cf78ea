"""The exercises can tell right from wrong: blanks and wrong answers are rejected, the library passes.

A child process for each topic asks every test of every answer; the tests here read what came of it.
"""

import ast
import inspect
import os
from functools import cache

import numpy as np
import pytest

from exercises.runner.answers import LIBRARY, MINE, WRONG, AnswerError, is_blank, load_answer, load_function
from exercises.runner.catalogue import ROOT, load_catalogue
from exercises.runner.expectations import expect, expect_refusal
from exercises.runner.outcomes import run_tests

CATALOGUE = load_catalogue()
TOPICS = list(dict.fromkeys(exercise.topic for exercise in CATALOGUE.values()))
WRONG_ANSWERS = [(name, wrong) for name, exercise in CATALOGUE.items() for wrong in exercise.wrong_answers]


def blank(name):
    """The exercise, if its file is still a blank. A student's own answers must not break `make test`, nor hide in CI."""
    exercise = CATALOGUE[name]
    if not is_blank(exercise.blank.read_text(encoding="utf-8")):
        message = f"{exercise.blank.relative_to(ROOT)} is filled in by you; python -m exercises check {name} tests it"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(message)
    return exercise


@cache
def outcomes_of(topic):
    """(exercise, answer) -> the outcomes of its tests. A topic at a time: all of them would outlast one child's time limit."""
    found = {}
    exercises = [exercise for exercise in CATALOGUE.values() if exercise.topic == topic]
    for outcome in run_tests(exercises, [MINE, LIBRARY, "wrong"]):
        found.setdefault((outcome.exercise, outcome.answer), []).append(outcome)
    return found


@pytest.fixture
def outcomes(name):
    return outcomes_of(CATALOGUE[name].topic)


@pytest.mark.slow
@pytest.mark.parametrize("name", CATALOGUE)
def test_a_blank_fails_and_asks_its_question(outcomes, name):
    exercise = blank(name)
    (outcome,) = outcomes[name, MINE]  # its other tests are skipped: one blank, one message
    question = question_of(exercise)
    assert outcome.kind == "not written"
    assert question in outcome.message and f"python -m exercises hint {name}" in outcome.message


def question_of(exercise):
    """What the blank's TODO asks."""
    function = load_answer(exercise)
    named = {name: None for name, p in inspect.signature(function).parameters.items() if p.kind is p.KEYWORD_ONLY}
    others = [None] * (len(inspect.signature(function).parameters) - len(named))
    with pytest.raises(NotImplementedError, match=r"^TODO: .*\?$") as raised:
        function(*others, **named)
    return str(raised.value).removeprefix("TODO: ")


@pytest.mark.slow
@pytest.mark.parametrize("name", CATALOGUE)
def test_the_library_passes_every_test(outcomes, name):
    failures = [outcome.message for outcome in outcomes[name, LIBRARY] if not outcome.passed]
    assert not failures
    # Every test in the file was asked, none skipped.
    functions = ast.parse(CATALOGUE[name].tests.read_text(encoding="utf-8")).body
    tests = {f.name for f in functions if isinstance(f, ast.FunctionDef) and f.name.startswith("test_")}
    assert {outcome.test for outcome in outcomes[name, LIBRARY]} == tests


@pytest.mark.slow
@pytest.mark.parametrize(("name", "wrong"), WRONG_ANSWERS)
def test_a_wrong_answer_is_rejected_by_an_assertion_that_names_the_call(outcomes, name, wrong):
    failures = [outcome for outcome in outcomes[name, WRONG + wrong] if not outcome.passed]
    assert failures, f"no test of {name} notices: {CATALOGUE[name].wrong_answers[wrong]}"
    first = failures[0]
    assert first.kind == "assertion", first.message
    call = first.message.splitlines()[0]
    assert any(form in call for form in (f"{name}(", f"jit({name}", f"jacobian({name})")), call
    for part in ("you called", "it returned", "expected", f"python -m exercises hint {name}"):
        assert part in first.message


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_blank_has_the_signature_and_the_docstring_of_the_library(name):
    ours, theirs = load_answer(blank(name)), load_answer(CATALOGUE[name], LIBRARY)
    assert str(inspect.signature(ours)) == str(inspect.signature(theirs))  # jaxtyping's types are equal only as text
    assert inspect.getdoc(ours) == inspect.getdoc(theirs)


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_recorded_wrong_answer_is_described_and_every_described_one_exists(name):
    exercise = CATALOGUE[name]
    functions = ast.parse(exercise.wrong_answers_file.read_text(encoding="utf-8")).body
    written = {f.name for f in functions if isinstance(f, ast.FunctionDef) and not f.name.startswith("_")}
    assert written == set(exercise.wrong_answers)
    assert len(written) >= 3


@pytest.mark.parametrize("name", CATALOGUE)
def test_hints_go_from_a_nudge_to_almost_the_answer(name):
    nudge, idea, almost = CATALOGUE[name].hints
    assert len({nudge, idea, almost}) == 3
    assert len(nudge) < len(idea + almost)


@pytest.mark.parametrize("topic", TOPICS)
def test_every_topic_has_its_lesson(topic):
    assert (ROOT / "lessons" / f"{topic}.py").exists()


@pytest.mark.parametrize("topic", TOPICS)
def test_the_catalogue_lists_every_file_of_a_topic(topic):
    listed = {path for e in CATALOGUE.values() if e.topic == topic for path in (e.blank, e.tests)}
    assert set((ROOT / "exercises" / topic).glob("*.py")) == listed


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("def linear(x):\n    return x @\n", r"not Python yet: .*line 2\.\n +return x @\n +\^"),
        ("def liner(x):\n    return x\n", "should define a function named linear, and does not"),
        ("import jax\n\ny = jxa.numpy\n", "stops while it is loaded, line 3: NameError: name 'jxa'"),
    ],
    ids=["syntax", "name", "crash"],
)
def test_a_file_that_cannot_be_loaded_is_explained(tmp_path, source, message):
    path = tmp_path / "linear.py"
    path.write_text(source, encoding="utf-8")
    with pytest.raises(AnswerError, match=message):
        load_function(path, "linear")


def test_the_library_is_not_imported_by_a_blank():
    """A grader runs a student's file where the reference cannot be seen."""
    for exercise in CATALOGUE.values():
        for node in ast.walk(ast.parse(exercise.blank.read_text(encoding="utf-8"))):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            modules += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not any(module.split(".")[0] in ("nn", "transfer") for module in modules), exercise.blank


def test_expect_names_the_call_both_values_the_first_difference_and_the_reason():
    got = np.array([[1.0, 2.0, 3.0], [4.0, 5.5, 6.0]])
    with pytest.raises(AssertionError) as raised:
        expect(got, [[1, 2, 3], [4, 5, 6]], "f(x)", "five is five")
    assert str(raised.value).splitlines() == [
        "  you called  f(x)",
        "  it returned [[1, 2, 3], [4, 5.5, 6]]",
        "  expected    [[1, 2, 3], [4, 5, 6]]",
        "  because     five is five",
        "  first differs at [1, 1]: 5.5 instead of 5",
    ]


@pytest.mark.parametrize(
    ("got", "message"),
    [
        (None, r"it returned None \(is there a `return`\?\)"),
        ([1.0, 2.0], r"it returned \[1\.0, 2\.0\], a list"),
        (np.ones((1, 2)), r"it returned shape \(1, 2\)[^\n]*\n +expected +shape \(2,\)"),
        (np.array([1.0, np.nan]), r"it returned \[1, nan\]\n +expected +\[1, 2\]"),
    ],
    ids=["nothing", "list", "shape", "nan"],
)
def test_expect_refuses_what_only_looks_alike(got, message):
    with pytest.raises(AssertionError, match=message):
        expect(got, [1.0, 2.0], "f(x)")


def test_expect_accepts_nan_for_nan_and_rounding():
    expect(np.array([np.nan, 1 + 1e-6]), [np.nan, 1.0], "f(x)")


def test_expect_refusal_names_what_came_instead_of_an_error():
    with pytest.raises(AssertionError, match=r"you called  f\(0\)\n +it returned 7\n +expected +a ValueError"):
        expect_refusal(lambda: 7, "f(0)")
