"""Wrong answers to `receptive_field` that a student writes; exercises.toml says what is wrong with each."""

from math import prod


def _checked(layers):
    for window, stride in layers:
        if window < 1 or stride < 1:
            raise ValueError(f"receptive_field got {(window, stride)}.")
    return list(layers)


def strides_ignored(layers):
    return 1 + sum(window - 1 for window, _ in _checked(layers))


def own_stride_counted(layers):
    pixels, step = 1, 1
    for window, stride in _checked(layers):
        step *= stride
        pixels += (window - 1) * step
    return pixels


def windows_multiplied(layers):
    return prod(window for window, _ in _checked(layers))


def windows_added(layers):
    return max(sum(window for window, _ in _checked(layers)), 1)


def last_layer_first(layers):
    pixels, step = 1, 1
    for window, stride in reversed(_checked(layers)):
        pixels += (window - 1) * step
        step *= stride
    return pixels


def one_forgotten(layers):
    pixels, step = 0, 1
    for window, stride in _checked(layers):
        pixels += (window - 1) * step
        step *= stride
    return pixels


def step_added(layers):
    pixels, step = 1, 1
    for window, stride in _checked(layers):
        pixels += (window - 1) * step
        step += stride - 1
    return pixels
