"""New characters are new, tests are never trained on, and what was learned on others helps."""

import numpy as np
import pytest

from transfer.experiments import FEW_LABELS, few_labels, run
from transfer.experiments.images import images
from transfer.report import outcomes


@pytest.fixture
def configuration(monkeypatch):
    """Sets numbers of the experiment for one test, and forgets the networks that were pretrained under others."""

    def change(**numbers):
        few_labels.pretrained.cache_clear()
        for name, number in numbers.items():
            monkeypatch.setitem(few_labels.CONFIGURATION, name, number)

    yield change
    few_labels.pretrained.cache_clear()


def rows(x):
    return {row.tobytes() for row in x}


def test_seen_and_new_characters_are_all_characters_and_share_none():
    for seed in range(20):
        seen, new = few_labels.split_classes(seed)
        assert len(seen) == 117 and len(new) == 20
        assert sorted([*seen, *new]) == list(range(137))
    assert set(few_labels.split_classes(0)[1]) != set(few_labels.split_classes(1)[1])


def test_more_shots_add_examples_and_swap_none():
    (few, few_labels_of, *test), (many, many_labels, *same_test) = (few_labels.target(3, shots) for shots in (2, 5))
    for label in range(20):
        np.testing.assert_array_equal(many[many_labels == label][:2], few[few_labels_of == label])
    assert len(few) == 40 and len(many) == 100
    np.testing.assert_equal(test, same_test)
    assert few_labels.target(4, 2)[0].tobytes() != few.tobytes()


def test_new_labels_name_the_characters_that_the_images_show():
    x, y, test_x, test_y = few_labels.target(0, 3)
    _, new = few_labels.split_classes(0)
    for split, ours, labels in (("train", x, y), ("test", test_x, test_y)):
        known = {row.tobytes(): label for row, label in zip(*images("glyphs", split), strict=True)}
        assert [known[row.tobytes()] for row in ours] == new[labels].tolist()
    assert np.bincount(test_y).tolist() == [40] * 20


def test_nothing_is_trained_on_a_test_image_nor_pretrained_on_a_new_character(monkeypatch, configuration):
    configuration()
    calls = []
    for name in ("fine_tune", "linear_probe"):
        monkeypatch.setattr(few_labels, name, lambda model, x, y, **_: calls.append((x, y)))
    methods = frozenset(method.name for method in FEW_LABELS.methods)
    assert len(list(few_labels.run_seed(0, (1, 5), methods))) == 2 * len(methods)
    few_labels.pretrained.cache_clear()

    _, _, test_x, _ = few_labels.target(0, 1)
    _, new = few_labels.split_classes(0)
    x, y = images("glyphs", "train")
    pretraining = [call for call in calls if len(call[0]) == 117 * 80]
    # For each number of examples: scratch, fine-tune, linear probe, random features, shuffled labels.
    assert len(pretraining) == 2 and len(calls) == 2 + 2 * 5
    for trained, labels in calls:
        assert not rows(trained) & rows(test_x)
        assert labels.min() == 0 and len(np.unique(labels)) == labels.max() + 1
    assert not rows(pretraining[0][0]) & rows(x[np.isin(y, new)])
    # The control sees the same images under the same labels, dealt out anew: hardly one in a hundred is where it was.
    (pictures, names), (same_pictures, dealt) = pretraining
    np.testing.assert_array_equal(pictures, same_pictures)
    np.testing.assert_array_equal(np.sort(names), np.sort(dealt))
    assert (names == dealt).mean() < 0.03


@pytest.mark.slow
def test_the_same_seeds_give_the_same_numbers(configuration):
    """Also from a network that was pretrained anew, and where other methods and shots are asked for."""
    configuration(pretraining_steps=30, steps=20)
    whole = run(FEW_LABELS, seeds=2, shots=(1, 3))
    few_labels.pretrained.cache_clear()
    part = run(FEW_LABELS, seeds=2, shots=(3,), methods=["linear probe", "prototypes"])
    assert len(part.records) == 2 * 3
    assert set(part.records) < set(whole.records)
    assert len(whole.records) == 2 * 2 * 7


@pytest.mark.slow
def test_pretraining_helps_with_one_label_and_it_is_the_pretraining(configuration):
    """Half of the pretraining. Ten other seeds, one by one: the probe gained 12 to 30 points, prototypes 17 to 32; random
    features lost 2 to 8, those of shuffled labels 3 to 8."""
    configuration(pretraining_steps=800, steps=150)
    controls = ["random features", "shuffled labels", "raw pixels"]
    results = run(FEW_LABELS, seeds=3, shots=(1,), methods=["linear probe", "prototypes", *controls])
    accuracy = {row.method.name: row.accuracy.mean for row in outcomes(results)}
    gain = {name: value - accuracy["scratch"] for name, value in accuracy.items()}
    assert gain["linear probe"] > 0.07 and gain["prototypes"] > 0.1
    # The controls: the same methods, without the pretraining.
    assert gain["random features"] < 0.05 < 0.1 < accuracy["prototypes"] - accuracy["raw pixels"]
    # The same pretraining, with nothing in the labels that is in the pictures.
    assert gain["shuffled labels"] < 0.05 and gain["linear probe"] > gain["shuffled labels"] + 0.1
