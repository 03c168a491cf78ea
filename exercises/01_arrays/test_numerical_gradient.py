"""What `numerical_gradient` must do."""

import math

import numpy as np
import pytest

from exercises.runner.expectations import expect, expect_refusal, expect_that, shown


@pytest.fixture(scope="module")
def numerical_gradient(answer):
    return answer


def test_for_a_parabola_even_a_large_step_is_exact(numerical_gradient):
    x = np.array([3.0])
    call = f"numerical_gradient(lambda x: (x**2).sum(), x, step=0.5) with {shown(x=x)}"
    because = "(3.5² − 2.5²) / (2 · 0.5) = 6. From one side alone, (3.5² − 3²) / 0.5 would be 6.5"
    expect(numerical_gradient(lambda x: (x**2).sum(), x, step=0.5), [6], call, because)


def test_each_number_has_its_own_slope_in_its_own_place(numerical_gradient):
    x, weights = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), np.array([[1.0, 10.0, 100.0], [2.0, 20.0, 200.0]])
    call = f"numerical_gradient(lambda x: (weights * x).sum(), x, step=0.25) with {shown(x=x, weights=weights)}"
    because = "the slope by each number is its weight: move one number at a time, and keep the shape of x"
    expect(numerical_gradient(lambda x: (weights * x).sum(), x, step=0.25), weights, call, because)


def test_a_single_number_has_a_gradient_of_shape_nothing(numerical_gradient):
    call = "numerical_gradient(np.exp, 0.0)"
    expect(numerical_gradient(np.exp, 0.0), 1.0, call, "the slope of eˣ at 0 is 1, and the shape of x = 0.0 is ()")


def test_the_step_is_the_one_asked_for(numerical_gradient):
    call = "numerical_gradient(lambda x: (x**3).sum(), x, step=0.1) with x = [1, -4]"
    because = "((x + h)³ − (x − h)³) / 2h = 3x² + h²: the error of central differences is 0.01 for h = 0.1, wherever x is"
    expect(numerical_gradient(lambda x: (x**3).sum(), np.array([1.0, -4.0]), step=0.1), [3.01, 48.01], call, because)


def test_the_usual_step_gives_nine_digits(numerical_gradient):
    x = np.array([0.3, -1.2, 2.0])
    call = f"numerical_gradient(lambda x: np.sin(x).sum(), x) with {shown(x=x)}"
    because = "the derivative of sin is cos. In float64 with h = 1e-5, both errors are below 1e-9; in float32 rounding is 1%"
    expect(numerical_gradient(lambda x: np.sin(x).sum(), x), np.cos(x), call, because, rtol=1e-8, atol=1e-9)


def test_whole_numbers_are_moved_by_less_than_one(numerical_gradient):
    x = np.array([1, 2, 3])
    call = "numerical_gradient(lambda x: (x**2).sum(), x, step=0.25) with x = np.array([1, 2, 3]), of whole numbers"
    because = "an array of integers cuts 1.25 off to 1: make x float64 first"
    expect(numerical_gradient(lambda x: (x**2).sum(), x, step=0.25), [2, 4, 6], call, because)


def test_x_is_left_as_it_was_to_the_last_bit(numerical_gradient):
    x = np.array([0.1, 0.2])
    numerical_gradient(np.sum, x, step=0.3)
    call = "x after numerical_gradient(np.sum, x, step=0.3) with x = [0.1, 0.2]"
    because = "x belongs to the caller; and 0.1 + 0.3 − 0.6 + 0.3 is not 0.1 in floating point. Add a bump to make a new array"
    expect(x, [0.1, 0.2], call, because, rtol=0, atol=0)


def test_what_the_function_was_given_stays_as_it_was_given(numerical_gradient):
    given, copies = [], []

    def keep(x):
        given.append(x)
        copies.append(np.array(x))
        return x.sum()

    numerical_gradient(keep, np.array([1.0, 2.0]), step=0.5)
    call = "numerical_gradient(f, [1, 2], step=0.5) with an f that keeps every array it is given"
    changed = sum(not np.array_equal(one, other) for one, other in zip(given, copies, strict=True))
    because = "a function may keep its argument; hand it a new array each time"
    expect_that(changed == 0, call, f"{changed} of {len(given)} arrays changed afterwards", "none of them", because)


@pytest.mark.parametrize("step", [0.0, -1e-5, math.nan])
def test_a_step_that_is_not_above_zero_is_refused(numerical_gradient, step):
    because = (
        "NaN is not above 0, and `nan <= 0` is False: test `not step > 0`" if math.isnan(step) else "no slope over no distance"
    )
    expect_refusal(
        lambda: numerical_gradient(lambda x: x.sum() * 1.0, np.array([1.0]), step),
        f"numerical_gradient(np.sum, [1.0], step={step})",
        because,
    )
