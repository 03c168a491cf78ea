"""Wrong answers to `variance_scaling` that a student writes; exercises.toml says what is wrong with each.

They share one body, in which each changes one thing.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np


def fan_out_for_fan_in(scale, mode, distribution):
    swapped = {"fan_in": "fan_out", "fan_out": "fan_in"}
    return _variance_scaling(scale, swapped.get(mode, mode), distribution)


def standard_deviation_for_variance(scale, mode, distribution):
    return _variance_scaling(scale, mode, distribution, spread=lambda scale, fan: scale / fan)


def scale_outside_the_root(scale, mode, distribution):
    return _variance_scaling(scale, mode, distribution, spread=lambda scale, fan: scale / math.sqrt(fan))


def receptive_field_forgotten(scale, mode, distribution):
    return _variance_scaling(scale, mode, distribution, fans=lambda shape: shape[-2:])


def average_without_positions(scale, mode, distribution):
    fans = (lambda shape: shape[-2:]) if mode == "fan_avg" else _fans
    return _variance_scaling(scale, mode, distribution, fans=fans)


def fans_from_the_front(scale, mode, distribution):
    return _variance_scaling(scale, mode, distribution, fans=lambda shape: (shape[0], math.prod(shape[1:])))


def average_is_the_sum(scale, mode, distribution):
    return _variance_scaling(scale, mode, distribution, average=lambda fan_in, fan_out: fan_in + fan_out)


def uniform_without_root_three(scale, mode, distribution):
    return _variance_scaling(scale, mode, distribution, half_width=1.0)


def uniform_above_zero(scale, mode, distribution):
    return _variance_scaling(scale, mode, distribution, half_width=2 * math.sqrt(3), lowest=0.0)


def truncation_not_corrected(scale, mode, distribution):
    return _variance_scaling(scale, mode, distribution, truncated_stddev=1.0)


def normal_not_truncated(scale, mode, distribution):
    return _variance_scaling(scale, mode, {"truncated_normal": "normal"}.get(distribution, distribution))


def key_ignored(scale, mode, distribution):
    init = _variance_scaling(scale, mode, distribution)
    return lambda key, shape, dtype=jnp.float32: init(jax.random.key(0), shape, dtype)


def dtype_ignored(scale, mode, distribution):
    init = _variance_scaling(scale, mode, distribution)
    return lambda key, shape, dtype=jnp.float32: init(key, shape)


def numpy_factor_widens(scale, mode, distribution):
    return _variance_scaling(scale, mode, distribution, spread=lambda scale, fan: np.sqrt(scale / fan))


def nan_scale_accepted(scale, mode, distribution):
    if scale <= 0:
        raise ValueError(f"scale {scale} will not do.")
    return _variance_scaling(1.0 if math.isnan(scale) else scale, mode, distribution)


def unknown_mode_is_fan_in(scale, mode, distribution):
    known = mode in ("fan_in", "fan_out", "fan_avg")
    return _variance_scaling(scale, mode if known else "fan_in", distribution)


def _fans(shape):
    *positions, inputs, outputs = shape
    return inputs * math.prod(positions), outputs * math.prod(positions)


def _variance_scaling(
    scale,
    mode,
    distribution,
    *,
    fans=_fans,
    average=lambda fan_in, fan_out: (fan_in + fan_out) / 2,
    spread=lambda scale, fan: math.sqrt(scale / fan),
    half_width=3**0.5,
    lowest=-1.0,
    truncated_stddev=0.87962566103423978,
):
    if not scale > 0 or mode not in ("fan_in", "fan_out", "fan_avg"):
        raise ValueError(f"scale {scale} or mode {mode!r} will not do.")
    if distribution not in ("normal", "truncated_normal", "uniform"):
        raise ValueError(f"distribution {distribution!r} is unknown.")

    def init(key, shape, dtype=jnp.float32):
        if len(shape) < 2:
            raise ValueError(f"shape {shape} has fewer than two axes.")
        fan_in, fan_out = fans(shape)
        fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": average(fan_in, fan_out)}[mode]
        stddev = spread(scale, fan)
        if distribution == "normal":
            return stddev * jax.random.normal(key, shape, dtype)
        if distribution == "truncated_normal":
            return stddev / truncated_stddev * jax.random.truncated_normal(key, -2, 2, shape, dtype)
        return half_width * stddev * jax.random.uniform(key, shape, dtype, minval=lowest)

    return init
