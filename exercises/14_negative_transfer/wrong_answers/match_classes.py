"""Wrong answers to `match_classes` that a student writes; exercises.toml says what is wrong with each."""

import numpy as np
from scipy.optimize import linear_sum_assignment


def _check(predictions, labels, classes):
    both = np.concatenate([predictions, labels])
    if len(predictions) != len(labels) or (len(both) and not (both.min() >= 0 and both.max() < classes)):
        raise ValueError("a prediction for each label, from 0 to classes − 1")


def _counts(predictions, labels, classes, keep=None):
    counts = np.zeros((classes, classes))
    np.add.at(counts, (predictions, labels), 1)
    return counts + np.eye(classes) * (1 / (classes + 1) if keep is None else keep)


def _best(counts):
    return linear_sum_assignment(counts, maximize=True)[1]


def each_for_itself(predictions, labels, classes):
    _check(predictions, labels, classes)
    return _counts(predictions, labels, classes).argmax(1)


def worst_of_all(predictions, labels, classes):
    _check(predictions, labels, classes)
    return linear_sum_assignment(_counts(predictions, labels, classes))[1]


def the_other_way(predictions, labels, classes):
    _check(predictions, labels, classes)
    return np.argsort(_best(_counts(predictions, labels, classes)))


def greedy(predictions, labels, classes):
    _check(predictions, labels, classes)
    counts, names = _counts(predictions, labels, classes), np.zeros(classes, int)
    for _ in range(classes):
        source, target = np.unravel_index(counts.argmax(), counts.shape)
        names[source] = target
        counts[source], counts[:, target] = -1, -1
    return names


def columns_in_turn(predictions, labels, classes):
    _check(predictions, labels, classes)
    counts, names = _counts(predictions, labels, classes), np.zeros(classes, int)
    for target in range(classes):
        source = counts[:, target].argmax()
        names[source] = target
        counts[source] = -1
    return names


def repeats_count_once(predictions, labels, classes):
    _check(predictions, labels, classes)
    return _best(np.minimum(_counts(predictions, labels, classes, 0), 1) + np.eye(classes) / (classes + 1))


def shares_of_the_label(predictions, labels, classes):
    _check(predictions, labels, classes)
    counts = _counts(predictions, labels, classes, 0)
    return _best(counts / np.maximum(counts.sum(0, keepdims=True), 1) + np.eye(classes) * 1e-6)


def shift_only(predictions, labels, classes):
    _check(predictions, labels, classes)
    right = [np.sum((predictions + k) % classes == labels) for k in range(classes)]
    return (np.arange(classes) + np.argmax(right)) % classes


def names_lost_in_ties(predictions, labels, classes):
    _check(predictions, labels, classes)
    return classes - 1 - _best(_counts(predictions, labels, classes, 0)[:, ::-1])


def diagonal_too_strong(predictions, labels, classes):
    _check(predictions, labels, classes)
    return _best(_counts(predictions, labels, classes, 1.01))


def diagonal_adds_up(predictions, labels, classes):
    _check(predictions, labels, classes)
    return _best(_counts(predictions, labels, classes, 0.6))


def names_of_labels_only(predictions, labels, classes):
    _check(predictions, labels, classes)
    named = max([0, *labels.tolist(), *predictions.tolist()]) + 1
    return _best(_counts(predictions, labels, named))


def negative_wraps(predictions, labels, classes):
    if len(predictions) != len(labels) or (len(labels) and max(predictions.max(), labels.max()) >= classes):
        raise ValueError("a prediction for each label, below classes")
    return _best(_counts(predictions, labels, classes))


def too_large_is_dropped(predictions, labels, classes):
    _check(np.clip(predictions, 0, classes - 1), np.clip(labels, 0, classes - 1), classes)
    known = (predictions >= 0) & (predictions < classes) & (labels >= 0) & (labels < classes)
    return _best(_counts(predictions[known], labels[known], classes))


def cut_to_the_shorter(predictions, labels, classes):
    count = min(len(predictions), len(labels))
    _check(predictions[:count], labels[:count], classes)
    return _best(_counts(predictions[:count], labels[:count], classes))
