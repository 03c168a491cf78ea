"""What `sinusoidal_positions` must do."""

import jax
import numpy as np
import pytest

from exercises.runner.expectations import expect, expect_refusal


@pytest.fixture(scope="module")
def sinusoidal_positions(answer):
    return answer


def reference(length, features, longest=10_000.0):
    """Number by number, as the paper has it."""
    table = np.empty((length, features))
    for p in range(length):
        for i in range(features // 2):
            angle = p / longest ** (2 * i / features)
            table[p, 2 * i], table[p, 2 * i + 1] = np.sin(angle), np.cos(angle)
    return table


def test_at_position_0_all_hands_point_up(sinusoidal_positions):
    because = "sin 0 = 0 and cos 0 = 1, in turn, and the first position is 0"
    expect(sinusoidal_positions(1, 4), [[0, 1, 0, 1]], "sinusoidal_positions(1, 4)", because)


def test_two_features_are_one_clock(sinusoidal_positions):
    p = np.arange(5)
    because = "with 2 features there is only i = 0, and its angle is p / longest⁰ = p, in radians"
    expect(sinusoidal_positions(5, 2), np.stack([np.sin(p), np.cos(p)], 1), "sinusoidal_positions(5, 2)", because, atol=1e-5)


def test_each_number_is_that_of_the_paper(sinusoidal_positions):
    because = "row p, columns 2i and 2i + 1: sine and cosine of p / 10000^(2i/features)"
    expect(sinusoidal_positions(7, 6), reference(7, 6), "sinusoidal_positions(7, 6)", because, atol=1e-5)


def test_the_slowest_clock_can_be_chosen(sinusoidal_positions):
    call = "sinusoidal_positions(7, 6, longest=50.0)"
    expect(sinusoidal_positions(7, 6, longest=50.0), reference(7, 6, 50.0), call, "longest stands in place of 10000", atol=1e-5)


def test_later_rows_do_not_depend_on_the_length(sinusoidal_positions):
    because = "a position has its vector, however many others there are"
    first = np.asarray(sinusoidal_positions(4, 8))
    expect(np.asarray(sinusoidal_positions(9, 8))[:4], first, "sinusoidal_positions(9, 8)[:4]", because, atol=1e-5)


def test_the_product_of_two_rows_depends_on_their_distance(sinusoidal_positions):
    table = np.asarray(sinusoidal_positions(20, 8), np.float64)
    call = "the product of rows p and p + 3 of sinusoidal_positions(20, 8), for p = 0 … 16"
    expected = np.full(17, np.cos(3 / 10_000 ** (np.arange(0, 8, 2) / 8)).sum())
    because = "sin a sin b + cos a cos b = cos(a − b): each pair of columns shares one angle"
    expect((table[:-3] * table[3:]).sum(1), expected, call, because, atol=1e-4)


def test_an_odd_number_of_features_is_refused(sinusoidal_positions):
    because = "a sine without its cosine does not know which way it turns"
    expect_refusal(lambda: sinusoidal_positions(3, 5), "sinusoidal_positions(3, 5)", because)


def test_it_works_under_jit(sinusoidal_positions):
    compiled = jax.jit(sinusoidal_positions, static_argnums=(0, 1))
    call = "jax.jit(sinusoidal_positions, static_argnums=(0, 1))(2, 2)"
    expect(compiled(2, 2), reference(2, 2), call, "compiling must not change the result", atol=1e-5)
