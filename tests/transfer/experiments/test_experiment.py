"""How experiments are run, on one whose numbers are known beforehand."""

import jax
import numpy as np
import pytest

from transfer.experiments import EXPERIMENTS, Experiment, run
from transfer.experiments.experiment import rngs
from transfer.report import Method


def accuracy(seed, shots, method):
    return round(np.random.default_rng((seed, shots, len(method))).random(), 3)


def run_seed(seed, shots, methods):
    for n in shots:
        for name in ("scratch", "fine-tune", "frozen features", "control"):
            if name in methods:
                yield n, name, accuracy(seed, n, name)


KNOWN = Experiment(
    name="known",
    title="Known numbers",
    question="Do they come back?",
    methods=(
        Method(name="scratch"),
        Method(name="fine-tune"),
        Method(name="frozen features", reference="control"),
        Method(name="control", kind="control"),
    ),
    shots=(1, 5),
    most_shots=20,
    seeds=4,
    run_seed=run_seed,
    configuration={"hidden": [8]},
)


def numbers(results):
    return {(r.seed, r.setting, r.method): r.accuracy for r in results.records}


def test_every_number_of_the_plan_comes_once_and_as_it_was():
    results = run(KNOWN, command="known")
    methods = [method.name for method in KNOWN.methods]
    assert numbers(results) == {(s, n, m): accuracy(s, n, m) for s in range(4) for n in (1, 5) for m in methods}
    assert results.finished == (0, 1, 2, 3) and not results.partial and results.wall_time > 0
    assert (results.experiment, results.command, results.configuration) == ("known", "known", {"hidden": [8]})


@pytest.mark.parametrize(
    "choice", [{}, {"seeds": 2}, {"shots": (20, 1, 20)}, {"methods": ("fine-tune",)}, {"seeds": 3, "shots": (7,)}], ids=str
)
def test_the_count_is_the_number_of_calls(choice):
    calls = []
    results = run(KNOWN, **choice, on_number=lambda: calls.append(None))
    whole = {"seeds": None, "shots": None, "methods": None, **choice}
    assert len(calls) == len(results.records) == KNOWN.count(**whole)


@pytest.mark.parametrize(
    ("asked", "run_too"),
    [
        (["fine-tune"], {"scratch", "fine-tune"}),
        (["scratch"], {"scratch"}),
        (["control"], {"scratch", "control"}),
        (["frozen_features"], {"scratch", "frozen features", "control"}),
        (["frozen-features", "fine tune"], {"scratch", "fine-tune", "frozen features", "control"}),
    ],
)
def test_a_method_brings_what_it_is_compared_with(asked, run_too):
    results = run(KNOWN, methods=asked, seeds=2)
    assert {r.method for r in results.records} == run_too == {method.name for method in results.methods}


def test_a_part_of_the_plan_gives_the_same_numbers_as_the_whole():
    whole, part = numbers(run(KNOWN)), numbers(run(KNOWN, seeds=2, shots=(5,), methods=["fine-tune"]))
    assert part.items() < whole.items()


@pytest.mark.parametrize("stop", [0, 7, 8, 9, 31])
def test_an_interrupt_keeps_the_seeds_that_finished(stop):
    """Eight numbers a seed, and a KeyboardInterrupt when number `stop` has come."""
    came = []

    def on_number():
        came.append(None)
        if len(came) == stop:
            raise KeyboardInterrupt

    if stop == 0:

        def interrupted(seed, shots, methods):
            raise KeyboardInterrupt
            yield

        results = run(Experiment(**{**vars(KNOWN), "run_seed": interrupted}))
    else:
        results = run(KNOWN, on_number=on_number)
    assert results.partial and results.finished == tuple(range(stop // 8))
    assert results.seeds == (0, 1, 2, 3)
    for seed in results.finished:
        assert results.accuracies("fine-tune", 5)[seed] == accuracy(seed, 5, "fine-tune")


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"seeds": 1}, "known expects at least 2 seeds.*got 1"),
        ({"seeds": 0}, "known expects at least 2 seeds.*got 0"),
        ({"shots": (0,)}, "shots from 1 to 20.*got 0"),
        ({"shots": (1, 21)}, "shots from 1 to 20.*got 1, 21"),
        ({"shots": ()}, "shots from 1 to 20.*got none"),
        (
            {"methods": ("fine-tune", "finetune")},
            "methods from 'scratch', 'fine-tune', 'frozen features', 'control'; got 'finetune'",
        ),
    ],
)
def test_what_cannot_be_run_is_refused_before_anything_runs(choice, message):
    def never(seed, shots, methods):
        raise AssertionError("it ran")
        yield

    with pytest.raises(ValueError, match=message):
        run(Experiment(**{**vars(KNOWN), "run_seed": never}), **choice)


def test_keys_differ_by_seed_and_by_purpose_and_by_nothing_else():
    def bits(seed, purpose):
        return tuple(jax.random.key_data(rngs(seed, purpose).params()).tolist())

    places = [(seed, purpose) for seed in range(3) for purpose in range(3)]
    assert len({bits(*place) for place in places}) == 9
    assert bits(1, 2) == bits(1, 2)


@pytest.mark.parametrize("experiment", EXPERIMENTS.values(), ids=lambda experiment: experiment.name)
def test_the_registered_experiments_are_sound(experiment):
    """What they run by default is what they would accept, and a control stands beside the methods."""
    experiment.check(experiment.seeds, experiment.shots, [method.name for method in experiment.methods])
    assert EXPERIMENTS[experiment.name] is experiment
    assert experiment.baseline in {method.name for method in experiment.methods}
    assert any(method.kind == "control" for method in experiment.methods)
    assert all(method.description for method in experiment.methods)
