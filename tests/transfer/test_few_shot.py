"""Prototypes against their definition, and what must not matter to them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis.strategies import integers

from transfer import class_prototypes, prototype_accuracy, prototype_logits, unit_length

seeds = integers(0, 2**32 - 1)


def task(seed, classes=4, shots=3, queries=30, width=5):
    """Support and queries around the same class centres: (support, its labels, queries, their labels)."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(classes, width))
    support_labels = np.repeat(np.arange(classes), shots)
    query_labels = rng.integers(0, classes, queries)
    noisy = [centres[labels] + 0.7 * rng.normal(size=(len(labels), width)) for labels in (support_labels, query_labels)]
    return noisy[0], support_labels, noisy[1], query_labels


@given(seeds)
def test_a_prototype_is_the_mean_of_its_class(seed):
    x, y, *_ = task(seed)
    prototypes = class_prototypes(x, y, 4)
    for c in range(4):
        np.testing.assert_allclose(prototypes[c], sum(x[i] for i in np.flatnonzero(y == c)) / 3, atol=1e-12)
    # The mean is the point with the least squared distance to its class, so no step away from it can gain.
    step = np.random.default_rng(seed).normal(size=(4, 5)) / 10
    assert (((x - prototypes[y]) ** 2).sum() < ((x - (prototypes + step)[y]) ** 2).sum()).all()


@given(seeds)
def test_logits_are_minus_the_squared_distances(seed):
    x, y, queries, _ = task(seed)
    prototypes = class_prototypes(x, y, 4)
    differences = queries[:, None, :] - prototypes[None, :, :]
    np.testing.assert_allclose(prototype_logits(queries, prototypes), -(differences**2).sum(-1), atol=1e-9)


@given(seeds)
def test_a_query_at_a_prototype_is_of_its_class(seed):
    x, y, *_ = task(seed)
    prototypes = class_prototypes(x, y, 4)
    logits = prototype_logits(prototypes, prototypes)
    np.testing.assert_allclose(np.diag(logits), 0, atol=1e-9)
    assert (logits.argmax(1) == np.arange(4)).all()


@given(seeds)
def test_a_rotation_of_all_features_changes_nothing(seed):
    x, y, queries, labels = task(seed)
    rotation, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(5, 5)))
    logits = prototype_logits(queries, class_prototypes(x, y, 4))
    np.testing.assert_allclose(prototype_logits(queries @ rotation, class_prototypes(x @ rotation, y, 4)), logits, atol=1e-9)
    assert prototype_accuracy(x @ rotation, y, queries @ rotation, labels, classes=4) == pytest.approx(
        prototype_accuracy(x, y, queries, labels, classes=4)
    )


@given(seeds)
def test_neither_order_nor_names_nor_lengths_matter(seed):
    x, y, queries, labels = task(seed)
    rng = np.random.default_rng(seed)
    accuracy = prototype_accuracy(x, y, queries, labels, classes=4)
    order, other_order, names = rng.permutation(len(y)), rng.permutation(len(labels)), rng.permutation(4)
    shuffled = (x[order], y[order], queries[other_order], labels[other_order])
    assert prototype_accuracy(*shuffled, classes=4) == pytest.approx(accuracy)
    assert prototype_accuracy(x, names[y], queries, names[labels], classes=4) == pytest.approx(accuracy)
    lengths = rng.uniform(0.1, 10, size=(len(x), 1)), rng.uniform(0.1, 10, size=(len(queries), 1))
    assert prototype_accuracy(x * lengths[0], y, queries * lengths[1], labels, classes=4) == pytest.approx(accuracy)


@given(seeds)
def test_with_one_example_a_class_it_is_the_nearest_neighbour(seed):
    x, y, queries, labels = task(seed, shots=1)
    support, directions = x / np.linalg.norm(x, axis=1)[:, None], queries / np.linalg.norm(queries, axis=1)[:, None]
    nearest = [y[np.linalg.norm(support - direction, axis=1).argmin()] for direction in directions]
    assert prototype_accuracy(x, y, queries, labels, classes=4) == pytest.approx(np.mean(nearest == labels))


def test_unit_length_keeps_directions_and_zeros():
    x = np.array([[3, 4], [-0.3, 0.4], [0, 0], [1e-15, 0]], np.float32)
    np.testing.assert_allclose(unit_length(x), [[0.6, 0.8], [-0.6, 0.8], [0, 0], [1, 0]], rtol=1e-6)
    assert unit_length(x).dtype == np.float32


def test_what_does_not_fit_together_is_refused(monkeypatch):
    monkeypatch.setattr("jaxtyping.config.jaxtyping_disable", True)  # past the checker of types, to our own
    x, y, queries, _ = task(0)
    with pytest.raises(ValueError, match="a label for each row, got 12 rows, 11 labels"):
        class_prototypes(x, y[:-1], 4)
    with pytest.raises(ValueError, match=r"an example of each of 6 classes, got none of \[4, 5\]"):
        class_prototypes(x, y, 6)
    with pytest.raises(ValueError, match=r"as wide as the prototypes, 5, got 4"):
        prototype_logits(queries[:, :4], class_prototypes(x, y, 4))


def test_a_label_outside_the_classes_is_refused():
    """Its examples would be left out without a word."""
    x, y, *_ = task(0)
    with pytest.raises(ValueError, match=r"labels from 0 to 2, got .*3"):
        class_prototypes(x, y, 3)


def test_features_that_are_not_numbers_are_never_right_and_labels_are_not_broadcast():
    support, labels = np.eye(3), np.arange(3)
    queries = np.eye(3)
    assert prototype_accuracy(support, labels, queries, labels, classes=3) == 1
    queries[0] = np.nan
    assert prototype_accuracy(support, labels, queries, labels, classes=3) == pytest.approx(2 / 3)
