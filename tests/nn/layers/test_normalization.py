import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from nn.layers import BatchNorm, LayerNorm, RMSNorm, batch_norm, batch_statistics, layer_norm, rms_norm

random = np.random.default_rng(0)
X, SCALE, BIAS = random.normal(1, 2, (4, 3, 5)), random.normal(1, 0.5, 5), random.normal(size=5)


def single(array):
    return jnp.asarray(array, jnp.float32)


# The equations in float64.
def layer_norm_64(x, scale, bias):
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-6) * scale + bias


def rms_norm_64(x, scale, bias):
    return x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-6) * scale


def batch_norm_64(x, scale, bias):
    return (x - x.mean((0, 1))) / np.sqrt(x.var((0, 1)) + 1e-5) * scale + bias


def batch_norm_of_the_batch(x, scale, bias):
    return batch_norm(x, *batch_statistics(x), scale, bias)


EQUATIONS = {
    "layer_norm": (layer_norm, layer_norm_64),
    "rms_norm": (lambda x, scale, bias: rms_norm(x, scale), rms_norm_64),
    "batch_norm": (batch_norm_of_the_batch, batch_norm_64),
}
every_norm = pytest.mark.parametrize("name", EQUATIONS)


@every_norm
def test_values_and_all_gradients_are_those_of_the_equation_in_float64(name, measured_gradient):
    ours, equation = EQUATIONS[name]
    arrays = (X, SCALE, BIAS)
    weights = np.sin(np.arange(X.size)).reshape(X.shape)
    np.testing.assert_allclose(ours(*map(single, arrays)), equation(*arrays), rtol=1e-4, atol=1e-5)

    cotangent = single(weights)
    gradients = jax.jit(jax.grad(lambda *arrays: (cotangent * ours(*arrays)).sum(), argnums=(0, 1, 2)))
    for i, gradient in enumerate(gradients(*map(single, arrays))):

        def loss(array, i=i):
            return (weights * equation(*(array if i == j else other for j, other in enumerate(arrays)))).sum()

        np.testing.assert_allclose(gradient, measured_gradient(loss, arrays[i]), rtol=1e-3, atol=1e-4)


@every_norm
def test_far_from_zero_the_spread_is_still_measured_exactly(name):
    """A mean of 1,000 and a spread of 1: mean(x²) − mean(x)² in float32 would be off by several percent of the spread."""
    ours, equation = EQUATIONS[name]
    x = single(1000 + random.normal(size=(4, 3, 5)))
    one, zero = np.ones(5), np.zeros(5)
    exact = equation(np.asarray(x, np.float64), one, zero)
    np.testing.assert_allclose(ours(x, single(one), single(zero)), exact, rtol=1e-3, atol=1e-3)


@every_norm
def test_in_bfloat16_the_statistics_are_those_of_float32(name):
    """Numbers around 10: a mean rounded to bfloat16 would be off by up to 0.03, and so would the outputs."""
    ours, equation = EQUATIONS[name]
    x = single(random.normal(10, 1, (50, 1, 50))).astype(jnp.bfloat16)
    one, zero = np.ones(50), np.zeros(50)
    # Not compiled: the compiler may leave the roundings in the middle out.
    y = ours(x, single(one).astype(jnp.bfloat16), single(zero).astype(jnp.bfloat16))
    assert y.dtype == jnp.bfloat16
    exact = equation(np.asarray(x.astype(jnp.float32), np.float64), one, zero)
    np.testing.assert_allclose(y.astype(jnp.float32), exact, rtol=2**-7, atol=2**-8)


@every_norm
def test_a_constant_or_empty_signal_does_not_divide_by_zero(name):
    ours, _ = EQUATIONS[name]
    one, zero = jnp.ones(5), jnp.zeros(5)
    x = jnp.zeros((4, 3, 5))
    np.testing.assert_array_equal(ours(x, one, zero), x)
    assert jnp.isfinite(jax.jit(jax.grad(lambda x: ours(x, one, zero)[0, 0, 0]))(x)).all()


def test_layer_norm_gives_each_example_mean_0_and_variance_1():
    y = layer_norm(single(X), epsilon=0.0)
    np.testing.assert_allclose(y.mean(-1), 0, atol=1e-6)
    np.testing.assert_allclose(y.var(-1), 1, rtol=1e-5)


def test_layer_norm_does_not_see_a_shift_or_a_positive_scale_of_an_example():
    y = layer_norm(single(X), epsilon=0.0)
    np.testing.assert_allclose(layer_norm(single(7 * X - 3), epsilon=0.0), y, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(layer_norm(single(-X), epsilon=0.0), -y, rtol=1e-4, atol=1e-5)


def test_rms_norm_does_not_see_a_positive_scale_and_does_see_a_shift():
    y = rms_norm(single(X), epsilon=0.0)
    np.testing.assert_allclose((y**2).mean(-1), 1, rtol=1e-5)
    np.testing.assert_allclose(rms_norm(single(7 * X), epsilon=0.0), y, rtol=1e-5, atol=1e-6)
    assert np.abs(rms_norm(single(X + 3), epsilon=0.0) - y).max() > 0.1


def test_on_examples_of_mean_zero_rms_norm_is_layer_norm():
    centred = single(X - X.mean(-1, keepdims=True))
    np.testing.assert_allclose(rms_norm(centred), layer_norm(centred), rtol=1e-4, atol=1e-5)


def test_in_training_batch_norm_normalizes_each_feature_over_all_leading_axes():
    layer = BatchNorm(5, epsilon=1e-12, rngs=nnx.Rngs(0))
    y = layer(single(X))
    np.testing.assert_allclose(y.mean((0, 1)), 0, atol=1e-6)
    np.testing.assert_allclose(y.var((0, 1)), 1, rtol=1e-5)
    flat = BatchNorm(5, epsilon=1e-12, rngs=nnx.Rngs(0))(single(X.reshape(12, 5)))
    np.testing.assert_allclose(y.reshape(12, 5), flat, rtol=1e-5, atol=1e-6)


def test_in_training_batch_norm_does_not_see_the_shift_of_a_feature_so_its_gradient_sums_to_zero():
    layer = BatchNorm(5, rngs=nnx.Rngs(0))
    graphdef, state = nnx.split(layer)
    weights = jnp.sin(jnp.arange(60.0)).reshape(4, 3, 5)
    gradient = jax.jit(jax.grad(lambda x: (weights * nnx.merge(graphdef, state, copy=True)(x)).sum()))(single(X))
    assert np.abs(gradient).max() > 0.1
    np.testing.assert_allclose(gradient.sum((0, 1)), 0, atol=1e-5)


def test_running_averages_are_geometric_sums_of_the_batches():
    batches = [random.normal(i, 1 + i, (8, 5)) for i in range(4)]
    layer = BatchNorm(5, momentum=0.75, rngs=nnx.Rngs(0))
    mean, var = np.zeros(5), np.ones(5)
    for batch in batches:
        layer(single(batch))
        mean, var = 0.75 * mean + 0.25 * batch.mean(0), 0.75 * var + 0.25 * batch.var(0)
    np.testing.assert_allclose(layer.mean[...], mean, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(layer.var[...], var, rtol=1e-5)


def test_evaluated_batch_norm_uses_the_running_averages_and_leaves_them():
    layer = BatchNorm(5, use_running_average=True, rngs=nnx.Rngs(0))
    mean, var = random.normal(size=5), random.uniform(1, 2, 5)
    layer.mean[...], layer.var[...] = single(mean), single(var)
    np.testing.assert_allclose(layer(single(X)), (X - mean) / np.sqrt(var + 1e-5), rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(layer.mean[...], single(mean))
    np.testing.assert_array_equal(layer.var[...], single(var))


def test_the_argument_of_a_call_wins_over_the_mode():
    layer = BatchNorm(5, rngs=nnx.Rngs(0))
    np.testing.assert_allclose(layer(single(X), use_running_average=True), single(X), rtol=1e-4)
    np.testing.assert_array_equal(layer.mean[...], jnp.zeros(5))
    layer.eval()
    layer(single(X), use_running_average=False)
    assert (layer.mean[...] != 0).all()


def test_frozen_batch_norm_stays_in_evaluation_whatever_train_says():
    layer = BatchNorm(5, rngs=nnx.Rngs(0))
    layer.frozen = True
    layer.train()
    for argument in (None, False):
        np.testing.assert_allclose(layer(single(X), use_running_average=argument), single(X), rtol=1e-4)
    np.testing.assert_array_equal(layer.mean[...], jnp.zeros(5))
    np.testing.assert_array_equal(layer.var[...], jnp.ones(5))
    layer.frozen = False
    layer(single(X))
    assert (layer.mean[...] != 0).all()


@pytest.mark.parametrize("cls", [BatchNorm, LayerNorm, RMSNorm])
def test_bad_sizes_are_named(cls, without_type_checks):
    name = cls.__name__
    layer = cls(3, rngs=nnx.Rngs(0))
    with pytest.raises(ValueError, match=rf"{name} expects 3 features on the last axis of x, got x\.shape=\(2, 5\)\."):
        layer(jnp.ones((2, 5)))
    with pytest.raises(ValueError, match=rf"{name} expects 3 features on the last axis of x, got x\.shape=\(\)\."):
        layer(jnp.ones(()))
    with pytest.raises(ValueError, match=rf"{name} expects num_features of at least 1, got num_features=0\."):
        cls(0, rngs=nnx.Rngs(0))


@pytest.mark.parametrize("shape", [(0, 3), (1, 3), (1, 1, 1, 3), (3,)])
def test_batch_norm_refuses_to_learn_from_fewer_than_two_values_of_a_feature(shape):
    layer = BatchNorm(3, rngs=nnx.Rngs(0))
    message = rf"BatchNorm in training mode expects at least two values of each feature.*got x\.shape={re.escape(str(shape))}\."
    for call in (layer, jax.jit(lambda x: layer(x))):
        with pytest.raises(ValueError, match=message):
            call(jnp.ones(shape))
    np.testing.assert_array_equal(layer.var[...], jnp.ones(3))
    layer.eval()
    assert layer(jnp.ones(shape)).shape == shape


def test_batch_norm_learns_from_one_image_as_long_as_it_has_two_pixels():
    y = BatchNorm(3, epsilon=0.0, rngs=nnx.Rngs(0))(single(random.normal(size=(1, 1, 2, 3))))
    np.testing.assert_allclose(np.abs(y), 1, rtol=1e-5)


@pytest.mark.parametrize("cls", [BatchNorm, LayerNorm, RMSNorm])
def test_whole_numbers_are_not_normalized_to_whole_numbers(cls, without_type_checks):
    options = {} if cls is RMSNorm else {"use_bias": False}
    layer = cls(4, use_scale=False, rngs=nnx.Rngs(0), **options)
    whole = jnp.array([[0, 1, 2, 3], [5, 6, 9, 1]])
    assert layer(whole).dtype == jnp.float32
    np.testing.assert_allclose(layer(whole), layer(whole.astype(jnp.float32)), rtol=1e-5)
