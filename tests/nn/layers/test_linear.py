from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from nn.kernels.choice import compiling_for
from nn.layers import Linear, LinearGeneral, affine, linear, ones

random = np.random.default_rng(0)
X, KERNEL, BIAS = random.normal(size=(2, 5, 3)), random.normal(size=(3, 4)), random.normal(size=4)


def single(*arrays):
    return tuple(jnp.asarray(array, jnp.float32) for array in arrays)


def test_linear_is_the_sum_over_inputs_written_out():
    by_hand = np.zeros((2, 5, 4))
    for i in np.ndindex(2, 5):
        for output in range(4):
            by_hand[*i, output] = sum(X[*i, k] * KERNEL[k, output] for k in range(3)) + BIAS[output]
    np.testing.assert_allclose(linear(*single(X, KERNEL, BIAS)), by_hand, rtol=1e-5, atol=1e-5)


def test_gradients_are_the_measured_slopes(measured_gradient):
    weights = np.sin(np.arange(40)).reshape(2, 5, 4)
    (cotangent,) = single(weights)
    ours = jax.grad(lambda *a: (cotangent * linear(*a)).sum(), argnums=(0, 1, 2))(*single(X, KERNEL, BIAS))
    for i, gradient in enumerate(ours):

        def loss(array, i=i):
            x, kernel, bias = (array if i == j else other for j, other in enumerate((X, KERNEL, BIAS)))
            return (weights * (x @ kernel + bias)).sum()

        np.testing.assert_allclose(gradient, measured_gradient(loss, (X, KERNEL, BIAS)[i]), rtol=1e-4, atol=1e-4)


def test_a_sum_of_inputs_gives_the_sum_of_outputs():
    x, y, kernel = single(X[0], X[1], KERNEL)
    both = 2 * linear(x, kernel) - 3 * linear(y, kernel)
    np.testing.assert_allclose(linear(2 * x - 3 * y, kernel), both, rtol=1e-5, atol=1e-5)


def test_two_linear_maps_in_a_row_are_one():
    x, kernel, bias = single(X, KERNEL, BIAS)
    second, offset = single(random.normal(size=(4, 2)), random.normal(size=2))
    np.testing.assert_allclose(
        linear(linear(x, kernel, bias), second, offset),
        linear(x, kernel @ second, linear(bias, second, offset)),
        rtol=1e-4,
        atol=1e-5,
    )


def test_the_module_is_the_function_of_its_own_weights():
    layer = Linear(3, 4, bias_init=ones, rngs=nnx.Rngs(0))
    (x,) = single(X)
    np.testing.assert_array_equal(layer(x), linear(x, layer.kernel[...], layer.bias[...]))
    bare = Linear(3, 4, use_bias=False, rngs=nnx.Rngs(0))
    np.testing.assert_array_equal(bare(x), linear(x, layer.kernel[...]))
    assert bare.bias is None


def test_a_wrong_width_is_named(without_type_checks):
    with pytest.raises(ValueError, match=r"Linear expects 3 features on the last axis of x, got x\.shape=\(2, 5\)\."):
        Linear(3, 4, rngs=nnx.Rngs(0))(jnp.ones((2, 5)))
    with pytest.raises(ValueError, match=r"Linear expects 1 feature on the last axis of x, got x\.shape=\(\)\."):
        Linear(1, 4, rngs=nnx.Rngs(0))(jnp.ones(()))


def test_sizes_below_one_are_refused():
    with pytest.raises(ValueError, match=r"Linear expects in_features of at least 1, got in_features=0\."):
        Linear(0, 4, rngs=nnx.Rngs(0))
    with pytest.raises(ValueError, match=r"Linear expects out_features of at least 1, got out_features=-2\."):
        Linear(3, -2, rngs=nnx.Rngs(0))


@pytest.mark.parametrize("shape", [(3,), (2, 5, 3), (50, 3)])
def test_what_the_layers_call_is_the_equation(shape):
    x, kernel, bias = single(random.normal(size=shape), KERNEL, BIAS)
    for implementation in (None, "reference", "xla"):
        y = affine(x, kernel, bias, implementation=implementation)
        np.testing.assert_allclose(y, linear(x, kernel, bias), rtol=1e-5, atol=1e-6)


def test_of_several_dtypes_the_widest_is_taken_as_in_the_equation():
    x, kernel, bias = single(X, KERNEL, BIAS)
    for arrays in (
        (x.astype(jnp.bfloat16), kernel, bias),
        (x, kernel.astype(jnp.bfloat16), bias),
        (x, kernel.astype(jnp.bfloat16)),
    ):
        y, equation = affine(*arrays), linear(*arrays)
        assert y.dtype == equation.dtype == jnp.float32
        np.testing.assert_allclose(y, equation, rtol=1e-2)


def test_a_form_that_cannot_run_here_is_refused_by_the_layer():
    (x,) = single(X)
    options: dict[str, Any] = dict(implementation="mosaic", rngs=nnx.Rngs(0))
    with compiling_for("cpu"):
        for layer in (Linear(3, 4, **options), LinearGeneral(3, (2, 2), **options)):
            with pytest.raises(ValueError, match=r"matmul\(implementation='mosaic'\) cannot run here, because"):
                layer(x)
