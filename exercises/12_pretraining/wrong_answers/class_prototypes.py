"""Wrong answers to `class_prototypes` that a student writes; exercises.toml says what is wrong with each."""

import numpy as np


def _require_labels(features, labels, classes):
    if len(features) != len(labels):
        raise ValueError(f"a label for each row, got {len(features)} rows, {len(labels)} labels")
    if not set(labels.tolist()) <= set(range(classes)):
        raise ValueError(f"labels from 0 to {classes - 1}, got {labels}")


def _require_all(features, labels, classes):
    _require_labels(features, labels, classes)
    if len(set(labels.tolist())) < classes:
        raise ValueError(f"an example of each of {classes} classes, got {labels}")


def summed(features, labels, classes):
    _require_all(features, labels, classes)
    return np.stack([features[labels == c].sum(0) for c in range(classes)])


def divided_by_all(features, labels, classes):
    _require_all(features, labels, classes)
    return np.stack([features[labels == c].sum(0) / len(features) for c in range(classes)])


def one_mean_for_all(features, labels, classes):
    _require_all(features, labels, classes)
    return np.stack([features.mean(0) for _ in range(classes)])


def first_example(features, labels, classes):
    _require_all(features, labels, classes)
    return np.stack([features[labels == c][0] for c in range(classes)])


def median(features, labels, classes):
    _require_all(features, labels, classes)
    return np.stack([np.median(features[labels == c], axis=0) for c in range(classes)])


def made_unit_length(features, labels, classes):
    _require_all(features, labels, classes)
    means = np.stack([features[labels == c].mean(0) for c in range(classes)])
    return means / np.linalg.norm(means, axis=1, keepdims=True)


def in_order_of_appearance(features, labels, classes):
    _require_all(features, labels, classes)
    return np.stack([features[labels == c].mean(0) for c in dict.fromkeys(labels.tolist())])


def missing_class_is_nan(features, labels, classes):
    _require_labels(features, labels, classes)
    return np.stack([features[labels == c].mean(0) for c in range(classes)])


def missing_class_is_zero(features, labels, classes):
    _require_labels(features, labels, classes)
    members = labels == np.arange(classes)[:, None]
    return members @ features / np.maximum(members.sum(1, keepdims=True), 1)


def missing_class_left_out(features, labels, classes):
    _require_labels(features, labels, classes)
    return np.stack([features[labels == c].mean(0) for c in np.unique(labels)])


def outside_left_out(features, labels, classes):
    if len(features) != len(labels):
        raise ValueError(f"a label for each row, got {len(features)} rows, {len(labels)} labels")
    within = (labels >= 0) & (labels < classes)
    _require_all(features[within], labels[within], classes)
    return np.stack([features[labels == c].mean(0) for c in range(classes)])


def negative_label_wraps(features, labels, classes):
    if len(features) != len(labels) or labels.max() >= classes:
        raise ValueError(f"labels up to {classes - 1}, one for each of {len(features)} rows, got {labels}")
    sums, counts = np.zeros((classes, features.shape[1])), np.zeros((classes, 1))
    np.add.at(sums, labels, features)
    np.add.at(counts, labels, 1)
    if not counts.all():
        raise ValueError(f"an example of each of {classes} classes, got {labels}")
    return sums / counts


def rows_without_label_dropped(features, labels, classes):
    _require_all(labels, labels, classes)
    return np.stack([np.mean([x for x, y in zip(features, labels, strict=False) if y == c], axis=0) for c in range(classes)])


def stumbles_over_the_missing_label(features, labels, classes):
    _require_all(labels, labels, classes)
    return np.stack([features[labels == c].mean(0) for c in range(classes)])
