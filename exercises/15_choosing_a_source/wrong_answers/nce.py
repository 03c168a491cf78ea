"""Wrong answers to `nce` that a student writes; exercises.toml says what is wrong with each."""

import numpy as np


def conditioned_the_wrong_way(source_labels, labels):
    counts, y, z = _table(source_labels, labels)
    return float(np.log(counts[y, z] / counts.sum(1)[y]).mean())


def joint_entropy(source_labels, labels):
    counts, y, z = _table(source_labels, labels)
    return float(np.log(counts[y, z] / len(y)).mean())


def source_ignored(source_labels, labels):
    counts, y, _ = _table(source_labels, labels)
    return float(np.log(counts.sum(1)[y] / len(y)).mean())


def sign_lost(source_labels, labels):
    return -_right(source_labels, labels)


def in_bits(source_labels, labels):
    return _right(source_labels, labels) / np.log(2)


def source_classes_count_equally(source_labels, labels):
    counts, _, _ = _table(source_labels, labels)
    p = counts / counts.sum(0)
    return float((p * np.log(np.where(p > 0, p, 1))).sum(0).mean())


def log_of_the_mean(source_labels, labels):
    counts, y, z = _table(source_labels, labels)
    return float(np.log((counts[y, z] / counts.sum(0)[z]).mean()))


def negative_label_wraps(source_labels, labels):
    _, y, _ = _table(source_labels, labels)
    counts = np.zeros((y.max() + 1, source_labels.max() + 1))
    np.add.at(counts, (y, source_labels % len(counts.T)), 1)
    return float(np.log(counts[y, source_labels] / counts.sum(0)[source_labels]).mean())


def lengths_not_compared(source_labels, labels):
    n = min(len(source_labels), len(labels))
    return _right(source_labels[:n], labels[:n])


def one_class_accepted(source_labels, labels):
    if source_labels.shape != labels.shape:
        raise ValueError("nce expects a source label for each label.")
    return _right(source_labels, labels)


def _right(source_labels, labels):
    counts, y, z = _table(source_labels, labels)
    return float(np.log(counts[y, z] / counts.sum(0)[z]).mean())


def _table(source_labels, labels):
    """Counts of pairs, and both labels as 0, 1, …"""
    y, z = (np.unique(names, return_inverse=True)[1] for names in (labels, source_labels))
    counts = np.zeros((y.max() + 1, z.max() + 1))
    np.add.at(counts, (y, z), 1)
    return counts, y, z
