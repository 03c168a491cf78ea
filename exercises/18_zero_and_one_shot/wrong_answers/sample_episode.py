"""Wrong answers to `sample_episode` that a student writes; exercises.toml says what is wrong with each."""

import numpy as np


def _require(labels, ways, shots, queries):
    classes, counts = np.unique(labels, return_counts=True)
    if min(ways, shots, queries) < 1 or ways > len(classes) or counts.min() < shots + queries:
        raise ValueError("counts of at least 1, and enough classes with enough examples")
    return classes


def _members(labels, chosen, count, random):
    return np.stack([random.choice(np.flatnonzero(labels == c), count, replace=False) for c in chosen])


def queries_drawn_anew(labels, *, ways, shots, queries, seed):
    classes, random = _require(labels, ways, shots, queries), np.random.default_rng(seed)
    chosen = random.choice(classes, ways, replace=False)
    return _members(labels, chosen, shots, random), _members(labels, chosen, queries, random)


def with_replacement(labels, *, ways, shots, queries, seed):
    classes, random = _require(labels, ways, shots, queries), np.random.default_rng(seed)
    chosen = random.choice(classes, ways, replace=False)
    members = np.stack([random.choice(np.flatnonzero(labels == c), shots + queries) for c in chosen])
    return members[:, :shots], members[:, shots:]


def one_class_twice(labels, *, ways, shots, queries, seed):
    classes, random = _require(labels, ways, shots, queries), np.random.default_rng(seed)
    members = _members(labels, random.choice(classes, ways), shots + queries, random)
    return members[:, :shots], members[:, shots:]


def other_classes_for_the_queries(labels, *, ways, shots, queries, seed):
    classes, random = _require(labels, ways, shots, queries), np.random.default_rng(seed)
    support = _members(labels, random.choice(classes, ways, replace=False), shots, random)
    return support, _members(labels, random.choice(classes, ways, replace=False), queries, random)


def always_the_first_examples(labels, *, ways, shots, queries, seed):
    classes, random = _require(labels, ways, shots, queries), np.random.default_rng(seed)
    chosen = random.choice(classes, ways, replace=False)
    members = np.stack([np.flatnonzero(labels == c)[: shots + queries] for c in chosen])
    return members[:, :shots], members[:, shots:]


def always_the_first_classes(labels, *, ways, shots, queries, seed):
    classes, random = _require(labels, ways, shots, queries), np.random.default_rng(seed)
    members = _members(labels, classes[:ways], shots + queries, random)
    return members[:, :shots], members[:, shots:]


def large_classes_favoured(labels, *, ways, shots, queries, seed):
    _require(labels, ways, shots, queries)
    random = np.random.default_rng(seed)
    chosen = list(dict.fromkeys(random.permutation(labels).tolist()))[:ways]
    members = _members(labels, chosen, shots + queries, random)
    return members[:, :shots], members[:, shots:]


def places_within_the_class(labels, *, ways, shots, queries, seed):
    classes, random = _require(labels, ways, shots, queries), np.random.default_rng(seed)
    chosen = random.choice(classes, ways, replace=False)
    members = np.stack([random.permutation((labels == c).sum())[: shots + queries] for c in chosen])
    return members[:, :shots], members[:, shots:]


def labels_for_places(labels, *, ways, shots, queries, seed):
    classes, random = _require(labels, ways, shots, queries), np.random.default_rng(seed)
    members = _members(labels, random.choice(classes, ways, replace=False), shots + queries, random)
    return labels[members[:, :shots]], labels[members[:, shots:]]


def classes_in_columns(labels, *, ways, shots, queries, seed):
    classes, random = _require(labels, ways, shots, queries), np.random.default_rng(seed)
    members = _members(labels, random.choice(classes, ways, replace=False), shots + queries, random)
    return members[:, :shots].T, members[:, shots:].T


def seed_ignored(labels, *, ways, shots, queries, seed):
    classes, random = _require(labels, ways, shots, queries), np.random.default_rng()
    members = _members(labels, random.choice(classes, ways, replace=False), shots + queries, random)
    return members[:, :shots], members[:, shots:]


def generator_started_again(labels, *, ways, shots, queries, seed):
    classes = _require(labels, ways, shots, queries)
    random = np.random.default_rng(seed if isinstance(seed, int) else 0)
    members = _members(labels, random.choice(classes, ways, replace=False), shots + queries, random)
    return members[:, :shots], members[:, shots:]


def small_classes_left_out(labels, *, ways, shots, queries, seed):
    classes, counts = np.unique(labels, return_counts=True)
    classes, random = classes[counts >= shots + queries], np.random.default_rng(seed)
    if min(ways, shots, queries) < 1 or not len(classes):
        raise ValueError("counts of at least 1")
    members = _members(labels, random.choice(classes, min(ways, len(classes)), replace=False), shots + queries, random)
    return members[:, :shots], members[:, shots:]


def small_classes_never_drawn(labels, *, ways, shots, queries, seed):
    classes, counts = np.unique(labels, return_counts=True)
    enough = np.isin(labels, classes[counts >= shots + queries])
    random, classes = np.random.default_rng(seed), _require(labels[enough], ways, shots, queries)
    members = _members(labels, random.choice(classes, ways, replace=False), shots + queries, random)
    return members[:, :shots], members[:, shots:]


def drawn_classes_checked_alone(labels, *, ways, shots, queries, seed):
    random = np.random.default_rng(seed)
    chosen = random.permutation(np.unique(labels))[:ways]
    _require(labels[np.isin(labels, chosen)], ways, shots, queries)
    members = _members(labels, chosen, shots + queries, random)
    return members[:, :shots], members[:, shots:]


def no_example_is_enough(labels, *, ways, shots, queries, seed):
    classes, random = _require(labels, ways, max(shots, 1), max(queries, 1)), np.random.default_rng(seed)
    members = _members(labels, random.choice(classes, ways, replace=False), shots + queries, random)
    return members[:, :shots], members[:, shots:]
