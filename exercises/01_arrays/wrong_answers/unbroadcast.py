"""Wrong answers to `unbroadcast` that a student writes; exercises.toml says what is wrong with each."""

import math

import numpy as np


def mean_for_sum(gradient, shape):
    total = _right(gradient, shape)
    return total * (math.prod(shape) / gradient.size)


def first_copy(gradient, shape):
    _check(gradient, shape)
    gradient = gradient[(0,) * (gradient.ndim - len(shape))]
    return np.asarray(gradient)[tuple(slice(size) for size in shape)]


def total_everywhere(gradient, shape):
    _check(gradient, shape)
    return np.full(shape, gradient.sum())


def stretched_axes_forgotten(gradient, shape):
    _check(gradient, shape)
    return np.asarray(gradient.sum(axis=tuple(range(gradient.ndim - len(shape)))))


def new_axes_forgotten(gradient, shape):
    _check(gradient, shape)
    new = gradient.ndim - len(shape)
    stretched = tuple(new + i for i, size in enumerate(shape) if size == 1)
    return np.asarray(gradient.sum(axis=stretched, keepdims=True))


def stretched_axes_dropped(gradient, shape):
    _check(gradient, shape)
    return np.asarray(_right(gradient, shape).squeeze())


def lined_up_at_the_front(gradient, shape):
    _check(gradient, shape)
    padded = (*shape, *(1,) * (gradient.ndim - len(shape)))
    stretched = tuple(i for i, size in enumerate(padded) if size == 1)
    return np.resize(gradient.sum(axis=stretched, keepdims=True), shape)


def any_shape_accepted(gradient, shape):
    try:
        return _right(gradient, shape)
    except ValueError:
        return np.resize(gradient, shape)


def longer_shape_accepted(gradient, shape):
    new = max(gradient.ndim - len(shape), 0)
    gradient = np.asarray(gradient.sum(axis=tuple(range(new))))
    own = shape[len(shape) - gradient.ndim :]
    if any(size not in (1, wide) for size, wide in zip(own, gradient.shape, strict=True)):
        raise ValueError(f"{shape} does not become {gradient.shape}.")
    return gradient.sum(axis=tuple(i for i, size in enumerate(own) if size == 1), keepdims=True).reshape(shape)


def _check(gradient, shape):
    if np.broadcast_shapes(gradient.shape, shape) != gradient.shape:
        raise ValueError(f"{shape} does not become {gradient.shape}.")


def _right(gradient, shape):
    _check(gradient, shape)
    gradient = np.asarray(gradient.sum(axis=tuple(range(gradient.ndim - len(shape)))))
    return gradient.sum(axis=tuple(i for i, size in enumerate(shape) if size == 1), keepdims=True).reshape(shape)
