"""What `unbroadcast` must do."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exercises.runner.expectations import expect, expect_refusal, shown


@pytest.fixture(scope="module")
def unbroadcast(answer):
    return answer


def test_a_number_gets_the_sum_of_all_its_copies(unbroadcast):
    gradient = np.array([[1.0, 2.0], [30.0, 400.0]])
    call = f"unbroadcast(gradient, ()) with {shown(gradient=gradient)}"
    expect(unbroadcast(gradient, ()), 433.0, call, "the number stood in all four places, and its gradient is the sum: no mean")


def test_a_row_gets_the_sum_of_all_rows(unbroadcast):
    gradient = np.array([[1.0, 2.0], [30.0, 400.0]])
    call = f"unbroadcast(gradient, (2,)) with {shown(gradient=gradient)}"
    because = "shapes are lined up at their ends: (2,) was repeated along a new *first* axis"
    expect(unbroadcast(gradient, (2,)), [31, 402], call, because)


def test_a_column_gets_the_sum_of_all_columns_and_stays_a_column(unbroadcast):
    gradient = np.array([[1.0, 2.0], [30.0, 400.0]])
    call = f"unbroadcast(gradient, (2, 1)) with {shown(gradient=gradient)}"
    because = "an axis of size 1 was stretched: sum along it, and keep it with size 1 (keepdims)"
    expect(unbroadcast(gradient, (2, 1)), [[3], [430]], call, because)


def test_new_and_stretched_axes_at_once(unbroadcast):
    gradient = np.arange(12.0).reshape(2, 3, 2)
    call = "unbroadcast(gradient, (1, 2)) with gradient = 0, 1, …, 11 in shape (2, 3, 2)"
    because = "(1, 2) got a new first axis, and its own first axis was stretched from 1 to 3"
    expect(unbroadcast(gradient, (1, 2)), [[30, 36]], call, because)


def test_what_was_not_broadcast_comes_back_as_it_is(unbroadcast):
    gradient = np.array([[1.0, 2.0], [3.0, 4.0]])
    expect(unbroadcast(gradient, (2, 2)), gradient, f"unbroadcast(gradient, (2, 2)) with {shown(gradient=gradient)}")
    expect(unbroadcast(np.array([[5.0]]), (1, 1)), [[5]], "unbroadcast([[5.0]], (1, 1))", "nothing was stretched")


@settings(max_examples=40, derandomize=True, database=None, deadline=None, report_multiple_bugs=False)
@given(
    wide=st.lists(st.integers(1, 3), max_size=3), kept=st.integers(0, 3), ones=st.lists(st.booleans(), min_size=3, max_size=3)
)
def test_it_is_the_adjoint_of_broadcasting(unbroadcast, wide, kept, ones):
    shape = tuple(1 if one else size for size, one in zip(wide[len(wide) - min(kept, len(wide)) :], ones, strict=False))
    gradient = np.sin(np.arange(1.0, 1 + math.prod(wide))).reshape(wide)
    expected = np.zeros(shape)
    places = np.broadcast_to(np.arange(expected.size).reshape(shape), wide)
    np.add.at(expected.reshape(-1), places.ravel(), gradient.ravel())
    call = f"unbroadcast(gradient, {shape}) with gradient.shape = {tuple(wide)}"
    because = "each number's gradient is the sum over the places that broadcasting copied it to"
    expect(unbroadcast(gradient, shape), expected, call, because, atol=1e-9)


@pytest.mark.parametrize(
    ("wide", "shape"), [((3,), (2,)), ((3,), (2, 3)), ((3,), (1, 3)), ((2, 3), (3, 1)), ((1,), (3,))], ids=str
)
def test_a_shape_that_does_not_broadcast_to_the_gradients_is_refused(unbroadcast, wide, shape):
    call = f"unbroadcast(gradient, {shape}) with gradient.shape = {wide}"
    because = f"no array of shape {shape} can have become one of shape {wide}: the caller made a mistake"
    expect_refusal(lambda: unbroadcast(np.ones(wide), shape), call, because)
