import math
import random

import numpy as np
import pytest

from transfer.report import Method, Result, Results, outcomes, summary


def by_name(results, setting):
    return {row.method.name: row for row in outcomes(results) if row.setting == setting}


def test_the_order_of_the_records_changes_nothing(experiment):
    results = experiment()
    shuffled = list(results.records)
    random.Random(0).shuffle(shuffled)
    assert shuffled != results.records
    assert outcomes(experiment(finished=0, records=shuffled)) == outcomes(results)


def test_known_effects_get_their_verdicts(experiment):
    rows = by_name(experiment(), 5)
    verdicts = {name: row.comparison.verdict for name, row in rows.items() if row.comparison}
    assert verdicts == {
        "fine-tune": "inconclusive",
        "linear probe": "positive",
        "random features": "negative",
        "frozen features": "negative",
    }


def test_a_method_is_compared_with_the_reference_that_it_names(experiment):
    results = experiment()
    row, control = by_name(results, 5)["frozen features"], by_name(results, 5)["random features"]
    assert (row.reference, control.reference) == ("random features", "scratch")
    mine, theirs = results.accuracies("frozen features", 5), results.accuracies("random features", 5)
    assert row.comparison.mean == pytest.approx(np.mean([mine[seed] - theirs[seed] for seed in mine]))


def test_holm_counts_every_comparison_of_the_report(experiment):
    one, three = experiment(settings=(5,), noise=0.05), experiment(settings=(1, 5, 20), noise=0.05)
    smallest = {len(results.settings): min(r.p_holm for r in outcomes(results) if r.comparison) for results in (one, three)}
    raw = {
        len(results.settings): min(r.comparison.p_value for r in outcomes(results) if r.comparison) for results in (one, three)
    }
    assert smallest[1] == pytest.approx(4 * raw[1])
    assert smallest[3] == pytest.approx(12 * raw[3])


def test_a_seed_that_misses_one_number_does_not_count(experiment):
    results = experiment(finished=4)
    before = outcomes(results)
    results.add(4, 1, "scratch", 0.99)
    assert results.finished == (0, 1, 2, 3) and results.partial
    assert outcomes(results) == before
    assert not experiment().partial


def test_no_finished_seed_is_no_report(experiment):
    with pytest.raises(ValueError, match="at least one finished seed, got none of the 6"):
        outcomes(experiment(finished=0))


@pytest.mark.parametrize("accuracy", [math.nan, 1.5, -0.1, 54.2])
def test_an_accuracy_that_is_none_is_refused_with_its_seed_and_method(accuracy, experiment):
    with pytest.raises(ValueError, match=r"between 0 and 1, got .* from 'fine-tune' at seed 3, setting 5"):
        experiment(finished=0).add(3, 5, "fine-tune", accuracy)


def test_a_second_number_for_the_same_place_is_refused(experiment):
    with pytest.raises(ValueError, match=r"a second from 'scratch' at seed 0, setting 1"):
        experiment().add(0, 1, "scratch", 0.5)


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (Result(0, 1, "finetune", 0.5), r"a method from \['scratch', .*got 'finetune'"),
        (Result(0, 2, "scratch", 0.5), r"a setting from \[1, 5, 20\], got 2"),
        (Result(77, 1, "scratch", 0.5), r"a seed from .*got 77"),
    ],
)
def test_a_number_outside_the_plan_is_refused(record, message, experiment):
    with pytest.raises(ValueError, match=message):
        experiment(finished=0, records=[record])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"baseline": "nothing"}, r"baseline 'nothing' among its methods"),
        ({"methods": (Method(name="scratch"), Method(name="a", reference="b"))}, r"reference of 'a'.*got 'b'"),
        ({"methods": (Method(name="scratch"), Method(name="a", reference="a"))}, r"reference of 'a'.*got 'a'"),
        ({"methods": (Method(name="scratch"), Method(name="scratch"))}, r"methods, each once"),
        ({"settings": (1, 1)}, r"settings, each once, got \[1, 1\]"),
        ({"configuration": {"when": object()}}, r"configuration of JSON values"),
        ({"configuration": {"loss": math.nan}}, r"configuration of JSON values"),
    ],
)
def test_a_plan_that_does_not_fit_together_is_refused(changes, message):
    plan = {
        "experiment": "x", "title": "x", "question": "x?", "setting_name": "labels", "settings": (1,),
        "methods": (Method(name="scratch"),), "seeds": (0, 1),
    }  # fmt: skip
    with pytest.raises(ValueError, match=message):
        Results(**{**plan, **changes})


def test_the_summary_names_the_largest_gain_with_its_numbers(experiment):
    row = by_name(results := experiment(), 1)["linear probe"]
    points = f"{100 * row.comparison.mean:.1f}"
    assert f"with 1 example per class, linear probe gained {points} points over scratch [" in summary(results)
    assert "6 of 6 seeds" in summary(results)


def test_the_summary_claims_nothing_where_nothing_is_conclusive(experiment):
    arms = tuple(Method(name=name) for name in ("scratch", "fine-tune"))  # equal in truth
    for results in (experiment(methods=arms), experiment(finished=1)):
        assert "gained" not in summary(results) and "lost" not in summary(results)
        assert "conclusive" in summary(results)


def test_the_summary_keeps_the_ends_of_an_interval_in_order():
    """As words, "10.2" comes before "9.8"."""
    results = Results(
        experiment="x", title="x", question="x?", setting_name="labels", settings=(1,), seeds=(0, 1, 2),
        methods=(Method(name="scratch"), Method(name="probe")),
        records=[Result(seed, 1, name, 0.5 + gain) for seed in range(3)
                 for name, gain in (("scratch", 0.0), ("probe", 0.100 + 0.001 * (seed - 1)))],
    )  # fmt: skip
    assert summary(results) == "With 1 label, probe gained 10.0 points over scratch [9.8, 10.2], 3 of 3 seeds."
