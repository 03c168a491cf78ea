"""The shelf holds what its labels say, test images decide nothing, and the scores foretell what a probe will reach."""

import numpy as np
import pytest
from scipy.stats import weightedtau

from nn.data.glyphs import CHARACTERS
from transfer.experiments import run, source_choice
from transfer.experiments.images import images
from transfer.experiments.source_choice import SHELF, SOURCE_CHOICE, UNTRAINED, Candidate, pick, source


@pytest.fixture
def configuration(monkeypatch):
    """Sets numbers of the experiment for one test, and forgets the networks that were made under others."""

    def change(**numbers):
        source_choice.pretrained.cache_clear()
        source_choice.shelf.cache_clear()
        for name, number in numbers.items():
            monkeypatch.setitem(source_choice.CONFIGURATION, name, number)

    yield change
    source_choice.pretrained.cache_clear()
    source_choice.shelf.cache_clear()


def rows(x):
    return {row.tobytes() for row in x}


def test_the_shelf_holds_what_its_labels_say():
    x, y = images("mnist_5k", "train")
    few_x, few_y = source(0, "MNIST, 200 images", "train")
    known = {row.tobytes(): label for row, label in zip(x, y, strict=True)}
    assert len(few_y) == 200 and [known[row.tobytes()] for row in few_x] == few_y.tolist()
    half_x, half_y = source(0, "MNIST, 0 to 4", "train")
    assert set(half_y) == set(range(5)) and rows(half_x) == rows(x[y < 5])
    np.testing.assert_array_equal(source(0, "MNIST, inverted", "test")[0], 1 - images("mnist_5k", "test")[0])

    moved = [source(0, "MNIST, pixels shuffled", split)[0] for split in ("train", "test")]
    order = source_choice.generator(0, source_choice.SOURCE).permutation(256)
    for pixels, split in zip(moved, ("train", "test"), strict=True):  # one order for all images, of both splits
        np.testing.assert_array_equal(pixels, images("mnist_5k", split)[0][:, order])
    same_x, shuffled = source(0, "MNIST, labels shuffled", "train")
    np.testing.assert_array_equal(same_x, x)
    np.testing.assert_array_equal(np.bincount(shuffled), np.bincount(y))
    assert 0.05 < (shuffled == y).mean() < 0.15

    glyphs, labels = images("glyphs", "test")
    for name, first, characters in (("printed digits", "0", 10), ("Latin letters", "A", 39), ("Greek letters", "Γ", 26)):
        chosen, numbers = source(0, name, "test")
        assert len(set(numbers)) == characters and len(numbers) == 40 * characters
        where = labels - CHARACTERS.index(first)
        np.testing.assert_array_equal(chosen[numbers == 3], glyphs[where == 3])


@pytest.mark.parametrize("name", [name for name in SHELF if name != UNTRAINED])
def test_every_label_of_a_source_has_an_output(name):
    for split in ("train", "test"):
        _, y = source(1, name, split)
        assert y.min() == 0 and y.max() < source_choice.CONFIGURATION["source_classes"]


def test_a_choice_is_worth_what_the_network_with_the_largest_number_reaches():
    shelf = [Candidate(name, {"LogME": score}, a) for name, score, a in (("a", -0.5, 0.7), ("b", 0.1, 0.6), ("c", 0.1, 0.9))]
    assert pick(shelf[:2], "LogME") == 0.6  # not the best: the one that the score points at
    assert pick(shelf, "LogME") == pytest.approx(0.75)  # two tie: one of them is drawn


def test_no_test_image_is_trained_on_or_scored(monkeypatch, configuration):
    configuration()
    trained, scored = [], []
    for name in ("fine_tune", "linear_probe"):
        monkeypatch.setattr(source_choice, name, lambda model, x, y, **_: trained.append((x, y)))
    monkeypatch.setattr(source_choice, "evaluate", lambda *_: 0.5)

    def recorded_scores(model, x, y):
        scored.append((x, y))
        return dict.fromkeys(source_choice.SCORES, 0.0)

    monkeypatch.setattr(source_choice, "scores", recorded_scores)
    methods = frozenset(method.name for method in SOURCE_CHOICE.methods)
    assert len(list(source_choice.run_seed(0, (5,), methods))) == len(methods)

    x, y, test_x, _ = source_choice.target(0, 5)
    assert [len(pictures) for pictures, _ in trained] == [
        size
        for name in SHELF
        for size in (*pretraining_sizes(name), 40, 50)  # the source, the trial, the probe
    ]
    for pictures, _ in (*trained, *scored):
        assert not rows(pictures) & rows(test_x)
    assert len(scored) == len(SHELF)
    for pictures, labels in scored:
        np.testing.assert_array_equal(pictures, x)
        np.testing.assert_array_equal(labels, y)
    trial_labels = trained[1][1]
    assert np.bincount(trial_labels).tolist() == [4] * 10  # one image of each class is held out


def pretraining_sizes(name):
    return () if name == UNTRAINED else (len(source(0, name, "train")[1]),)


def test_more_shots_add_examples_and_swap_none():
    (few, few_labels, *_), (many, many_labels, *_) = (source_choice.target(3, shots) for shots in (2, 5))
    assert len(few) == 20 and len(many) == 50
    for label in range(10):
        np.testing.assert_array_equal(many[many_labels == label][:2], few[few_labels == label])


@pytest.mark.slow
def test_the_same_seeds_give_the_same_numbers(configuration):
    configuration(pretraining_steps=20, steps=10)
    whole = run(SOURCE_CHOICE, seeds=2, shots=(1, 3))
    configuration()
    part = run(SOURCE_CHOICE, seeds=2, shots=(3,), methods=["LogME", "trial"])
    assert len(part.records) == 2 * 3 and len(whole.records) == 2 * 2 * len(SOURCE_CHOICE.methods)
    assert set(part.records) < set(whole.records)
    # With one image a class there is nothing to hold out: the trial is a blind pick, and says so.
    assert whole.accuracies("trial", 1) == whole.accuracies("blindly", 1)


@pytest.mark.slow
def test_scores_of_the_target_foretell_what_a_probe_reaches_and_the_source_accuracy_does_not(configuration):
    """Half the steps. Ten seeds one by one: NCE 0.34 to 0.83, LogME 0.08 to 0.90, the source accuracy −0.14 to 0.14."""
    configuration(pretraining_steps=150, steps=100)
    tau = {"NCE": [], "LogME": [], "source accuracy": []}
    for seed in range(2):
        candidates = source_choice.shelf(seed, 40)
        accuracies = [candidate.accuracy for candidate in candidates]
        for name, values in tau.items():
            values.append(weightedtau([candidate.known[name] for candidate in candidates], accuracies).statistic)
    means = {name: np.mean(values) for name, values in tau.items()}
    assert means["LogME"] > 0.1 and means["NCE"] > 0.2
    assert means["source accuracy"] < min(means["LogME"], means["NCE"])
