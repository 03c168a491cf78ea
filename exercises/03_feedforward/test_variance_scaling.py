"""What `variance_scaling` must do. The keys are fixed, and so many numbers are drawn that chance stays below 3 %."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from exercises.runner.expectations import expect, expect_refusal, expect_that

KEY = jax.random.key(2010)
SHAPE = (100, 400)
DISTRIBUTIONS = ("normal", "truncated_normal", "uniform")


@pytest.fixture(scope="module")
def variance_scaling(answer):
    return answer


def initializer(variance_scaling, scale, mode, distribution):
    """The function that should come back, and the call in words."""
    init, call = variance_scaling(scale, mode, distribution), f'variance_scaling({scale}, "{mode}", "{distribution}")'
    expect_that(callable(init), call, init, "a function init(key, shape, dtype)")
    return init, call


def draw(variance_scaling, scale, mode, distribution, shape=SHAPE):
    """The numbers drawn, in float64, and the call in words."""
    init, call = initializer(variance_scaling, scale, mode, distribution)
    call, weights = f"{call}(key, {shape})", init(KEY, shape)
    expect_that(getattr(weights, "shape", None) == shape, f"{call}.shape", getattr(weights, "shape", weights), str(shape))
    return np.asarray(weights, np.float64), call


@pytest.mark.parametrize(("mode", "fan"), [("fan_in", 100), ("fan_out", 400), ("fan_avg", 250)])
def test_the_variance_is_one_over_the_fan(variance_scaling, mode, fan):
    weights, call = draw(variance_scaling, 1.0, mode, "normal")
    because = f"the shape is (inputs, outputs) = (100, 400), so that {mode} is {fan} and the variance 1 / {fan}"
    expect(weights.var(), 1 / fan, f"{call}.var()", because, rtol=0.05, atol=0)


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_each_distribution_has_the_same_mean_and_variance(variance_scaling, distribution):
    weights, call = draw(variance_scaling, 1.0, "fan_in", distribution)
    because = {
        "normal": "jax.random.normal has variance 1",
        "truncated_normal": "cut off at ±2, a normal keeps a standard deviation of 0.8796 only: divide it out",
        "uniform": "uniform on ±a has variance a²/3",
    }[distribution]
    expect(weights.mean(), 0, f"{call}.mean()", "positive and negative weights are equally likely", atol=0.002)
    expect(weights.var(), 0.01, f"{call}.var()", because, rtol=0.05, atol=0)


@pytest.mark.parametrize("scale", [0.5, 2.0])
def test_the_scale_multiplies_the_variance(variance_scaling, scale):
    weights, call = draw(variance_scaling, scale, "fan_in", "normal")
    because = f"variance = scale / fan = {scale} / 100; the standard deviation is its root, scale included"
    expect(weights.var(), scale / 100, f"{call}.var()", because, rtol=0.05, atol=0)


@pytest.mark.parametrize(("mode", "fan"), [("fan_in", 3 * 5 * 16), ("fan_out", 3 * 5 * 64), ("fan_avg", 3 * 5 * 40)])
def test_a_convolution_kernel_is_fed_from_every_position(variance_scaling, mode, fan):
    weights, call = draw(variance_scaling, 1.0, mode, "normal", shape=(3, 5, 16, 64))
    because = f"(height, width, inputs, outputs): 3 × 5 positions count in every fan, so that {mode} is {fan}"
    expect(weights.var(), 1 / fan, f"{call}.var()", because, rtol=0.05, atol=0)


def test_the_histogram_has_the_shape_that_was_asked_for(variance_scaling):
    because = {
        "normal": "a normal of 40,000 numbers reaches beyond 3.5 standard deviations",
        "truncated_normal": "cut off at ±2 before it is widened by 1 / 0.8796, it ends at 2.274 standard deviations",
        "uniform": "a uniform distribution ends at √3 = 1.732 standard deviations",
    }
    ends = {"normal": (3.5, 6.0), "truncated_normal": (2.23, 2.2738), "uniform": (1.72, 1.7322)}
    for distribution, (low, high) in ends.items():
        weights, call = draw(variance_scaling, 1.0, "fan_in", distribution)
        farthest = np.abs(weights).max() / 0.1
        expected = f"between {low} and {high}"
        expect_that(low <= farthest <= high, f"abs({call}).max() / 0.1", farthest, expected, because[distribution])


def test_the_key_decides_the_numbers(variance_scaling):
    init, call = initializer(variance_scaling, 1.0, "fan_in", "normal")
    first, again, other = (np.asarray(init(jax.random.key(seed), SHAPE)) for seed in (1, 1, 2))
    call = f"{call}(key, {SHAPE})"
    expect(again, first, f"{call}, twice with one key", "a run can be repeated only if the key decides everything")
    expect_that((first != other).all(), f"{call} with another key", other, "other numbers", "two layers must not be twins")


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16], ids=lambda dtype: dtype.__name__)
@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_the_dtype_is_the_one_asked_for(variance_scaling, dtype, distribution):
    init, call = initializer(variance_scaling, 1.0, "fan_in", distribution)
    got = init(KEY, SHAPE, dtype).dtype
    because = "a NumPy float64 factor (np.sqrt) widens the result; use math.sqrt, or .astype(dtype) at the end"
    expect_that(got == dtype, f"{call}(key, {SHAPE}, jnp.{dtype.__name__}).dtype", got, dtype.__name__, because)


def test_it_works_under_jit(variance_scaling):
    init, call = initializer(variance_scaling, 2.0, "fan_avg", "truncated_normal")
    compiled = jax.jit(init, static_argnums=1)(KEY, SHAPE)
    call = f"jax.jit({call}, static_argnums=1)(key, {SHAPE})"
    expect(compiled, init(KEY, SHAPE), call, "compiling must not change the numbers")


@pytest.mark.parametrize(
    ("scale", "mode", "distribution"),
    [
        (0.0, "fan_in", "normal"),
        (-1.0, "fan_in", "normal"),
        (math.nan, "fan_in", "normal"),
        (1.0, "fan_sideways", "normal"),
        (1.0, "fan_in", "cauchy"),
    ],
)
def test_an_impossible_request_is_refused_before_anything_is_drawn(variance_scaling, scale, mode, distribution):
    call = f'variance_scaling({scale}, "{mode}", "{distribution}")'
    because = "the docstring promises it; a typing mistake must not train a network for an hour"
    if math.isnan(scale):
        because = "NaN is not above 0, and `nan <= 0` is False: test `not scale > 0`"
    expect_refusal(lambda: variance_scaling(scale, mode, distribution), call, because)


@pytest.mark.parametrize("shape", [(), (5,)], ids=str)
def test_a_shape_without_inputs_and_outputs_is_refused(variance_scaling, shape):
    init, call = initializer(variance_scaling, 1.0, "fan_in", "normal")
    expect_refusal(lambda: init(KEY, shape), f"{call}(key, {shape})", "a fan needs two axes, (inputs, outputs)")
