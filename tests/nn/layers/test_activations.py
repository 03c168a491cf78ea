import math
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nn import layers
from nn.layers.activations import ACTIVATIONS, gelu, log_softmax, softmax

erf = np.vectorize(math.erf)
# name: ours, JAX's, the equation in float64
TABLE = {
    "relu": (layers.relu, jax.nn.relu, lambda x: np.maximum(x, 0)),
    "leaky_relu": (layers.leaky_relu, jax.nn.leaky_relu, lambda x: np.where(x < 0, 0.01 * x, x)),
    "leaky_relu of 0.3": (
        lambda x: layers.leaky_relu(x, 0.3),
        lambda x: jax.nn.leaky_relu(x, 0.3),
        lambda x: np.where(x < 0, 0.3 * x, x),
    ),
    "elu": (layers.elu, jax.nn.elu, lambda x: np.where(x < 0, np.exp(np.minimum(x, 0)) - 1, x)),
    "elu of 2": (
        lambda x: layers.elu(x, 2.0),
        lambda x: jax.nn.elu(x, 2.0),
        lambda x: np.where(x < 0, 2 * np.exp(np.minimum(x, 0)) - 2, x),
    ),
    "sigmoid": (layers.sigmoid, jax.nn.sigmoid, lambda x: 1 / (1 + np.exp(-x))),
    "tanh": (layers.tanh, jnp.tanh, np.tanh),
    "softplus": (layers.softplus, jax.nn.softplus, lambda x: np.log1p(np.exp(x))),
    "silu": (layers.silu, jax.nn.silu, lambda x: x / (1 + np.exp(-x))),
    "gelu": (
        layers.gelu,
        jax.nn.gelu,
        lambda x: 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))),
    ),
    "gelu, exact": (
        lambda x: gelu(x, approximate=False),
        lambda x: jax.nn.gelu(x, approximate=False),
        lambda x: 0.5 * x * (1 + erf(x / np.sqrt(2))),
    ),
}
# What each tends to far down and far up; None: to x itself.
LIMITS = {
    "relu": (0, None),
    "elu": (-1, None),
    "elu of 2": (-2, None),
    "sigmoid": (0, 1),
    "tanh": (-1, 1),
    "softplus": (0, None),
    "silu": (0, None),
    "gelu": (0, None),
    "gelu, exact": (0, None),
}
MODERATE = np.linspace(-6, 6, 25) + 0.1  # 0, where some have a corner, is not among them
FAR = [0.0, -0.0, 1e-30, -1e-30, 30.0, -30.0, 100.0, -100.0, -1e4, 1e4]
POINTS = jnp.asarray([*MODERATE, *FAR], jnp.float32)

every_activation = pytest.mark.parametrize("name", TABLE)


@cache
def values_and_slopes(function):
    """Of an activation, at all points; each is compiled once for all tests."""
    return jax.jit(lambda x: (function(x), jax.grad(lambda x: function(x).sum())(x)))(POINTS)


def test_the_table_of_names_is_tested_whole():
    assert ACTIVATIONS.keys() <= TABLE.keys()
    for name, function in ACTIVATIONS.items():
        assert function is getattr(layers, name)


@every_activation
def test_values_and_slopes_are_those_of_the_equation_in_float64(name, measured_gradient):
    ours, _, equation = TABLE[name]
    values, slopes = values_and_slopes(ours)
    np.testing.assert_allclose(values[: len(MODERATE)], equation(MODERATE), rtol=1e-5, atol=1e-6)
    measured = measured_gradient(lambda x: equation(x).sum(), MODERATE)
    np.testing.assert_allclose(slopes[: len(MODERATE)], measured, rtol=1e-4, atol=1e-5)


@every_activation
def test_values_and_slopes_at_zero_and_far_out_are_those_of_jax_and_finite(name):
    ours, theirs, _ = TABLE[name]
    for found, expected in zip(values_and_slopes(ours), values_and_slopes(theirs), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=4e-6)  # JAX's slope of gelu is 0 where tanh rounds to −1
        assert np.isfinite(found).all()


@pytest.mark.parametrize("name", LIMITS)
def test_far_down_and_far_up_the_limit_is_reached(name):
    low, high = LIMITS[name]
    values, slopes = values_and_slopes(TABLE[name][0])
    np.testing.assert_array_equal(values[-2:], [low, 1e4 if high is None else high])
    np.testing.assert_array_equal(slopes[-2:], [0, 1 if high is None else 0])


@every_activation
def test_second_slopes_too_are_finite(name):
    function = TABLE[name][0]
    slopes = jax.jit(jax.grad(lambda x: jax.grad(lambda x: function(x).sum())(x).sum()))(POINTS)
    assert np.isfinite(slopes).all()


@every_activation
def test_at_infinity_too_and_nan_stays_nan(name):
    values = TABLE[name][0](POINTS.at[:3].set(jnp.array([jnp.nan, -jnp.inf, jnp.inf])))
    assert jnp.isnan(values[0]) and jnp.isfinite(values[3:]).all()
    if name in LIMITS and name not in ("silu", "gelu", "gelu, exact"):  # those are 0 · ∞ there
        low, high = LIMITS[name]
        np.testing.assert_array_equal(values[1:3], [low, jnp.inf if high is None else high])


@every_activation
def test_bfloat16_stays_bfloat16_and_is_near_float32(name):
    function = TABLE[name][0]
    x = POINTS.astype(jnp.bfloat16)
    with jax.numpy_dtype_promotion("strict"):
        y = jax.jit(function)(x)
    assert y.dtype == jnp.bfloat16
    np.testing.assert_allclose(y.astype(jnp.float32), function(x.astype(jnp.float32)), rtol=2**-5, atol=2**-5)


@pytest.mark.parametrize("name", [name for name in TABLE if "relu" not in name])
def test_curves_of_half_precision_and_their_slopes_are_rounded_once(name):
    function = TABLE[name][0]
    half = POINTS.astype(jnp.bfloat16)
    for form in (function, jax.grad(lambda x: function(x).sum())):
        np.testing.assert_array_equal(form(half), form(half.astype(jnp.float32)).astype(jnp.bfloat16))


@every_activation
def test_compiled_and_mapped_are_the_same(name):
    function = TABLE[name][0]
    compiled, _ = values_and_slopes(function)
    np.testing.assert_allclose(compiled, function(POINTS), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(jax.vmap(function)(POINTS), function(POINTS), rtol=1e-6, atol=1e-6)


def test_the_tanh_form_of_gelu_is_off_by_at_most_5e_4():
    x = jnp.linspace(-6, 6, 1001)
    error = jnp.abs(gelu(x) - gelu(x, approximate=False)).max()
    assert 1e-4 < error < 5e-4


def test_exact_gelu_keeps_its_small_tail():
    """Φ(−6) is 1e-9, which 1 + erf in float32 cannot tell from 0."""
    for x in (-4.0, -5.0, -6.0):
        exact = x * math.erfc(-x / math.sqrt(2)) / 2
        assert float(gelu(jnp.array(x), approximate=False)) == pytest.approx(exact, rel=1e-4)


SCORES = np.random.default_rng(0).normal(0, 3, (3, 4, 5))
SOFTMAXES = {
    "softmax": (softmax, jax.nn.softmax, lambda x, axis: np.exp(x) / np.exp(x).sum(axis, keepdims=True)),
    "log_softmax": (
        log_softmax,
        jax.nn.log_softmax,
        lambda x, axis: x - np.log(np.exp(x).sum(axis, keepdims=True)),
    ),
}
every_softmax = pytest.mark.parametrize("name", SOFTMAXES)


@every_softmax
@pytest.mark.parametrize("axis", [-1, 0, 1])
def test_along_any_axis_values_and_gradients_are_those_of_the_equation_and_of_jax(name, axis, measured_gradient):
    ours, theirs, equation = SOFTMAXES[name]
    x, weights = jnp.asarray(SCORES, jnp.float32), np.sin(np.arange(60)).reshape(3, 4, 5)
    np.testing.assert_allclose(ours(x, axis), equation(SCORES, axis), rtol=1e-5, atol=1e-6)
    cotangent = jnp.asarray(weights, jnp.float32)
    gradient, theirs = (
        jax.jit(jax.grad(lambda x, function=function: (cotangent * function(x, axis)).sum()))(x) for function in (ours, theirs)
    )
    np.testing.assert_allclose(gradient, theirs, rtol=1e-4, atol=1e-6)
    measured = measured_gradient(lambda x: (weights * equation(x, axis)).sum(), SCORES)
    np.testing.assert_allclose(gradient, measured, rtol=1e-4, atol=1e-5)


@every_softmax
def test_a_constant_added_to_all_scores_changes_nothing(name):
    """Scores and constant are small whole numbers, so that adding them rounds nothing off."""
    function = SOFTMAXES[name][0]
    x = jnp.array([[1.0, -2.0, 5.0], [0.0, 0.0, 3.0]])
    for constant in (1.0, -77.0, 10_000.0):
        np.testing.assert_allclose(function(x + constant), function(x), rtol=1e-6)


def test_softmax_gives_probabilities_in_the_order_of_the_scores():
    probabilities = softmax(jnp.asarray(SCORES, jnp.float32))
    np.testing.assert_allclose(probabilities.sum(-1), 1, rtol=1e-6)
    assert (probabilities > 0).all()
    np.testing.assert_array_equal(jnp.argsort(probabilities), np.argsort(SCORES))


def test_scores_of_ten_thousand_stay_exact():
    x = jnp.array([1e4, 0.0, -1e4])
    np.testing.assert_array_equal(softmax(x), [1, 0, 0])
    np.testing.assert_array_equal(log_softmax(x), [0, -1e4, -2e4])
    np.testing.assert_array_equal(jax.jit(jax.grad(lambda x: log_softmax(x)[1]))(x), [-1, 1, 0])


@every_softmax
def test_a_score_of_minus_infinity_is_a_class_that_cannot_be_and_the_others_do_not_see_it(name):
    function = SOFTMAXES[name][0]
    x = jnp.array([1.0, -jnp.inf, 2.0])
    others = jnp.array([1.0, 2.0])
    y = np.asarray(function(x))
    np.testing.assert_allclose(y[[0, 2]], function(others), rtol=1e-6)
    assert y[1] == (0 if name == "softmax" else -jnp.inf)
    gradient = np.asarray(jax.jit(jax.grad(lambda x: function(x)[2]))(x))
    np.testing.assert_allclose(gradient[[0, 2]], jax.jit(jax.grad(lambda x: function(x)[1]))(others), rtol=1e-5)
    assert gradient[1] == 0


@every_softmax
def test_one_nan_among_the_scores_is_not_hidden(name):
    assert jnp.isnan(SOFTMAXES[name][0](jnp.array([1.0, jnp.nan, 2.0]))).all()


@every_softmax
def test_softmax_in_bfloat16_compiled_and_mapped(name):
    function = SOFTMAXES[name][0]
    x = jnp.asarray(SCORES, jnp.float32)
    np.testing.assert_allclose(jax.jit(function)(x), function(x), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(jax.vmap(function)(x), function(x), rtol=1e-5, atol=1e-6)
    half = function(x.astype(jnp.bfloat16))
    assert half.dtype == jnp.bfloat16
    exact = function(x.astype(jnp.bfloat16).astype(jnp.float32))
    np.testing.assert_allclose(half.astype(jnp.float32), exact, rtol=2**-5, atol=2**-7)
