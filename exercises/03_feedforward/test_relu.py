"""What `relu` must do. Few shapes: each new one is compiled anew, which takes longer than all the arithmetic."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exercises.runner.expectations import expect, expect_that, shown

INF, NAN = jnp.inf, jnp.nan


@pytest.fixture(scope="module")
def relu(answer):
    return answer


def test_above_zero_it_is_the_identity_and_below_it_is_zero(relu):
    x = jnp.array([-3.0, -0.5, 0.0, 0.5, 3.0])
    expect(relu(x), [0, 0, 0, 0.5, 3], f"relu(x) with {shown(x=x)}", "relu is the larger of x and 0")


@settings(max_examples=20, derandomize=True, database=None, deadline=None, report_multiple_bugs=False)
@given(numbers=st.lists(st.floats(-(2.0**99), 2.0**99, width=32, allow_subnormal=False), min_size=5, max_size=5))
def test_x_is_its_positive_part_less_its_negative_part(relu, numbers):
    x = np.array(numbers, np.float32)
    positive, negative = (np.asarray(relu(jnp.array(part))) for part in (x, -x))
    expect(positive - negative, x, f"relu(x) - relu(-x) with {shown(x=x)}", "one of the two is x or −x, the other is 0")


@pytest.mark.parametrize("shape", [(), (2, 1, 3)], ids=str)
def test_every_shape_is_kept(relu, shape):
    x = jnp.array(np.full(shape, -1, np.float32))
    expect(relu(x), np.zeros(shape), f"relu(x) with x = −1 in shape {shape}", "relu looks at each number on its own")


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16], ids=lambda dtype: dtype.__name__)
def test_the_dtype_is_kept(relu, dtype):
    y = relu(jnp.array([-2.0, -1.0, 0.0, 1.0, 2.0], dtype))
    call = f"relu(x).dtype with x of dtype {dtype.__name__}"
    expect_that(y.dtype == dtype, call, y.dtype, dtype.__name__, "half precision is worth nothing once a layer leaves it")


def test_the_slope_is_0_below_1_above_and_0_at_zero(relu):
    x = jnp.array([-2.0, -0.1, 0.0, 0.1, 2.0])
    call = f"jax.grad of relu(x).sum() with {shown(x=x)}"
    slopes = jax.grad(lambda x: relu(x).sum())(x)
    because = {
        0.5: "at 0 the docstring chooses slope 0; where two branches tie, jnp.maximum shares the gradient between them",
        1.0: "0 went to the branch that returns x; it belongs to the branch that returns 0",
    }.get(float(slopes[2]), "below 0 the result never changes, above 0 it is x; at 0 the docstring chooses slope 0")
    expect(slopes, [0, 0, 0, 1, 1], call, because)


def test_nan_stays_nan(relu):
    x = jnp.array([NAN, -1.0, NAN, 0.0, 1.0])
    because = "NaN says that something broke earlier; a layer that turns it into 0 hides the accident"
    expect(relu(x), [NAN, 0, NAN, 0, 1], f"relu(x) with {shown(x=x)}", because)


def test_infinity_is_a_number_like_any_other(relu):
    x = jnp.array([-INF, -1.0, 0.0, 1.0, INF])
    because = "−∞ is below 0 and gives 0; ∞ stays. Mind that 0 · ∞ and ∞ − ∞ are NaN"
    expect(relu(x), [0, 0, 0, 1, INF], f"relu(x) with {shown(x=x)}", because)


def test_it_works_under_jit_and_vmap(relu):
    x = jnp.array([[-1.0, 0.0], [1.0, 2.0]])
    call = f"jax.jit(jax.vmap(relu))(x) with {shown(x=x)}"
    expect(jax.jit(jax.vmap(relu))(x), [[0, 0], [1, 2]], call, "under jit x has no value to branch on with `if`")
