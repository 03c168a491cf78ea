"""What `mmd` must do: seen with two points on either side, whose distances are easily written down."""

import jax
import numpy as np
import pytest

from exercises.runner.expectations import expect, expect_refusal, expect_that, shown

SOURCE = np.array([[0.0, 0.0], [1.0, 0.0]], np.float32)
TARGET = np.array([[0.0, 2.0], [1.0, 2.0]], np.float32)
CALL = f"with {shown(source=SOURCE, target=TARGET)}"


@pytest.fixture(scope="module")
def mmd(answer):
    return answer


def kernel(squared, width):
    return np.exp(-squared / (2 * width**2))


def test_it_is_the_mean_within_each_and_less_twice_the_mean_between(mmd):
    within = (1 + 1 + 2 * kernel(1, 1.0)) / 4
    between = (2 * kernel(4, 1.0) + 2 * kernel(5, 1.0)) / 4
    because = (
        "within: 4 pairs, two of a point with itself (k = 1), two at distance 1 (k = e^(−1/2)). Between: two at distance 2 "
        "(k = e^(−4/2)), two at √5. And the mean between is counted twice, as within is: once for each set"
    )
    expect(mmd(SOURCE, TARGET, (1.0,)), 2 * within - 2 * between, f"mmd(source, target, (1.0,)) {CALL}", because)


def test_the_bandwidth_is_a_distance(mmd):
    within = (1 + 1 + 2 * kernel(1, 2.0)) / 4
    between = (2 * kernel(4, 2.0) + 2 * kernel(5, 2.0)) / 4
    because = "k = exp(−|x − y|² / (2 σ²)) with σ = 2: 2 σ² is 8"
    expect(mmd(SOURCE, TARGET, (2.0,)), 2 * within - 2 * between, f"mmd(source, target, (2.0,)) {CALL}", because)


def test_several_bandwidths_are_averaged(mmd):
    one, other = (
        2 * (2 + 2 * kernel(1, width)) / 4 - 2 * (2 * kernel(4, width) + 2 * kernel(5, width)) / 4 for width in (1.0, 2.0)
    )
    because = "the kernel is the mean of those of the bandwidths, and so the result is the mean of theirs"
    expect(mmd(SOURCE, TARGET, (1.0, 2.0)), (one + other) / 2, f"mmd(source, target, (1.0, 2.0)) {CALL}", because)


def test_unbiased_leaves_a_point_with_itself_out(mmd):
    between = (2 * kernel(4, 1.0) + 2 * kernel(5, 1.0)) / 4
    because = "2 · 1 pairs of different points are left within each set, both at distance 1; between, all four stay"
    call = f"mmd(source, target, (1.0,), unbiased=True) {CALL}"
    expect(mmd(SOURCE, TARGET, (1.0,), unbiased=True), 2 * kernel(1, 1.0) - 2 * between, call, because)


def test_sets_may_differ_in_number(mmd):
    more = np.array([[0.0, 2.0], [1.0, 2.0], [0.0, 2.0], [1.0, 2.0]], np.float32)
    within = (1 + 1 + 2 * kernel(1, 1.0)) / 4
    between = (2 * kernel(4, 1.0) + 2 * kernel(5, 1.0)) / 4
    because = "every target point twice: all means stay as they were, for each is divided by its own number of pairs"
    call = "mmd(source, target, (1.0,)) with the two target points twice each"
    expect(mmd(SOURCE, more, (1.0,)), 2 * within - 2 * between, call, because)


def test_only_differences_count(mmd):
    near = float(mmd(SOURCE, TARGET, (1.0,)))
    far = mmd(SOURCE + np.float32(20_001), TARGET + np.float32(20_001), (1.0,))
    because = (
        "moved together, all distances stay. |x|² + |y|² − 2 x·y does not: far from 0 it is a small difference of large "
        "numbers, and float32 has 7 digits. Move both to their common mean first, or subtract x − y itself"
    )
    expect(far, near, "mmd(source + 20001, target + 20001, (1.0,))", because, atol=1e-3)


def test_it_can_be_lowered_by_moving_the_features(mmd):
    slope = jax.grad(lambda x: mmd(x, TARGET, (1.0, 2.0)))(SOURCE)
    before, after = mmd(SOURCE, TARGET, (1.0, 2.0)), mmd(SOURCE - 0.1 * np.asarray(slope), TARGET, (1.0, 2.0))
    expected = f"less than {float(before):.4f}"
    expect_that(after < before, "mmd(source − 0.1 · gradient, target, (1.0, 2.0))", after, expected, "it is part of a loss")


@pytest.mark.parametrize(
    ("target", "bandwidths"),
    [((2, 3), (1.0,)), ((1, 2), (1.0,)), ((2, 2), ()), ((2, 2), (1.0, 0.0)), ((2, 2), (-1.0,))],
    ids=str,
)
def test_what_cannot_be_compared_is_refused(mmd, target, bandwidths):
    call = f"mmd(source, target, {bandwidths}) with source.shape = (2, 2), target.shape = {target}"
    because = "another width would broadcast or crash, one point has no pairs, and a bandwidth of 0 is a division by 0"
    expect_refusal(lambda: mmd(SOURCE, np.ones(target, np.float32), bandwidths), call, because)
