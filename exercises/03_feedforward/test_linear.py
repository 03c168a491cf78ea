"""What `linear` must do."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exercises.runner.expectations import expect, shown

KERNEL = jnp.array([[1.0, 10.0], [100.0, 1000.0]])
WIDE = jnp.array([[1.0, -2.0], [0.5, 3.0], [2.0, 1.0]])  # three inputs, two outputs
BIAS = jnp.array([0.5, -0.5])


@pytest.fixture(scope="module")
def linear(answer):
    return answer


def test_one_example_is_a_weighted_sum_for_each_output(linear):
    x = jnp.array([1.0, 2.0])
    call = f"linear(x, kernel) with {shown(x=x, kernel=KERNEL)}"
    because = "output j is Σᵢ x[i] · kernel[i, j]: 1·1 + 2·100 = 201 and 1·10 + 2·1000 = 2010"
    expect(linear(x, KERNEL), [201, 2010], call, because)


def test_the_bias_is_added_once_to_every_example(linear):
    x = jnp.array([[1.0, 2.0], [0.0, 0.0]])
    call = f"linear(x, kernel, bias) with {shown(x=x, kernel=KERNEL, bias=BIAS)}"
    because = "the second example is 0, so that its outputs are the bias itself"
    expect(linear(x, KERNEL, BIAS), [[201.5, 2009.5], [0.5, -0.5]], call, because)


def test_no_bias_is_a_bias_of_zero(linear):
    x = jnp.array([[3.0, -1.0]])
    call = f"linear(x, kernel, None) with {shown(x=x, kernel=KERNEL)}"
    expect(linear(x, KERNEL, None), [[-97, -970]], call, "None stands for no bias at all")


@pytest.mark.parametrize("batch", [(), (4,), (2, 2)], ids=str)
def test_every_leading_axis_is_kept(linear, batch):
    x = np.arange(math.prod(batch) * 3, dtype=np.float32).reshape(*batch, 3) / 7
    call = f"linear(x, kernel, bias) with x.shape = {x.shape}, kernel.shape = (3, 2), bias.shape = (2,)"
    because = "only the last axis is summed over; every other axis of x counts examples, and stays"
    expect(linear(jnp.array(x), WIDE, BIAS), x @ np.asarray(WIDE) + np.asarray(BIAS), call, because)


@settings(max_examples=20, derandomize=True, database=None, deadline=None, report_multiple_bugs=False)
@given(numbers=st.lists(st.integers(-9, 9), min_size=6, max_size=6))
def test_the_map_is_linear(linear, numbers):
    x, y = np.array(numbers, np.float32).reshape(2, 3)
    call = f"linear(x + 2 * y, kernel) with {shown(x=x, y=y)}, kernel = {WIDE.tolist()}"
    of_x, of_y, of_both = (np.asarray(linear(jnp.array(v), WIDE)) for v in (x, y, x + 2 * y))
    expect(of_both, of_x + 2 * of_y, call, "a weighted sum of x + 2y is that of x plus twice that of y")


def test_the_gradient_adds_up_over_the_examples(linear):
    x = jnp.array(np.arange(12, dtype=np.float32).reshape(2, 2, 3))
    of_kernel, of_bias = jax.grad(lambda kernel, bias: linear(x, kernel, bias).sum(), argnums=(0, 1))(WIDE, BIAS)
    call = "jax.grad of linear(x, kernel, bias).sum() with x.shape = (2, 2, 3)"
    column = np.asarray(x).sum((0, 1))
    expect(of_kernel, np.stack([column, column], -1), f"{call}, by the kernel", "each weight collects the inputs it met")
    expect(of_bias, [4, 4], f"{call}, by the bias", "the bias was added to four examples")


def test_it_works_under_jit(linear):
    x = jnp.array([[1.0, 1.0]] * 4)
    call = "jax.jit(linear)(x, kernel, bias) with x.shape = (4, 2), kernel.shape = (2, 2), bias.shape = (2,)"
    expect(jax.jit(linear)(x, KERNEL, BIAS), [[101.5, 1009.5]] * 4, call, "compiling must not change the result")
