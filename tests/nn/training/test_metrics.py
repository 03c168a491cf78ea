from itertools import pairwise

import jax.numpy as jnp
import numpy as np
import pytest
import sklearn.metrics

from nn.training.metrics import accuracy, confusion_matrix, top_k_accuracy

random = np.random.default_rng(0)
LOGITS, LABELS = random.normal(size=(40, 5)).astype(np.float32), random.integers(0, 5, 40)


def test_accuracy_is_that_of_scikit_learn():
    right = accuracy(jnp.asarray(LOGITS), jnp.asarray(LABELS))
    assert right.dtype == jnp.float32
    assert float(right.mean()) == pytest.approx(sklearn.metrics.accuracy_score(LABELS, LOGITS.argmax(-1)), rel=1e-6)


@pytest.mark.parametrize("k", [1, 2, 4])
def test_top_k_accuracy_is_that_of_scikit_learn(k):
    ours = float(top_k_accuracy(jnp.asarray(LOGITS), jnp.asarray(LABELS), k).mean())
    assert ours == pytest.approx(sklearn.metrics.top_k_accuracy_score(LABELS, LOGITS, k=k), rel=1e-6)


def test_top_k_begins_at_accuracy_only_grows_and_ends_at_certainty():
    logits, labels = jnp.asarray(LOGITS), jnp.asarray(LABELS)
    right = [np.asarray(top_k_accuracy(logits, labels, k)) for k in range(1, 6)]
    np.testing.assert_array_equal(right[0], accuracy(logits, labels))
    for fewer, more in pairwise(right):
        assert (fewer <= more).all()
    np.testing.assert_array_equal(right[-1], 1)


def test_of_equal_scores_the_first_class_counts_for_both():
    tied, labels = jnp.zeros((3, 3)), jnp.arange(3)
    np.testing.assert_array_equal(accuracy(tied, labels), [1, 0, 0])
    np.testing.assert_array_equal(top_k_accuracy(tied, labels, 1), [1, 0, 0])
    np.testing.assert_array_equal(top_k_accuracy(tied, labels, 2), [1, 1, 0])


def test_a_label_outside_the_classes_is_never_right():
    logits = jnp.array([[0.0, 1.0, 2.0]] * 2)
    labels = jnp.array([-1, 3])
    np.testing.assert_array_equal(accuracy(logits, labels), [0, 0])
    np.testing.assert_array_equal(top_k_accuracy(logits, labels, 3), [0, 0])


def test_leading_axes_are_free():
    logits, labels = jnp.asarray(LOGITS), jnp.asarray(LABELS)
    shaped = logits.reshape(4, 10, 5), labels.reshape(4, 10)
    np.testing.assert_array_equal(accuracy(*shaped).ravel(), accuracy(logits, labels))
    np.testing.assert_array_equal(top_k_accuracy(*shaped, 2).ravel(), top_k_accuracy(logits, labels, 2))
    assert accuracy(logits[0], labels[0]) == accuracy(logits, labels)[0]


def test_the_confusion_matrix_is_that_of_scikit_learn():
    taken_for = LOGITS.argmax(-1)
    theirs = sklearn.metrics.confusion_matrix(LABELS, taken_for, labels=range(6))
    np.testing.assert_array_equal(confusion_matrix(taken_for, LABELS, 6), theirs)
    np.testing.assert_array_equal(confusion_matrix(jnp.asarray(taken_for), jnp.asarray(LABELS), 6), theirs)


@pytest.mark.parametrize("stray", [-1, 3])
def test_a_confusion_with_no_class_is_refused_and_not_counted_elsewhere(stray, without_type_checks):
    with pytest.raises(ValueError, match=rf"classes from 0 to 2, got \[{stray}\]"):
        confusion_matrix(np.array([0, 1, 2]), np.array([0, stray, 2]), 3)
    with pytest.raises(ValueError, match="a label for each prediction"):
        confusion_matrix(np.array([0, 1, 2]), np.array([0, 1]), 3)


def test_scores_that_are_not_numbers_are_never_right():
    logits = jnp.array([[jnp.nan, 1.0], [jnp.nan, jnp.nan], [2.0, 1.0]])
    np.testing.assert_array_equal(accuracy(logits, jnp.array([0, 0, 0])), [0, 0, 1])


@pytest.mark.parametrize("measure", [accuracy, lambda z, y: top_k_accuracy(z, y, 2)], ids=["accuracy", "top_k_accuracy"])
def test_labels_of_another_shape_are_refused_and_not_broadcast(measure, without_type_checks):
    with pytest.raises(ValueError, match=r"logits\.shape=\(40, 5\), labels\.shape=\(40, 1\)"):
        measure(jnp.asarray(LOGITS), jnp.asarray(LABELS)[:, None])


@pytest.mark.parametrize("k", [0, 6, -1])
def test_k_outside_the_classes_is_named(k):
    with pytest.raises(ValueError, match=rf"top_k_accuracy expects k between 1 and 5 classes, got k={k}\."):
        top_k_accuracy(jnp.asarray(LOGITS), jnp.asarray(LABELS), k)
