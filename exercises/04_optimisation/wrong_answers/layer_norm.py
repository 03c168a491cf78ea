"""Wrong answers to `layer_norm` that a student writes; exercises.toml says what is wrong with each."""

import jax.numpy as jnp


def _finished(y, scale, bias):
    y = y if scale is None else y * scale
    return y if bias is None else y + bias


def biased_the_other_way(x, scale=None, bias=None, *, epsilon=1e-6):
    y = (x - x.mean(-1, keepdims=True)) / jnp.sqrt(x.var(-1, keepdims=True, ddof=1) + epsilon)
    return _finished(y, scale, bias)


def over_the_batch(x, scale=None, bias=None, *, epsilon=1e-6):
    return _finished((x - x.mean(0, keepdims=True)) / jnp.sqrt(x.var(0, keepdims=True) + epsilon), scale, bias)


def over_everything(x, scale=None, bias=None, *, epsilon=1e-6):
    return _finished((x - x.mean()) / jnp.sqrt(x.var() + epsilon), scale, bias)


def epsilon_outside_the_root(x, scale=None, bias=None, *, epsilon=1e-6):
    return _finished((x - x.mean(-1, keepdims=True)) / (x.std(-1, keepdims=True) + epsilon), scale, bias)


def variance_not_rooted(x, scale=None, bias=None, *, epsilon=1e-6):
    return _finished((x - x.mean(-1, keepdims=True)) / (x.var(-1, keepdims=True) + epsilon), scale, bias)


def mean_kept(x, scale=None, bias=None, *, epsilon=1e-6):
    return _finished(x / jnp.sqrt((x**2).mean(-1, keepdims=True) + epsilon), scale, bias)


def bias_before_scale(x, scale=None, bias=None, *, epsilon=1e-6):
    y = (x - x.mean(-1, keepdims=True)) / jnp.sqrt(x.var(-1, keepdims=True) + epsilon)
    y = y if bias is None else y + bias
    return y if scale is None else y * scale


def scale_required(x, scale=None, bias=None, *, epsilon=1e-6):
    y = (x - x.mean(-1, keepdims=True)) / jnp.sqrt(x.var(-1, keepdims=True) + epsilon)
    return y if scale is None or bias is None else y * scale + bias


def mean_of_squares_less_square_of_mean(x, scale=None, bias=None, *, epsilon=1e-6):
    mean = x.mean(-1, keepdims=True)
    variance = jnp.maximum((x**2).mean(-1, keepdims=True) - mean**2, 0)
    return _finished((x - mean) / jnp.sqrt(variance + epsilon), scale, bias)


def over_axis_1(x, scale=None, bias=None, *, epsilon=1e-6):
    return _finished((x - x.mean(1, keepdims=True)) / jnp.sqrt(x.var(1, keepdims=True) + epsilon), scale, bias)
