"""What `cka` must do."""

import numpy as np
import pytest

from exercises.runner.expectations import expect, expect_refusal, shown

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(12, 3)) * [3, 1, 0.5]
ROTATION = np.linalg.qr(RANDOM.normal(size=(3, 3)))[0]
Y = np.concatenate([X @ ROTATION + RANDOM.normal(size=(12, 3)), RANDOM.normal(size=(12, 2))], 1)
GIVEN = "with x of shape (12, 3)"


@pytest.fixture(scope="module")
def cka(answer):
    def ask(x, y):
        with np.errstate(all="ignore"):  # a NaN that comes back says more than a warning
            value = answer(np.array(x, np.float64), np.array(y, np.float64))
        return value if value is None else np.float64(value)

    return ask


def by_kernels(x, y):
    """The same number from n × n kernels and the centring matrix: Kornblith et al. 2019, section 3."""
    centring = np.eye(len(x)) - 1 / len(x)
    k, other = (centring @ z @ z.T @ centring for z in (x, y))
    return (k * other).sum() / np.sqrt((k * k).sum() * (other * other).sum())


def test_two_features_by_hand(cka):
    x, y = np.array([[1, 0], [-1, 0], [0, 2], [0, -2]]), np.array([[1], [-1], [1], [-1]])
    call = f"cka(x, y) with {shown(x=x, y=y)}"
    because = "all means are 0. XᵀX = [[2, 0], [0, 8]], YᵀX = [2, 4] and YᵀY = [4]: (2² + 4²) / (√(2² + 8²) · 4)"
    expect(cka(x, y), 20 / (np.sqrt(68) * 4), call, because)


def test_features_that_are_turned_or_scaled_are_the_same_features(cka):
    because = "the units of a network have no names: turned features carry the same, and so do features three times as large"
    expect(cka(X, X), 1.0, f"cka(x, x) {GIVEN}", "a network is like itself")
    expect(cka(X, -3 * X @ ROTATION), 1.0, f"cka(x, −3 x @ rotation) {GIVEN}", because)


def test_features_may_have_another_origin(cka):
    x = X + np.array([10.0, -20.0, 30.0])
    expected = by_kernels(X, Y[:, :3])
    because = "what all images have in common tells no image from another: take off the mean of each feature, over images"
    expect(cka(x, Y[:, :3]), expected, f"cka(x + [10, −20, 30], y) {GIVEN}, y of shape (12, 3)", because)


def test_it_is_the_alignment_of_two_kernels_of_any_width(cka):
    call = f"cka(x, y) {GIVEN}, y of shape (12, 5)"
    because = "⟨K, L⟩ / (‖K‖ ‖L‖) of the centred kernels XXᵀ and YYᵀ; the same as ‖YᵀX‖² / (‖XᵀX‖ ‖YᵀY‖)"
    expect(cka(X, Y), by_kernels(X, Y), call, because)


def test_a_direction_in_which_features_vary_much_counts_for_more(cka):
    stretched = X * [1, 1, 40]
    because = "40 times the third feature is another way to see the images: not every linear map leaves cka alone"
    expect(cka(X, stretched), by_kernels(X, stretched), f"cka(x, x · [1, 1, 40]) {GIVEN}", because)


def test_features_without_any_difference_and_other_images_are_refused(cka):
    because = "a network that says the same of every image is neither like another nor unlike: 0/0"
    expect_refusal(lambda: cka(X, np.full((12, 2), 0.25)), f"cka(x, y) {GIVEN}, y = 0.25", because)
    expect_refusal(lambda: cka(X, Y[:11]), f"cka(x, y) {GIVEN}, y of shape (11, 5)", "one image has no partner")
    expect_refusal(lambda: cka(X, np.full((12, 2), np.nan)), f"cka(x, y) {GIVEN}, y = NaN", "NaN spreads")
