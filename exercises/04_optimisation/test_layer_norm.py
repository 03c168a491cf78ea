"""What `layer_norm` must do. Few shapes: each new one is compiled anew."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from exercises.runner.expectations import expect, expect_that, shown

X = jnp.array([[1.0, 2.0, 6.0], [10.0, 0.0, 20.0]])
SCALE, BIAS = jnp.array([1.0, 2.0, -1.0]), jnp.array([10.0, 20.0, 30.0])


@pytest.fixture(scope="module")
def layer_norm(answer):
    return answer


def reference(x, epsilon=1e-6):
    """Without scale and bias, in float64."""
    x = np.asarray(x, np.float64)
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + epsilon)


def test_each_example_gets_mean_0_and_variance_1_by_its_own_numbers(layer_norm):
    because = "[1, 2, 6] has mean 3 and variance (4 + 1 + 9) / 3: divided by n. Each row is for itself"
    expect(layer_norm(X), reference(X), f"layer_norm(x) with {shown(x=X)}", because)


@pytest.mark.parametrize("shape", [(2, 4, 3), (3,)], ids=str)
def test_only_the_last_axis_holds_the_numbers_of_an_example(layer_norm, shape):
    x = jnp.array(np.sin(np.arange(np.prod(shape), dtype=np.float32)).reshape(shape))
    because = "the features are on axis −1, however many axes are in front; in a batch of sequences axis 1 is time"
    expect(layer_norm(x), reference(x), f"layer_norm(x) with x.shape = {shape}", because)


def test_epsilon_is_added_to_the_variance(layer_norm):
    expected = reference(X, epsilon=2.0)
    expect(layer_norm(X, epsilon=2.0), expected, f"layer_norm(x, epsilon=2.0) with {shown(x=X)}", "√(var + ε)")


def test_scale_then_bias(layer_norm):
    expected = reference(X) * np.asarray(SCALE) + np.asarray(BIAS)
    call = f"layer_norm(x, scale, bias) with {shown(x=X, scale=SCALE, bias=BIAS)}"
    expect(layer_norm(X, SCALE, BIAS), expected, call, "y · scale + bias, the same for every example")


def test_scale_and_bias_can_come_alone(layer_norm):
    call = f"layer_norm(x, scale) with {shown(x=X, scale=SCALE)}"
    expect(layer_norm(X, SCALE), reference(X) * np.asarray(SCALE), call, "bias is None: nothing to add")
    call = f"layer_norm(x, bias=bias) with {shown(x=X, bias=BIAS)}"
    expect(layer_norm(X, bias=BIAS), reference(X) + np.asarray(BIAS), call, "scale is None: nothing to multiply")


def test_it_does_not_see_the_size_or_the_place_of_an_example(layer_norm):
    call = f"layer_norm(100 x − 300) with {shown(x=X)}"
    expect(layer_norm(100 * X - 300), reference(X), call, "a shift and a positive factor drop out", rtol=1e-4, atol=1e-4)


def test_far_from_zero_the_spread_is_still_measured(layer_norm):
    x = X + 10_000
    because = "mean(x²) − mean(x)² would be the difference of two numbers near 10⁸, of which float32 keeps seven digits"
    expect(layer_norm(x), reference(x), f"layer_norm(x) with {shown(x=x)}", because, rtol=1e-3, atol=1e-3)


def test_a_constant_example_does_not_divide_by_zero(layer_norm):
    x = jnp.array([[5.0, 5.0, 5.0], [0.0, 0.0, 0.0]])
    expect(layer_norm(x), np.zeros((2, 3)), f"layer_norm(x) with {shown(x=x)}", "0 / √(0 + ε) = 0")


def test_the_dtype_of_the_input_comes_back(layer_norm):
    y = layer_norm(X.astype(jnp.bfloat16))
    expect_that(y.dtype == jnp.bfloat16, "layer_norm(x).dtype with x in bfloat16", y.dtype, "bfloat16")


def test_it_works_under_jit(layer_norm):
    expect(jax.jit(layer_norm)(X), reference(X), f"jax.jit(layer_norm)(x) with {shown(x=X)}", "compiling changes nothing")
