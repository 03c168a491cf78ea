"""The diagnosis: each cause from the differences that make it, none where nothing hurts; and test labels decide nothing."""

import json

import numpy as np
import pytest
from flax import nnx
from hypothesis import given
from hypothesis.strategies import fixed_dictionaries, sampled_from

from nn.models import MLP, MLPConfig
from transfer.counterfactuals import ARMS
from transfer.diagnosis import (
    ADVICE,
    CONTRASTS,
    HARM,
    consistent_causes,
    diagnose_negative_transfer,
    diagnosis_of,
    shown_sign,
)

NOTHING = {(contrast.arm, contrast.reference): 0 for contrast in CONTRASTS}
JOINT_HURTS = {("one head", "scratch"): -1}
FREEZING_HURTS = {("frozen", "scratch"): -1}
RENAMING_MENDS = {("one head, renamed", "one head"): 1}
RENAMED_HURTS = {("one head, renamed", "scratch"): -1}
OWN_HEAD_MENDS = {("a head each", "one head"): 1}
BELOW_RANDOM = {("frozen", "random"): -1}
ABOVE_RANDOM = {("frozen", "random"): 1}
RANDOM_LOSES = {("random", "scratch"): -1}
MOVING_MENDS = {("fine-tuned", "frozen"): 1}
TUNING_HURTS = {("fine-tuned", "scratch"): -1}

SHIFT, UNRELATED, DISCARD, FREEZING = ADVICE


@pytest.mark.parametrize(
    ("shown", "causes"),
    [
        (JOINT_HURTS | RENAMING_MENDS, [SHIFT]),
        (JOINT_HURTS | RENAMING_MENDS | OWN_HEAD_MENDS, [SHIFT]),
        (JOINT_HURTS | RENAMED_HURTS | OWN_HEAD_MENDS, [UNRELATED]),
        (JOINT_HURTS | OWN_HEAD_MENDS, []),  # neither that renaming mends it is shown, nor that it does not
        (JOINT_HURTS | RENAMED_HURTS, []),
        (JOINT_HURTS | RENAMING_MENDS | RENAMED_HURTS | OWN_HEAD_MENDS, [UNRELATED]),  # letters that look like digits
        (JOINT_HURTS | RENAMING_MENDS | RENAMED_HURTS, []),
        (JOINT_HURTS, []),
        (FREEZING_HURTS | BELOW_RANDOM, [DISCARD]),
        (FREEZING_HURTS | BELOW_RANDOM | RANDOM_LOSES | MOVING_MENDS, [DISCARD]),
        (FREEZING_HURTS | ABOVE_RANDOM | RANDOM_LOSES | MOVING_MENDS, [FREEZING]),
        (FREEZING_HURTS | RANDOM_LOSES | MOVING_MENDS, []),  # better or worse than random features: not shown
        (FREEZING_HURTS | ABOVE_RANDOM | RANDOM_LOSES, []),
        (FREEZING_HURTS | ABOVE_RANDOM | MOVING_MENDS, []),
        (FREEZING_HURTS | ABOVE_RANDOM | RANDOM_LOSES | MOVING_MENDS | TUNING_HURTS, []),
        (JOINT_HURTS | RENAMED_HURTS | OWN_HEAD_MENDS | FREEZING_HURTS | BELOW_RANDOM, [UNRELATED, DISCARD]),
        (TUNING_HURTS, []),
    ],
)
def test_each_cause_is_named_by_the_differences_that_make_it(shown, causes):
    assert consistent_causes(NOTHING | shown) == tuple(causes)


@given(fixed_dictionaries({pair: sampled_from([-1, 0, 1] if pair not in HARM else [0, 1]) for pair in NOTHING}))
def test_without_harm_no_cause_is_named_whatever_else_is_shown(signs):
    assert consistent_causes(signs) == ()


def test_a_sign_is_shown_only_below_the_level():
    assert [shown_sign(mean, p, 0.05) for mean, p in ((0.1, 0.01), (-0.1, 0.01), (-0.1, 0.05), (0.0, 0.01))] == [1, -1, 0, 0]


def made_up(gains=None, seeds=8, spread=0.01, seed=0):
    """Accuracies of every arm: what the seed brings, what the arm gains, and noise."""
    rng = np.random.default_rng(seed)
    luck = rng.normal(0.7, 0.05, seeds)
    numbers = {arm: luck + (gains or {}).get(arm, 0) + rng.normal(0, spread, seeds) for arm in ARMS}
    return {arm: {seed: float(value) for seed, value in enumerate(values)} for arm, values in numbers.items()}


JOINT = {"one head": -0.1, "one head, permuted": -0.1, "one head, renamed": -0.1}


@pytest.mark.parametrize(
    ("gains", "causes", "harm"),
    [
        (JOINT | {"one head, renamed": 0.02}, [SHIFT], ["one head"]),
        (JOINT, [UNRELATED], ["one head"]),
        (JOINT | {"one head, renamed": -0.05}, [UNRELATED], ["one head"]),
        ({"frozen": -0.15, "random": -0.08}, [DISCARD], ["frozen"]),
        ({"frozen": -0.06, "random": -0.1}, [FREEZING], ["frozen"]),
        (JOINT | {"frozen": -0.15, "random": -0.08}, [UNRELATED, DISCARD], ["one head", "frozen"]),
        (dict.fromkeys([*JOINT, "a head each"], -0.1), [], ["one head"]),  # nothing mends it
        ({"fine-tuned": -0.1}, [], ["fine-tuned"]),
        (dict.fromkeys([arm for arm in ARMS if arm not in ("scratch", "random")], 0.1), [], []),  # it helps
        ({"random": -0.2}, [], []),  # a control that loses is no harm done by a source
    ],
)
def test_a_planted_difference_is_read_from_noisy_accuracies(gains, causes, harm):
    diagnosis = diagnosis_of(made_up(gains), [1.5, 1.7])
    assert diagnosis.causes == tuple(causes) and diagnosis.harm == tuple(harm)
    assert diagnosis.cause == (", and ".join(causes) or "inconclusive")
    assert diagnosis.advice == tuple(ADVICE[cause] for cause in causes) or (not causes and len(diagnosis.advice) == 1)
    words = " ".join(str(diagnosis).split())
    assert f"Consistent with: {diagnosis.cause}." in words and "caused" not in words
    assert ("No harm was shown." in words) == (not harm) and "Proxy A-distance of the images: 1.60" in words
    assert json.loads(json.dumps(diagnosis.as_dict()))["cause"] == diagnosis.cause


@pytest.mark.parametrize("gain", [-0.3, 0.3])
def test_as_text_it_is_as_wide_as_the_terminal_and_is_the_same_text_in_a_notebook(gain, monkeypatch):
    """The widest numbers, with two digits before the point; on a wide terminal all rows are in one line each."""
    diagnosis = diagnosis_of(made_up({arm: gain * (-1) ** i for i, arm in enumerate(ARMS)}, spread=0.1), [1.5, 1.7])
    monkeypatch.setenv("COLUMNS", "80")
    assert 70 < max(map(len, str(diagnosis).splitlines())) <= 80
    monkeypatch.setenv("COLUMNS", "110")
    text = str(diagnosis)
    assert 80 < max(map(len, text.splitlines())) <= 110
    for row in diagnosis.evidence:
        (line,) = (line for line in text.splitlines() if line.startswith(row.question))
        assert f"{row.arm} − {row.reference}" in line and line.endswith(row.speaks_for or "nothing shown")
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    monkeypatch.setenv("JUPYTER_COLUMNS", "110")
    assert str(diagnosis) == text


def test_where_all_arms_are_alike_harm_is_seen_no_oftener_than_the_level_allows():
    """200 made-up diagnoses in which no arm differs from another but by noise, four seeds each."""
    drawn = [diagnosis_of(made_up(seeds=4, seed=seed)) for seed in range(200)]
    assert sum(bool(d.harm) for d in drawn) <= 0.05 * 200
    assert sum(bool(d.causes) for d in drawn) <= 0.01 * 200
    # Without Holm's adjustment one would be fooled far oftener.
    fooled = [any(row.comparison.p_value < 0.05 for row in d.evidence) for d in drawn]
    assert np.mean(fooled) > 0.15


def test_seeds_that_show_no_spread_show_nothing():
    same = {arm: {0: 0.5, 1: 0.5, 2: 0.5} for arm in ARMS}
    lower = {arm: dict.fromkeys(range(3), 0.2 if arm == "one head" else 0.5) for arm in ARMS}
    one = {arm: {0: 0.1 if arm == "frozen" else 0.5} for arm in ARMS}
    for accuracies in (same, lower, one):
        diagnosis = diagnosis_of(accuracies)
        assert diagnosis.causes == diagnosis.harm == () and {row.sign for row in diagnosis.evidence} == {0}


def test_the_old_head_may_be_missing_and_no_other_arm():
    accuracies = made_up(JOINT)
    del accuracies["fine-tuned, old head"]
    diagnosis = diagnosis_of(accuracies)
    assert diagnosis.causes == (UNRELATED,) and len(diagnosis.evidence) == len(CONTRASTS) - 1
    assert diagnosis.distance is None and "Proxy" not in str(diagnosis)
    del accuracies["frozen"], accuracies["random"]
    with pytest.raises(ValueError, match=r"got none of frozen, random\.$"):
        diagnosis_of(accuracies)


def test_a_seed_without_a_partner_is_named():
    accuracies = made_up()
    del accuracies["one head"][3]
    with pytest.raises(ValueError, match=r"got none from 'one head' for \[3\]"):
        diagnosis_of(accuracies)


# --- on data ---


def network(seed, classes):
    return MLP(MLPConfig(in_features=6, hidden=(5,), out_features=classes), rngs=nnx.Rngs(seed))


def blobs(count, classes, seed):
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    return (rng.normal(size=(count, 6)) + np.eye(6)[labels]).astype(np.float32), labels


QUICK = {"shots": 3, "seeds": (3, 5), "pretraining_steps": 4, "steps": 4}


def test_labels_of_the_test_decide_nothing():
    """Of two classes, if all test labels are swapped, each arm is right where it was wrong: the same networks were trained.
    And three source classes on two target classes: an output more than the target has names for."""
    numbers = []
    source, target, (x, y) = blobs(40, 3, 0), blobs(20, 2, 1), blobs(30, 2, 2)
    one = diagnose_negative_transfer(network, source, target, (x, y), on_number=lambda: numbers.append(1), **QUICK)
    other = diagnose_negative_transfer(network, source, target, (x, 1 - y), **QUICK)
    assert list(one.accuracies) == list(ARMS) and len(numbers) == 2 * len(ARMS)
    for arm in ARMS:
        for seed in (3, 5):
            assert one.accuracies[arm][seed] + other.accuracies[arm][seed] == pytest.approx(1), arm
    assert one.distance == other.distance


def test_seeds_that_are_kept_are_not_run_again_and_give_the_same_diagnosis():
    sets, kept, numbers = (blobs(40, 3, 0), blobs(20, 2, 1), blobs(30, 2, 2)), {}, []
    whole = diagnose_negative_transfer(network, *sets, on_seed=kept.__setitem__, **QUICK)
    kept = {int(seed): trial for seed, trial in json.loads(json.dumps(kept)).items()}
    assert set(kept) == {3, 5} and len(kept[3]["accuracies"]) == len(ARMS)

    def never(seed, classes):
        raise AssertionError(f"seed {seed} ran again")

    assert diagnose_negative_transfer(never, *sets, kept=kept, on_number=lambda: numbers.append(1), **QUICK) == whole
    del kept[5]
    with pytest.raises(AssertionError, match="seed 5 ran again"):
        diagnose_negative_transfer(never, *sets, kept=kept, **QUICK)
    assert not numbers


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seeds": (3,)}, r"two different seeds or more, got \[3\]"),
        ({"seeds": (3, 3)}, r"two different seeds or more, got \[3, 3\]"),
        ({"shots": 11}, r"11 shots or more .*got \[10, 10\]"),
        ({"shots": 0}, "0 shots or more"),
        ({"target": blobs(20, 1, 0)}, "at least two target classes"),
        ({"source": (blobs(20, 2, 0)[0], np.arange(20) - 1)}, "labels from -1"),
        ({"test": blobs(30, 3, 2)}, "test labels from 0 to 1, got 0 to 2"),
        ({"test": (np.zeros((4, 5), np.float32), np.zeros(4, int))}, "images of one shape"),
        ({"source": (blobs(20, 2, 0)[0], np.zeros(19, int))}, r"\(20, 6\) with \(19,\)"),
    ],
)
def test_what_cannot_be_diagnosed_is_refused_before_anything_is_trained(change, message):
    def never(seed, classes):
        raise AssertionError("it trained")

    given = {"source": blobs(40, 3, 0), "target": blobs(20, 2, 1), "test": blobs(30, 2, 2)} | QUICK | change
    with pytest.raises(ValueError, match=message):
        diagnose_negative_transfer(never, given.pop("source"), given.pop("target"), given.pop("test"), **given)
