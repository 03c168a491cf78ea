"""Wrong answers to `max_pool` that a student writes; exercises.toml says what is wrong with each."""

import jax
import jax.numpy as jnp


def _pooled(x, window_shape, strides, padding, *, start=-jnp.inf, combine=jax.lax.max):
    axes = len(window_shape)
    if x.ndim < axes + 1:
        raise ValueError(f"max_pool got x.shape={x.shape}.")
    batch = (1,) * (x.ndim - axes - 1)
    strides = (1,) * axes if strides is None else strides
    pads = padding if isinstance(padding, str) else [(0, 0)] * len(batch) + list(padding) + [(0, 0)]
    return jax.lax.reduce_window(x, start, combine, (*batch, *window_shape, 1), (*batch, *strides, 1), pads)


def _not_empty(y, axes):
    if 0 in y.shape[-axes - 1 : -1]:
        raise ValueError("max_pool got an image smaller than its window.")
    return y


def zeros_outside(x, window_shape, strides=None, padding="VALID"):
    return _not_empty(_pooled(x, window_shape, strides, padding, start=0.0), len(window_shape))


def zeros_padded(x, window_shape, strides=None, padding="VALID"):
    axes = len(window_shape)
    strides = (1,) * axes if strides is None else strides
    if padding != "VALID":
        if padding == "SAME":
            sizes = zip(x.shape[-axes - 1 : -1], window_shape, strides, strict=True)
            zeros = [max((-(-size // s) - 1) * s + w - size, 0) for size, w, s in sizes]
            padding = [(z // 2, z - z // 2) for z in zeros]
        x = jnp.pad(x, [(0, 0)] * (x.ndim - axes - 1) + list(padding) + [(0, 0)])
    return _not_empty(_pooled(x, window_shape, strides, "VALID"), axes)


def strides_of_the_window(x, window_shape, strides=None, padding="VALID"):
    strides = window_shape if strides is None else strides
    return _not_empty(_pooled(x, window_shape, strides, padding), len(window_shape))


def features_pooled_too(x, window_shape, strides=None, padding="VALID"):
    return _not_empty(_pooled(x, window_shape, strides, padding), len(window_shape)).max(-1, keepdims=True)


def first_axis_is_the_only_batch(x, window_shape, strides=None, padding="VALID"):
    axes = len(window_shape)
    y = _not_empty(_pooled(x, window_shape, strides, padding), axes)
    return y.reshape(-1, *y.shape[-axes - 1 :])


def mean(x, window_shape, strides=None, padding="VALID"):
    sums = _pooled(x, window_shape, strides, padding, start=0.0, combine=jax.lax.add)
    count = _pooled(jnp.ones_like(x), window_shape, strides, padding, start=0.0, combine=jax.lax.add)
    return _not_empty(sums / count, len(window_shape))


def strides_ignored(x, window_shape, strides=None, padding="VALID"):
    return _not_empty(_pooled(x, window_shape, None, padding), len(window_shape))


def padding_ignored(x, window_shape, strides=None, padding="VALID"):
    return _not_empty(_pooled(x, window_shape, strides, "VALID"), len(window_shape))


def too_small_in_silence(x, window_shape, strides=None, padding="VALID"):
    return _pooled(x, window_shape, strides, padding)
