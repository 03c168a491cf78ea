"""Wrong answers to `proxy_a_distance` that a student writes; exercises.toml says what is wrong with each."""

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier


def _checked(source, target):
    if source.shape[1] != target.shape[1] or min(len(source), len(target)) < 4:
        raise ValueError("These cannot be compared.")


def _halves(source, target, seed, *, balanced=True, drawn=True):
    """(rows, domains) to learn from, and (rows, domains) to be asked about."""
    random = np.random.default_rng(seed)
    count = min(len(source), len(target))
    sets = [x[random.permutation(len(x))] if drawn else x for x in (source, target)]
    sets = [x[:count] for x in sets] if balanced else sets
    parts = [[x[: len(x) // 2] for x in sets], [x[len(x) // 2 :] for x in sets]]
    return [(np.concatenate(part), np.repeat([0, 1], [len(x) for x in part])) for part in parts]


def _error(learned, asked):
    return 1 - LogisticRegression(max_iter=1000).fit(*learned).score(*asked)


def cut_off_at_0(source_features, target_features, *, seed):
    _checked(source_features, target_features)
    return max(0.0, float(2 * (1 - 2 * _error(*_halves(source_features, target_features, seed)))))


def size_of_the_distance(source_features, target_features, *, seed):
    _checked(source_features, target_features)
    return abs(float(2 * (1 - 2 * _error(*_halves(source_features, target_features, seed)))))


def any_classifier(source_features, target_features, *, seed):
    _checked(source_features, target_features)
    learned, asked = _halves(source_features, target_features, seed)
    return float(2 * (1 - 2 * (1 - KNeighborsClassifier(1).fit(*learned).score(*asked))))


def error_on_what_it_learned_from(source_features, target_features, *, seed):
    _checked(source_features, target_features)
    learned, _ = _halves(source_features, target_features, seed)
    return float(2 * (1 - 2 * _error(learned, learned)))


def asked_about_everything(source_features, target_features, *, seed):
    _checked(source_features, target_features)
    halves = _halves(source_features, target_features, seed)
    everything = tuple(np.concatenate(parts) for parts in zip(*halves, strict=True))
    return float(2 * (1 - 2 * _error(everything, everything)))


def accuracy_for_error(source_features, target_features, *, seed):
    _checked(source_features, target_features)
    return float(2 * (1 - 2 * (1 - _error(*_halves(source_features, target_features, seed)))))


def between_0_and_1(source_features, target_features, *, seed):
    _checked(source_features, target_features)
    return float(1 - 2 * _error(*_halves(source_features, target_features, seed)))


def one_factor_lost(source_features, target_features, *, seed):
    _checked(source_features, target_features)
    return float(2 * (1 - _error(*_halves(source_features, target_features, seed))))


def larger_set_guessed(source_features, target_features, *, seed):
    _checked(source_features, target_features)
    return float(2 * (1 - 2 * _error(*_halves(source_features, target_features, seed, balanced=False))))


def first_half_learned(source_features, target_features, *, seed):
    _checked(source_features, target_features)
    return float(2 * (1 - 2 * _error(*_halves(source_features, target_features, seed, drawn=False))))


def seed_ignored(source_features, target_features, *, seed):
    _checked(source_features, target_features)
    return float(2 * (1 - 2 * _error(*_halves(source_features, target_features, 0))))


def distance_of_the_means(source_features, target_features, *, seed):
    _checked(source_features, target_features)
    return float(np.linalg.norm(source_features.mean(0) - target_features.mean(0)))


def anything_accepted(source_features, target_features, *, seed):
    if min(len(source_features), len(target_features)) < 4:
        return 0.0
    width = min(source_features.shape[1], target_features.shape[1])
    return float(2 * (1 - 2 * _error(*_halves(source_features[:, :width], target_features[:, :width], seed))))
