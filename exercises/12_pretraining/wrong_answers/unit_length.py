"""Wrong answers to `unit_length` that a student writes; exercises.toml says what is wrong with each."""

import numpy as np


def _divided(features, lengths):
    return features / np.where(lengths == 0, 1, lengths)


def zeros_divided_by_zero(features):
    return features / np.linalg.norm(features, axis=-1, keepdims=True)


def something_added_to_the_length(features):
    return features / (np.linalg.norm(features, axis=-1, keepdims=True) + 1e-6)


def short_rows_stay(features):
    return features / np.maximum(np.linalg.norm(features, axis=-1, keepdims=True), 1)


def one_length_for_all(features):
    return _divided(features, np.linalg.norm(features))


def columns_for_rows(features):
    return _divided(features, np.linalg.norm(features, axis=0, keepdims=True))


def sum_of_sizes(features):
    return _divided(features, np.abs(features).sum(-1, keepdims=True))


def squared_length(features):
    return _divided(features, (features**2).sum(-1, keepdims=True))


def largest_becomes_one(features):
    return _divided(features, np.abs(features).max(-1, keepdims=True))


def standardized(features):
    return _divided(features - features.mean(-1, keepdims=True), features.std(-1, keepdims=True))


def zeros_left_out(features):
    lengths = np.linalg.norm(features, axis=-1, keepdims=True)
    kept = lengths[:, 0] > 0
    return features[kept] / lengths[kept]


def changed_in_place(features):
    lengths = np.linalg.norm(features, axis=-1, keepdims=True)
    features /= np.where(lengths == 0, 1, lengths)
    return features
