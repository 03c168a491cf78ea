"""Wrong answers to `eszsl` that a student writes; exercises.toml says what is wrong with each."""

import numpy as np


def _require(features, labels, table, gamma, lam):
    if len(features) != len(labels) or set(labels) != set(range(len(table))) or not (gamma > 0 and lam > 0):
        raise ValueError("a label for each row, an example for each class, and weights above 0")


def _targets(labels, table):
    return 2.0 * np.eye(len(table))[labels] - 1


def _solve(x, y, s, gamma, lam):
    left = np.linalg.solve(x.T @ x + gamma * np.eye(x.shape[1]), x.T @ y @ s)
    return left @ np.linalg.inv(s.T @ s + lam * np.eye(s.shape[1]))


def regularizers_swapped(features, labels, class_attributes, *, gamma, lam):
    _require(features, labels, class_attributes, gamma, lam)
    return _solve(features, _targets(labels, class_attributes), class_attributes, lam, gamma)


def zeros_and_ones(features, labels, class_attributes, *, gamma, lam):
    _require(features, labels, class_attributes, gamma, lam)
    return _solve(features, np.eye(len(class_attributes))[labels], class_attributes, gamma, lam)


def sign_reversed(features, labels, class_attributes, *, gamma, lam):
    _require(features, labels, class_attributes, gamma, lam)
    return _solve(features, -_targets(labels, class_attributes), class_attributes, gamma, lam)


def lam_ignored(features, labels, class_attributes, *, gamma, lam):
    _require(features, labels, class_attributes, gamma, lam)
    return _solve(features, _targets(labels, class_attributes), class_attributes, gamma, 0)


def gamma_ignored(features, labels, class_attributes, *, gamma, lam):
    _require(features, labels, class_attributes, gamma, lam)
    return _solve(features, _targets(labels, class_attributes), class_attributes, 0, lam)


def added_to_every_number(features, labels, class_attributes, *, gamma, lam):
    _require(features, labels, class_attributes, gamma, lam)
    x, s = features, class_attributes
    left = np.linalg.pinv(x.T @ x + gamma) @ x.T @ _targets(labels, s) @ s
    return left @ np.linalg.pinv(s.T @ s + lam)


def regresses_attributes(features, labels, class_attributes, *, gamma, lam):
    _require(features, labels, class_attributes, gamma, lam)
    x = features
    return np.linalg.solve(x.T @ x + gamma * np.eye(x.shape[1]), x.T @ class_attributes[labels])


def mean_over_the_examples(features, labels, class_attributes, *, gamma, lam):
    _require(features, labels, class_attributes, gamma, lam)
    x, y, s = features, _targets(labels, class_attributes), class_attributes
    left = np.linalg.solve(x.T @ x / len(x) + gamma * np.eye(x.shape[1]), x.T @ y @ s / len(x))
    return left @ np.linalg.inv(s.T @ s + lam * np.eye(s.shape[1]))


def class_without_an_example_accepted(features, labels, class_attributes, *, gamma, lam):
    _require(features, labels, class_attributes[: labels.max() + 1], gamma, lam)
    return _solve(features, _targets(labels, class_attributes), class_attributes, gamma, lam)


def any_weight_accepted(features, labels, class_attributes, *, gamma, lam):
    _require(features, labels, class_attributes, 1, 1)
    return _solve(features, _targets(labels, class_attributes), class_attributes, gamma, lam)


def one_label_for_all(features, labels, class_attributes, *, gamma, lam):
    if set(labels) != set(range(len(class_attributes))) or not (gamma > 0 and lam > 0):
        raise ValueError("an example for each class, and weights above 0")
    y = np.broadcast_to(_targets(labels, class_attributes), (len(features), len(class_attributes)))
    return _solve(features, y, class_attributes, gamma, lam)
