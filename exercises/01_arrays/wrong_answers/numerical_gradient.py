"""Wrong answers to `numerical_gradient` that a student writes; exercises.toml says what is wrong with each."""

import numpy as np


def forward_difference(function, x, step=1e-5):
    x = _checked(x, step)
    value = float(function(x))
    return _by_number(x, lambda index: (float(function(x + _bump(x, index, step))) - value) / step)


def divided_by_one_step(function, x, step=1e-5):
    return 2 * _central(function, _checked(x, step), step)


def all_numbers_at_once(function, x, step=1e-5):
    x = _checked(x, step)
    slope = (float(function(x + step)) - float(function(x - step))) / (2 * step)
    return np.full(x.shape, slope)


def flattened(function, x, step=1e-5):
    return _central(function, _checked(x, step), step).ravel()


def step_ignored(function, x, step=1e-5):
    return _central(function, _checked(x, step), 1e-5)


def step_grows_with_x(function, x, step=1e-5):
    x = _checked(x, step)

    def slope(index):
        h = step * max(1, abs(x[index]))
        return _slope(function, x, _bump(x, index, h), h)

    return _by_number(x, slope)


def single_precision(function, x, step=1e-5):
    x = _checked(x, step).astype(np.float32)
    return _by_number(x, lambda i: _slope(function, x, _bump(x, i, step).astype(np.float32), step))


def whole_numbers_cut_off(function, x, step=1e-5):
    _checked(x, step)
    x = np.asarray(x)
    gradient = np.empty(x.shape)
    for index in np.ndindex(x.shape):
        more, less = x.copy(), x.copy()
        more[index] = x[index] + step
        less[index] = x[index] - step
        gradient[index] = (float(function(more)) - float(function(less))) / (2 * step)
    return gradient


def put_back_by_adding(function, x, step=1e-5):
    x = _checked(x, step)
    gradient = np.empty(x.shape)
    for index in np.ndindex(x.shape):
        x[index] += step
        more = float(function(x))
        x[index] -= 2 * step
        less = float(function(x))
        x[index] += step
        gradient[index] = (more - less) / (2 * step)
    return gradient


def one_scratch_array(function, x, step=1e-5):
    x = _checked(x, step)
    moved, gradient = x.copy(), np.empty(x.shape)
    for index in np.ndindex(x.shape):
        moved[index] = x[index] + step
        more = float(function(moved))
        moved[index] = x[index] - step
        gradient[index] = (more - float(function(moved))) / (2 * step)
        moved[index] = x[index]
    return gradient


def any_step_accepted(function, x, step=1e-5):
    with np.errstate(all="ignore"):
        x, step = np.asarray(x, np.float64), np.float64(step)
        return _central(function, x, step)


def nan_step_accepted(function, x, step=1e-5):
    if step <= 0:
        raise ValueError(f"step {step} will not do.")
    return _central(function, np.asarray(x, np.float64), step)


def _checked(x, step):
    if not step > 0:
        raise ValueError(f"step {step} will not do.")
    return np.asarray(x, np.float64)


def _bump(x, index, step):
    bump = np.zeros(x.shape)
    bump[index] = step
    return bump


def _slope(function, x, bump, step):
    return (float(function(x + bump)) - float(function(x - bump))) / (2 * step)


def _by_number(x, slope):
    return np.array([slope(index) for index in np.ndindex(x.shape)]).reshape(x.shape)


def _central(function, x, step):
    return _by_number(x, lambda index: _slope(function, x, _bump(x, index, step), step))
