"""New kinds are new, no method without pictures gets one, and descriptions help because of what they mean."""

import numpy as np
import pytest

from nn.data import animals
from transfer.experiments import described_digits, run, zero_shot
from transfer.experiments.zero_shot import GIRAFFE, ZEBRA, ZERO_SHOT
from transfer.report import outcomes


def rows(x):
    return {row.tobytes() for row in x}


def test_new_kinds_are_four_with_giraffe_and_zebra_and_every_attribute_of_theirs_is_seen():
    table, drawn = animals.class_attributes(), set()
    for seed in range(20):
        seen, new = zero_shot.split_kinds(seed)
        assert sorted([*seen, *new]) == list(range(24)) and len(new) == 4 and {GIRAFFE, ZEBRA} <= set(new)
        assert (table[seen].mean(0) > 0).all() and (table[seen].mean(0) < 1).all()
        drawn |= set(new)
    assert len(drawn) > 10
    assert animals.KINDS[ZEBRA] == ("white", "stripes", "short neck")
    assert animals.KINDS[GIRAFFE] == ("yellow", "spots", "long neck")


def test_no_network_is_trained_on_a_new_kind_nor_on_a_test_picture(monkeypatch):
    trained = []

    def recorded(model, x, y, **_):
        trained.append((x, y))

    def recorded_fit(model, data, **_):
        arrays = data.dataset.arrays()
        trained.append((arrays["image"], arrays["attributes"]))

    for cached in (zero_shot.pretrained, zero_shot.attribute_network, zero_shot.seen_features):
        cached.cache_clear()
    monkeypatch.setattr(zero_shot, "fine_tune", recorded)
    monkeypatch.setattr(zero_shot, "fit", recorded_fit)
    # Features that can be told: the picture's own pixels.
    monkeypatch.setattr(zero_shot, "extract_features", lambda model, x: x.reshape(len(x), -1)[:, ::27].copy())
    monkeypatch.setattr(zero_shot, "predict", lambda model, x: np.zeros((len(x), 9), np.float32))
    monkeypatch.setattr(zero_shot, "evaluate", lambda model, x, y: 0.5)
    list(zero_shot.run_seed(0, (2,), frozenset(method.name for method in ZERO_SHOT.methods)))
    for cached in (zero_shot.pretrained, zero_shot.attribute_network, zero_shot.seen_features):
        cached.cache_clear()

    _, new = zero_shot.split_kinds(0)
    x, y = zero_shot.pictures("train")
    (few,) = [(images, labels) for images, labels in trained if len(images) == 8]
    (many,) = [(images, labels) for images, labels in trained if len(images) == 2000 and images.ndim == 4]
    (told,) = [(features, attributes) for features, attributes in trained if len(features) == 2000 and features.ndim == 2]
    assert len(trained) == 3
    assert rows(few[0]) <= rows(x[np.isin(y, new)]) and few[1].tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert rows(many[0]) == rows(x[~np.isin(y, new)]) and sorted(set(many[1].tolist())) == list(range(20))
    np.testing.assert_array_equal(told[1], animals.class_attributes()[y[~np.isin(y, new)]])
    assert not (rows(few[0]) | rows(many[0])) & rows(zero_shot.pictures("test")[0])


def test_digits_have_ten_different_descriptions_and_no_attribute_is_a_digits_own():
    table = described_digits.digit_attributes()
    assert len({tuple(row) for row in table}) == 10
    assert (table.sum(0) >= 2).all() and (table.sum(0) <= 8).all()


def test_no_unseen_digit_is_learned_from(monkeypatch):
    """Three pictures of noise in place of all that is left out: the map that is learned is the same."""
    maps = []
    original = described_digits.eszsl
    monkeypatch.setattr(described_digits, "eszsl", lambda *a, **k: maps.append(original(*a, **k)) or maps[-1])
    x, y, test_x, test_y = described_digits.handwriting(0)
    unseen, table = np.array([2, 5, 7]), described_digits.digit_attributes()
    described_digits.accuracies(unseen, table, x, y, test_x, test_y)
    noise = np.where(np.isin(y, unseen)[:, None], np.random.default_rng(0).normal(size=x.shape), x)
    described_digits.accuracies(unseen, table, noise, y, test_x, test_y)
    np.testing.assert_array_equal(*maps)
    assert len(y) == 500 and (np.bincount(y) == 50).all() and not rows(x) & rows(test_x)


@pytest.mark.slow
def test_descriptions_of_digits_say_something_and_seen_digits_win_among_all():
    """Two seeds one by one: 57 and 58%, beside 30% for descriptions dealt out at random."""
    right = described_digits.unseen_accuracies(0).mean(0)
    shuffled = [described_digits.unseen_accuracies(0, shuffle=k)[:, 0].mean() for k in range(5)]
    assert right[0] > 0.45 and right[0] > max(shuffled)
    assert right[1] < right[2] - 0.3


@pytest.mark.slow
def test_a_description_beats_a_picture_and_it_is_its_meaning():
    names = ["description", "description, linear map", "shuffled descriptions"]
    results = run(ZERO_SHOT, seeds=2, shots=(1,), methods=names)
    accuracy = {row.method.name: row.accuracy.mean for row in outcomes(results)}
    for name in names[:2]:
        assert accuracy[name] > accuracy["scratch"] > accuracy["shuffled descriptions"]
    assert accuracy["shuffled descriptions"] < 0.5
