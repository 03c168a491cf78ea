"""Wrong answers to `conv2d` that a student writes; exercises.toml says what is wrong with each."""

import jax.numpy as jnp


def _checked(x, kernel):
    (height, width, features), (rows, columns, inputs, _) = x.shape[-3:], kernel.shape
    if height < rows or width < columns or features != inputs:
        raise ValueError(f"conv2d got x.shape={x.shape} and kernel.shape={kernel.shape}.")
    return height, width, rows, columns


def _shifted(x, i, j, below, right, strides):
    return x[..., i : i + below : strides[0], j : j + right : strides[1], :]


def kernel_flipped(x, kernel, strides=(1, 1)):
    height, width, rows, columns = _checked(x, kernel)
    y = 0
    for i in range(rows):
        for j in range(columns):
            seen = _shifted(x, i, j, height - rows + 1, width - columns + 1, strides)
            y += seen @ kernel[rows - 1 - i, columns - 1 - j]
    return y


def kernel_transposed(x, kernel, strides=(1, 1)):
    kernel = kernel.swapaxes(0, 1)
    height, width, rows, columns = _checked(x, kernel)
    y = 0
    for i in range(rows):
        for j in range(columns):
            y += _shifted(x, i, j, height - rows + 1, width - columns + 1, strides) @ kernel[i, j]
    return y


def window_from_its_middle(x, kernel, strides=(1, 1)):
    height, width, rows, columns = _checked(x, kernel)
    around = [(rows // 2, (rows - 1) // 2), (columns // 2, (columns - 1) // 2), (0, 0)]
    x = jnp.pad(x, [(0, 0)] * (x.ndim - 3) + around)
    y = 0
    for i in range(rows):
        for j in range(columns):
            y += _shifted(x, i, j, height, width, strides) @ kernel[i, j]
    return y


def last_place_forgotten(x, kernel, strides=(1, 1)):
    height, width, rows, columns = _checked(x, kernel)
    y = 0
    for i in range(rows):
        for j in range(columns):
            y += _shifted(x, i, j, height - rows, width - columns, strides) @ kernel[i, j]
    return y


def strides_swapped(x, kernel, strides=(1, 1)):
    height, width, rows, columns = _checked(x, kernel)
    y = 0
    for i in range(rows):
        for j in range(columns):
            y += _shifted(x, i, j, height - rows + 1, width - columns + 1, strides[::-1]) @ kernel[i, j]
    return y


def strides_ignored(x, kernel, strides=(1, 1)):
    height, width, rows, columns = _checked(x, kernel)
    y = 0
    for i in range(rows):
        for j in range(columns):
            y += _shifted(x, i, j, height - rows + 1, width - columns + 1, (1, 1)) @ kernel[i, j]
    return y


def stride_after_wrong_size(x, kernel, strides=(1, 1)):
    height, width, rows, columns = _checked(x, kernel)
    down, across = strides
    y = 0
    for i in range(rows):
        for j in range(columns):
            seen = x[..., i::down, j::across, :]
            y += seen[..., : (height - rows) // down or 1, : (width - columns) // across or 1, :] @ kernel[i, j]
    return y


def channels_kept_apart(x, kernel, strides=(1, 1)):
    height, width, rows, columns = _checked(x, kernel)
    y = 0
    for i in range(rows):
        for j in range(columns):
            seen = _shifted(x, i, j, height - rows + 1, width - columns + 1, strides)
            y += seen * jnp.diagonal(kernel[i, j]) if kernel.shape[2] == kernel.shape[3] else seen[..., :1] * kernel[i, j, 0]
    return y


def mean_of_the_window(x, kernel, strides=(1, 1)):
    height, width, rows, columns = _checked(x, kernel)
    y = 0
    for i in range(rows):
        for j in range(columns):
            y += _shifted(x, i, j, height - rows + 1, width - columns + 1, strides) @ kernel[i, j]
    return y / (rows * columns)


def no_check_of_size(x, kernel, strides=(1, 1)):
    (height, width), (rows, columns) = x.shape[-3:-1], kernel.shape[:2]
    y = 0
    for i in range(rows):
        for j in range(columns):
            y += _shifted(x, i, j, max(height - rows + 1, 0), max(width - columns + 1, 0), strides) @ kernel[i, j]
    return y


def no_check_of_features(x, kernel, strides=(1, 1)):
    height, width, rows, columns = _checked(x[..., : kernel.shape[2]], kernel)
    y = 0
    for i in range(rows):
        for j in range(columns):
            seen = _shifted(x, i, j, height - rows + 1, width - columns + 1, strides)
            y += (seen[..., None] * kernel[i, j]).sum(-2)
    return y
