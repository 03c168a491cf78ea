"""Wrong answers to `shift_labels` that a student writes; exercises.toml says what is wrong with each."""

import numpy as np


def _require_share(share):
    if not 0 <= share <= 1:
        raise ValueError(f"a share from 0 to 1, got {share}")


def _require_labels(labels, classes):
    if labels.min() < 0 or labels.max() >= classes:
        raise ValueError(f"labels from 0 to {classes - 1}, got {labels.min()} to {labels.max()}")


def _require(labels, classes, share):
    _require_share(share)
    _require_labels(labels, classes)


def _moved(labels, share, seed):
    return np.random.default_rng(seed).random(len(labels)) < share


def beyond_the_last(labels, classes, *, share=1.0, seed=0):
    _require(labels, classes, share)
    return np.where(_moved(labels, share, seed), labels + 1, labels)


def largest_label_is_the_last(labels, classes, *, share=1.0, seed=0):
    _require(labels, classes, share)
    return np.where(_moved(labels, share, seed), (labels + 1) % (labels.max() + 1), labels)


def last_stays(labels, classes, *, share=1.0, seed=0):
    _require(labels, classes, share)
    return np.where(_moved(labels, share, seed), np.minimum(labels + 1, classes - 1), labels)


def one_back(labels, classes, *, share=1.0, seed=0):
    _require(labels, classes, share)
    return np.where(_moved(labels, share, seed), (labels - 1) % classes, labels)


def any_class(labels, classes, *, share=1.0, seed=0):
    _require(labels, classes, share)
    others = np.random.default_rng(seed).integers(1, max(classes, 2), len(labels))
    return np.where(_moved(labels, share, seed), (labels + others) % classes, labels)


def labels_shuffled(labels, classes, *, share=1.0, seed=0):
    _require(labels, classes, share)
    return np.where(_moved(labels, share, seed), np.random.default_rng(seed).permutation(labels), labels)


def share_that_stays(labels, classes, *, share=1.0, seed=0):
    _require(labels, classes, share)
    return np.where(_moved(labels, share, seed), labels, (labels + 1) % classes)


def all_or_none(labels, classes, *, share=1.0, seed=0):
    _require(labels, classes, share)
    return (labels + 1) % classes if np.random.default_rng(seed).random() < share else labels.copy()


def the_first_ones(labels, classes, *, share=1.0, seed=0):
    _require(labels, classes, share)
    return np.where(np.arange(len(labels)) < share * len(labels), (labels + 1) % classes, labels)


def the_first_classes(labels, classes, *, share=1.0, seed=0):
    _require(labels, classes, share)
    chance = np.clip(share * classes - labels, 0, 1)
    return np.where(np.random.default_rng(seed).random(len(labels)) < chance, (labels + 1) % classes, labels)


def seed_ignored(labels, classes, *, share=1.0, seed=0):
    _require(labels, classes, share)
    return np.where(_moved(labels, share, 0), (labels + 1) % classes, labels)


def never_the_same(labels, classes, *, share=1.0, seed=0):
    _require(labels, classes, share)
    return np.where(_moved(labels, share, None), (labels + 1) % classes, labels)


def changed_in_place(labels, classes, *, share=1.0, seed=0):
    _require(labels, classes, share)
    moved = _moved(labels, share, seed)
    labels[moved] = (labels[moved] + 1) % classes
    return labels


def any_share_accepted(labels, classes, *, share=1.0, seed=0):
    _require_labels(labels, classes)
    return np.where(_moved(labels, share, seed), (labels + 1) % classes, labels)


def any_label_accepted(labels, classes, *, share=1.0, seed=0):
    _require_share(share)
    return np.where(_moved(labels, share, seed), (labels + 1) % classes, labels)
