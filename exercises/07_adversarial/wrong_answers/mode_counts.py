"""Wrong answers to `mode_counts` that a student writes; exercises.toml says what is wrong with each."""

import numpy as np


def every_mode_in_reach(samples, modes, radius):
    return (_distances(samples, modes, radius) <= radius).sum(0)


def radius_ignored(samples, modes, radius):
    return np.bincount(_distances(samples, modes, radius).argmin(1), minlength=len(modes))


def squared_distance(samples, modes, radius):
    return _nearest(_distances(samples, modes, radius) ** 2, radius)


def largest_coordinate(samples, modes, radius):
    _distances(samples, modes, radius)
    return _nearest(abs(samples[:, None] - modes[None]).max(-1), radius)


def zeros_left_out(samples, modes, radius):
    distances = _distances(samples, modes, radius)
    return np.unique(distances.argmin(1)[distances.min(1) <= radius], return_counts=True)[1]


def shares_for_counts(samples, modes, radius):
    return _nearest(_distances(samples, modes, radius), radius) / max(len(samples), 1)


def first_in_reach(samples, modes, radius):
    within = _distances(samples, modes, radius) <= radius
    return np.bincount(within.argmax(1)[within.any(1)], minlength=len(modes))


def border_outside(samples, modes, radius):
    distances = _distances(samples, modes, radius)
    return np.bincount(distances.argmin(1)[distances.min(1) < radius], minlength=len(modes))


def nan_radius_accepted(samples, modes, radius):
    if samples.shape[1] != modes.shape[1] or len(modes) == 0 or radius <= 0:
        raise ValueError("Samples and modes of as many features, at least one mode, and a radius above 0.")
    return _nearest(np.linalg.norm(samples[:, None] - modes[None], axis=-1), radius)


def any_features(samples, modes, radius):
    if len(modes) == 0 or not radius > 0:
        raise ValueError("At least one mode, and a radius above 0.")
    return _nearest(np.linalg.norm(samples[:, None] - modes[None], axis=-1), radius)


def _distances(samples, modes, radius):
    if samples.shape[1] != modes.shape[1] or len(modes) == 0 or not radius > 0:
        raise ValueError("Samples and modes of as many features, at least one mode, and a radius above 0.")
    return np.linalg.norm(samples[:, None] - modes[None], axis=-1)


def _nearest(distances, radius):
    return np.bincount(distances.argmin(1)[distances.min(1) <= radius], minlength=distances.shape[1])
