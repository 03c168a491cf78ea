"""What each arm starts from and learns from; and on the real clothes, what freezing costs."""

import numpy as np
import pytest

from nn.data import data_directory, is_prepared
from transfer.experiments import described_clothes, negative_transfer, run, unlike_source
from transfer.experiments.unlike_source import UNLIKE_SOURCE
from transfer.report import outcomes

NEEDS_CLOTHES = "fashion_mnist is not in {}: `python -m nn.data fetch fashion_mnist` brings it"


@pytest.fixture
def made_up(monkeypatch):
    """Noise in place of the clothes, and two steps of training."""
    x, y = np.random.default_rng(0).uniform(size=(40, 256)).astype(np.float32), np.arange(40, dtype=np.int32) % 10
    monkeypatch.setattr(unlike_source, "clothes", lambda: (x, y))
    unlike_source.pretrained.cache_clear()
    yield x, y
    unlike_source.pretrained.cache_clear()


def test_each_arm_starts_and_learns_as_it_says(made_up, monkeypatch):
    calls = []
    for name in ("fine_tune", "linear_probe"):
        monkeypatch.setattr(unlike_source, name, lambda model, *arrays, name=name, **_: calls.append((name, model, *arrays)))
    monkeypatch.setattr(
        unlike_source,
        "joint_with",
        lambda seed, *arrays: calls.append(("joint", None, *arrays)) or unlike_source.untrained(seed),
    )
    methods = frozenset(method.name for method in UNLIKE_SOURCE.methods)
    assert len(list(unlike_source.run_seed(0, (2,), methods))) == len(methods)
    source_x, source_y = made_up
    x, y, *_ = unlike_source.target(0, 2)
    scratch, joint, joint_shuffled, pretraining, frozen, shuffled_pretraining, frozen_shuffled, tuned, random = calls
    pretraining_and_probe = ["fine_tune", "linear_probe"]
    assert [call[0] for call in calls] == ["fine_tune", "joint", "joint", *pretraining_and_probe * 2, *pretraining_and_probe]
    assert pretraining[2] is source_x and pretraining[3] is source_y and joint[2] is source_x and joint[3] is source_y
    # The controls see the same images with the same labels dealt out anew, both in the same way.
    for call in (joint_shuffled, shuffled_pretraining):
        assert call[2] is source_x and (call[3] != source_y).mean() > 0.7
        np.testing.assert_array_equal(np.sort(call[3]), np.sort(source_y))
    np.testing.assert_array_equal(joint_shuffled[3], shuffled_pretraining[3])
    for call in (joint, joint_shuffled):
        np.testing.assert_equal(call[4:], (x, y))
    for call in (scratch, frozen, frozen_shuffled, tuned, random):
        np.testing.assert_equal(call[2:], (x, y))

    def kernel(model):
        return np.asarray(model.head.kernel[...])

    np.testing.assert_array_equal(kernel(frozen[1]), kernel(tuned[1]))
    np.testing.assert_array_equal(kernel(frozen[1]), kernel(frozen_shuffled[1]))
    np.testing.assert_array_equal(kernel(frozen[1]), kernel(random[1]))
    assert (kernel(tuned[1]) != kernel(pretraining[1])).all(), "the source's head is not used again"


def test_ten_different_descriptions_of_clothes():
    table = described_clothes.class_attributes()
    assert table.shape == (10, 10) and len({tuple(row) for row in table}) == 10
    assert {name for names in described_clothes.DESCRIPTIONS.values() for name in names} == set(described_clothes.CLASSES)
    assert set(table.flat) == {0.0, 0.5, 1.0} and table.any(0).all() and table.any(1).all()


def test_no_unseen_garment_is_learned_from():
    """Noise in place of all that is left out changes no answer; and what is told apart by its description is found."""
    random = np.random.default_rng(0)
    table, y, test_y = described_clothes.class_attributes(), np.arange(200) % 10, np.arange(300) % 10
    sight = random.normal(size=(10, 30))
    x, test_x = (table[labels] @ sight + random.normal(scale=0.1, size=(len(labels), 30)) for labels in (y, test_y))
    unseen = np.array([2, 5, 1])
    right = described_clothes.accuracy(np.sort(unseen), table, x, y, test_x, test_y)
    noise = np.where(np.isin(y, unseen)[:, None], random.normal(size=x.shape), x)
    assert right == described_clothes.accuracy(np.sort(unseen), table, noise, y, test_x, test_y)
    assert right > 0.6


@pytest.fixture
def half_the_steps(monkeypatch):
    """Half the steps on the digits, and no network that is kept from elsewhere. Skips where the clothes are not there."""
    if not is_prepared("fashion_mnist"):
        pytest.skip(NEEDS_CLOTHES.format(data_directory()))
    for configuration in (unlike_source.CONFIGURATION, negative_transfer.CONFIGURATION):
        monkeypatch.setitem(configuration, "steps", 150)
    unlike_source.pretrained.cache_clear()
    yield
    unlike_source.pretrained.cache_clear()


def gains(methods, *, seeds):
    """Mean gain over scratch of each method."""
    rows = outcomes(run(UNLIKE_SOURCE, seeds=seeds, methods=methods))
    accuracy = {row.method.name: row.accuracy.mean for row in rows}
    return [accuracy[method] - accuracy["scratch"] for method in methods]


@pytest.mark.slow
def test_frozen_features_of_clothes_cost_more_than_random_ones_whatever_their_labels(half_the_steps):
    """Ten other seeds, one by one: frozen features cost 6 to 14 points, 9.5 in the mean, those of shuffled labels 2 to 10, 7.7
    in the mean, and random ones 3.1 in the mean, from 8 to a gain of 2. Fine-tuned they lose 3 at most, 0.5 in the mean."""
    methods = ["frozen features", "frozen, shuffled labels", "random features", "fine-tuned"]
    frozen, shuffled, random, tuned = gains(methods, seeds=3)
    assert frozen < -0.04 and frozen < random and shuffled < random
    assert abs(frozen - shuffled) < 0.05
    assert tuned > frozen + 0.03 and tuned > -0.04


@pytest.mark.slow
def test_clothes_beside_digits_in_one_head_are_worse_than_the_same_pictures_with_shuffled_labels(half_the_steps):
    """Ten other seeds, one by one: the right labels cost 4 to 10 points, shuffled ones between 2 and a gain of 2; all steps and
    ten seeds: −7.4 [−9.0, −5.8] and −1.1 [−1.8, −0.3]."""
    joint, shuffled = gains(["joint", "joint, shuffled labels"], seeds=5)
    assert joint < -0.03 and joint < shuffled - 0.02
    assert abs(shuffled) < 0.025


@pytest.mark.slow
def test_clothes_can_be_named_from_descriptions(monkeypatch):
    """Every fourth choice of three. All of them, two seeds: 67 and 68%, with descriptions dealt out at random 33 and 34%."""
    if not is_prepared("fashion_mnist"):
        pytest.skip(NEEDS_CLOTHES.format(data_directory()))
    some = described_clothes.choices()[::4]
    monkeypatch.setattr(described_clothes, "choices", lambda: some)
    right = described_clothes.unseen_accuracies(0)
    shuffled = described_clothes.unseen_accuracies(0, shuffle=0)
    assert right.mean() > 0.55 and (right > 1 / 3).mean() > 0.8
    assert shuffled.mean() < 0.45
