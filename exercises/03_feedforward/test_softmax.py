"""What `softmax` must do. Few shapes: each new one is compiled anew, which takes longer than all the arithmetic."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exercises.runner.expectations import expect, expect_that, shown


@pytest.fixture(scope="module")
def softmax(answer):
    return answer


def reference(x, axis):
    """Softmax in float64."""
    x = np.asarray(x, np.float64)
    unnormalized = np.exp(x - x.max(axis, keepdims=True))
    return unnormalized / unnormalized.sum(axis, keepdims=True)


def test_probabilities_are_in_proportion_to_the_exponentials(softmax):
    x = jnp.array([math.log(1), math.log(2), math.log(5)])
    expect(softmax(x), [0.125, 0.25, 0.625], f"softmax(x) with {shown(x=x)}", "eˣ = 1, 2, 5, and their sum is 8")


def test_each_row_is_a_distribution_of_its_own(softmax):
    x = jnp.array([[1.0, 2.0, 3.0], [0.0, 0.0, 0.0]])
    p = softmax(x)
    expect(p, reference(x, -1), f"softmax(x) with {shown(x=x)}", "by default the last axis sums to 1: each row, alone")
    expect_that(np.all(np.asarray(p) >= 0), f"softmax(x) with {shown(x=x)}", p, "no number below 0", "these are probabilities")


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_any_axis_can_be_the_one_that_sums_to_one(softmax, axis):
    x = jnp.array(np.sin(np.arange(24, dtype=np.float32)).reshape(2, 3, 4))
    call = f"softmax(x, axis={axis}) with x.shape = (2, 3, 4)"
    expect(softmax(x, axis=axis), reference(x, axis), call, f"along axis {axis} the results sum to 1")


@settings(max_examples=25, derandomize=True, database=None, deadline=None, report_multiple_bugs=False)
@given(scores=st.lists(st.integers(-9, 9), min_size=3, max_size=3), shift=st.sampled_from([0, 100, 10_000, -10_000]))
def test_a_common_shift_changes_nothing_however_large(softmax, scores, shift):
    x = np.array(scores, np.float32)  # whole numbers, so that adding the shift rounds nothing
    because = "e^(x+c) / Σ e^(x+c) = eˣ / Σ eˣ; but float32 ends at e^88, and ∞ / ∞ and 0 / 0 are NaN"
    expect(softmax(jnp.array(x + shift)), reference(x, -1), f"softmax(x + {shift}) with {shown(x=x)}", because)


def test_scores_far_apart_are_no_trouble(softmax):
    x = jnp.array([-1000.0, 0.0, 3000.0])
    expect(softmax(x), [0, 0, 1], f"softmax(x) with {shown(x=x)}", "after the shift no exponent may be above 0")


def test_rows_far_apart_do_not_disturb_each_other(softmax):
    x = jnp.array([[0.0, 1.0, 2.0], [5000.0, 5001.0, 5002.0]])
    because = "both rows have the same differences. Each needs its own maximum, or the lower one underflows to 0 / 0"
    expect(softmax(x), reference(x, -1), f"softmax(x) with {shown(x=x)}", because)


@pytest.mark.parametrize("largest", [1.0, 1000.0])
def test_the_gradient_is_p_times_indicator_less_p(softmax, largest):
    x = jnp.array([largest, largest - 1, largest - 2])
    p = reference(x, -1)
    call = f"jax.jacobian(softmax)(x) with {shown(x=x)}"
    because = "∂pᵢ/∂xⱼ = pᵢ (1[i=j] − pⱼ). jnp.where sends a gradient into both branches: an overflow in the other is NaN"
    expect(jax.jacobian(softmax)(x), np.diag(p) - np.outer(p, p), call, because)


def test_it_works_under_jit(softmax):
    x = jnp.array([[0.0, 1.0, 5.0], [2.0, 0.0, 5.0]])
    call = f"jax.jit(softmax, static_argnames='axis')(x, axis=0) with {shown(x=x)}"
    compiled = jax.jit(softmax, static_argnames="axis")
    expect(compiled(x, axis=0), reference(x, 0), call, "compiling must not change the result")
