"""What `matmul_intensity` must do."""

import math
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exercises.runner.expectations import expect_refusal, expect_that

few = settings(max_examples=60, derandomize=True, database=None, deadline=None, report_multiple_bugs=False)
size = st.integers(1, 9)


@pytest.fixture(scope="module")
def matmul_intensity(answer):
    return answer


def expect_number(got, expected, call, because):
    expect_that(
        isinstance(got, int | float) and math.isclose(got, expected, rel_tol=1e-9), call, got, f"{expected:.5g}", because
    )


@pytest.mark.parametrize(
    ("sizes", "tile", "expected", "because"),
    [
        ((1, 1, 1), (1, 1), 2 / 12, "one product and one sum (to 0), for two numbers read and one written, of 4 bytes each"),
        (
            (4, 4, 4),
            (1, 1),
            128 / 576,
            "2 · 64 operations; 16 tiles read 4 + 4 numbers each, and 16 are written: 144 of 4 bytes",
        ),
        ((4, 4, 4), (4, 4), 128 / 192, "one tile reads 16 + 16 numbers and writes 16: 48 of 4 bytes"),
        ((4, 4, 4), (2, 4), 128 / 256, "two tiles read 8 + 16 numbers each, and 16 are written: 64 of 4 bytes"),
        ((1, 6, 3), (1, 3), 36 / 108, "a vector times a matrix: each weight is used once, whatever the tile"),
        (
            (5, 2, 1),
            (2, 1),
            20 / 84,
            "three tiles, of 2, 2 and 1 rows, read w's 2 numbers each and x's 10 in all; 5 are written",
        ),
    ],
    ids=str,
)
def test_small_products_by_hand(matmul_intensity, sizes, tile, expected, because):
    call = f"matmul_intensity({', '.join(map(str, sizes))}, rows={tile[0]}, columns={tile[1]})"
    expect_number(matmul_intensity(*sizes, rows=tile[0], columns=tile[1]), expected, call, because)


@few
@given(m=size, k=size, n=size, rows=size, columns=size)
def test_it_is_what_a_walk_over_the_tiles_counts(matmul_intensity, m, k, n, rows, columns):
    moved = 0
    for i, j in product(range(0, m, rows), range(0, n, columns)):
        high, wide = min(rows, m - i), min(columns, n - j)
        moved += high * k + k * wide + high * wide  # rows of x, columns of w, and the tile itself
    call = f"matmul_intensity({m}, {k}, {n}, rows={rows}, columns={columns})"
    because = f"tile after tile, {moved} numbers of 4 bytes are moved, for 2 · {m} · {k} · {n} operations"
    expect_number(matmul_intensity(m, k, n, rows=rows, columns=columns), 2 * m * k * n / (4 * moved), call, because)


def test_numbers_of_half_the_size_double_it(matmul_intensity):
    call = "matmul_intensity(4, 4, 4, rows=2, columns=4, itemsize=2)"
    because = "bfloat16 has 2 bytes: as many numbers, half the bytes"
    expect_number(matmul_intensity(4, 4, 4, rows=2, columns=4, itemsize=2), 1.0, call, because)


def test_a_tile_larger_than_the_result_is_the_result(matmul_intensity):
    call = "matmul_intensity(4, 4, 4, rows=100, columns=7)"
    expect_number(matmul_intensity(4, 4, 4, rows=100, columns=7), 128 / 192, call, "one tile: what is not there is not read")


@pytest.mark.parametrize("wrong", [{"rows": 0}, {"columns": -1}, {"itemsize": 0}], ids=str)
def test_nothing_below_one_is_accepted(matmul_intensity, wrong):
    arguments = {"rows": 2, "columns": 2} | wrong
    call = f"matmul_intensity(4, 4, 4, {', '.join(f'{name}={value}' for name, value in arguments.items())})"
    expect_refusal(lambda: matmul_intensity(4, 4, 4, **arguments), call, "there are no tiles without rows or columns")
