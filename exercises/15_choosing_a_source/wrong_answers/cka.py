"""Wrong answers to `cka` that a student writes; exercises.toml says what is wrong with each."""

import numpy as np
from numpy.linalg import norm


def not_centred(x, y):
    return _alignment(x, y)


def rows_centred(x, y):
    return _alignment(x - x.mean(1, keepdims=True), y - y.mean(1, keepdims=True))


def one_mean_for_all(x, y):
    return _alignment(x - x.mean(), y - y.mean())


def root_taken(x, y):
    x, y = x - x.mean(0), y - y.mean(0)
    return float(norm(y.T @ x) / np.sqrt(norm(x.T @ x) * norm(y.T @ y)))


def divided_by_lengths(x, y):
    x, y = x - x.mean(0), y - y.mean(0)
    return float(norm(y.T @ x) ** 2 / (norm(x) ** 2 * norm(y) ** 2))


def unit_by_unit(x, y):
    x, y = x - x.mean(0), y - y.mean(0)
    width = min(x.shape[1], y.shape[1])
    x, y = x[:, :width], y[:, :width]
    return float(((x * y).sum(0) ** 2 / ((x**2).sum(0) * (y**2).sum(0))).mean())


def stretches_ignored(x, y):
    white = [np.linalg.svd(z - z.mean(0), full_matrices=False)[0] for z in (x, y)]
    return _alignment(*white)


def constant_features_accepted(x, y):
    return _alignment(x - x.mean(0), y - y.mean(0))


def _alignment(x, y):
    return float(norm(y.T @ x) ** 2 / (norm(x.T @ x) * norm(y.T @ y)))
