"""Group norm and instance norm: which numbers share a mean and a spread, and what an image loses by it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from nn.layers import GroupNorm, InstanceNorm, group_norm, instance_norm, layer_norm

random = np.random.default_rng(0)
X = random.normal(1, 2, (2, 3, 2, 6))  # two images of 3×2 positions, with six features
SCALE, BIAS = random.normal(1, 0.5, 6), random.normal(size=6)


def single(array):
    return jnp.asarray(array, jnp.float32)


def group_norm_64(x, scale, bias, groups=3):
    """Group by group and example by example, in float64."""
    y = np.empty_like(x)
    size = x.shape[-1] // groups
    for example in range(len(x)):
        for first in range(0, x.shape[-1], size):
            part = x[example, ..., first : first + size]
            y[example, ..., first : first + size] = (part - part.mean()) / np.sqrt(part.var() + 1e-6)
    return y * scale + bias


def test_values_and_all_gradients_are_those_of_the_equation_in_float64(measured_gradient):
    arrays, weights = (X, SCALE, BIAS), np.sin(np.arange(X.size)).reshape(X.shape)

    @jax.jit
    def values_and_gradients(*arrays):
        def loss(x, scale, bias):
            y = group_norm(x, 3, scale, bias)
            return (single(weights) * y).sum(), y

        return jax.grad(loss, argnums=(0, 1, 2), has_aux=True)(*arrays)

    gradients, y = values_and_gradients(*map(single, arrays))
    np.testing.assert_allclose(y, group_norm_64(*arrays), rtol=1e-4, atol=1e-5)
    for i, gradient in enumerate(gradients):

        def loss(array, i=i):
            return (weights * group_norm_64(*(array if i == j else other for j, other in enumerate(arrays)))).sum()

        np.testing.assert_allclose(gradient, measured_gradient(loss, arrays[i]), rtol=1e-3, atol=1e-4)


def test_each_group_of_each_example_has_mean_0_and_variance_1():
    y = group_norm(single(X), 3, epsilon=0.0).reshape(2, 6, 3, 2)
    np.testing.assert_allclose(y.mean((1, 3)), 0, atol=1e-6)
    np.testing.assert_allclose(y.var((1, 3)), 1, rtol=1e-5)


def test_with_one_group_it_is_a_layer_norm_over_everything_in_an_example():
    everything = layer_norm(single(X.reshape(2, -1))).reshape(X.shape)
    np.testing.assert_allclose(group_norm(single(X), 1), everything, rtol=1e-4, atol=1e-5)


def test_without_positions_and_with_one_group_it_is_layer_norm():
    x = single(X[:, 0, 0])
    np.testing.assert_allclose(group_norm(x, 1), layer_norm(x), rtol=1e-4, atol=1e-5)


def test_with_as_many_groups_as_features_it_is_instance_norm():
    x, scale, bias = map(single, (X, SCALE, BIAS))
    np.testing.assert_allclose(instance_norm(x, scale, bias), group_norm_64(X, SCALE, BIAS, groups=6), rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(instance_norm(x, scale, bias), group_norm(x, 6, scale, bias))


def test_instance_norm_does_not_see_the_contrast_and_brightness_of_an_image():
    contrast, brightness = random.uniform(0.5, 3, (2, 1, 1, 6)), random.normal(0, 5, (2, 1, 1, 6))
    y = instance_norm(single(X), epsilon=0.0)
    np.testing.assert_allclose(instance_norm(single(contrast * X + brightness), epsilon=0.0), y, rtol=1e-3, atol=1e-4)
    assert np.abs(group_norm(single(contrast * X + brightness), 3, epsilon=0.0) - y).max() > 0.1


def test_in_bfloat16_and_far_from_zero_the_statistics_are_those_of_float32():
    x = single(random.normal(10, 1, (2, 25, 6))).astype(jnp.bfloat16)
    y = group_norm(x, 3)  # not compiled: the compiler may leave the roundings in the middle out
    assert y.dtype == jnp.bfloat16
    exact = group_norm_64(np.asarray(x.astype(jnp.float32), np.float64), 1, 0)
    np.testing.assert_allclose(y.astype(jnp.float32), exact, rtol=2**-7, atol=2**-8)

    far = single(1000 + random.normal(size=(2, 25, 6)))  # mean(x²) − mean(x)² would be off by several percent
    np.testing.assert_allclose(group_norm(far, 3), group_norm_64(np.asarray(far, np.float64), 1, 0), rtol=1e-3, atol=1e-3)


def test_a_constant_image_does_not_divide_by_zero():
    x = jnp.ones((2, 3, 2, 6))
    np.testing.assert_array_equal(group_norm(x, 3), 0 * x)
    assert jnp.isfinite(jax.jit(jax.grad(lambda x: group_norm(x, 3)[0, 0, 0, 0]))(x)).all()


@pytest.mark.parametrize("groups", [0, -3, 4, 12])
def test_groups_that_do_not_divide_the_features_are_refused(groups):
    message = rf"expects a number of groups that divides the 6 features, got {groups}\."
    with pytest.raises(ValueError, match=f"GroupNorm {message}"):
        GroupNorm(6, groups, rngs=nnx.Rngs(0))
    with pytest.raises(ValueError, match=f"group_norm {message}"):
        group_norm(single(X), groups)


def test_bad_shapes_are_named(without_type_checks):
    group, instance = GroupNorm(6, 3, rngs=nnx.Rngs(0)), InstanceNorm(6, rngs=nnx.Rngs(0))
    for layer in (group, instance):
        name = type(layer).__name__
        with pytest.raises(ValueError, match=rf"{name} expects 6 features on the last axis of x, got x\.shape=\(2, 3, 5\)\."):
            layer(jnp.ones((2, 3, 5)))
    with pytest.raises(ValueError, match=r"GroupNorm expects x \(batch, \*positions, features\), got x\.shape=\(6,\)\."):
        group(jnp.ones(6))
    with pytest.raises(ValueError, match=r"InstanceNorm expects x .* with positions, got x\.shape=\(2, 6\)\."):
        instance(jnp.ones((2, 6)))
    for cls in (GroupNorm, InstanceNorm):
        with pytest.raises(ValueError, match=rf"{cls.__name__} expects num_features of at least 1, got num_features=0\."):
            cls(0, rngs=nnx.Rngs(0))
