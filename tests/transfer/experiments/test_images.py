"""All sets at one size, and the choice of a few examples."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis.strategies import integers

from transfer.experiments.images import SIDE, first_of_each_class, images


@pytest.mark.parametrize(("name", "classes"), [("digits", 10), ("mnist_5k", 10)])
def test_every_set_comes_as_ink_on_paper_at_one_size(name, classes):
    x, y = images(name, "test")
    assert x.shape == (len(y), SIDE * SIDE) and x.dtype == np.float32 and y.dtype == np.int32
    assert x.min() >= 0 and 0.9 < x.max() < 1 + 1e-6  # a resized 1 may come out a rounding above
    assert set(y) == set(range(classes))
    pages = x.reshape(-1, SIDE, SIDE)
    assert pages[:, 4:12, 4:12].mean() > 3 * np.concatenate([pages[:, :2], pages[:, -2:]], 1).mean()  # the ink is inside
    with pytest.raises(ValueError, match="read-only"):
        x[0] = 0


def test_strokes_of_the_two_kinds_of_digits_are_about_the_same_size():
    """Half of the ink's spread around its centre, in pixels: what the margins were chosen for."""

    def spread(name):
        x, _ = images(name, "test")
        pages = x.reshape(-1, SIDE, SIDE)
        ink = pages / pages.sum((1, 2), keepdims=True)
        rows, columns = np.mgrid[:SIDE, :SIDE]
        moments = [(ink * axis).sum((1, 2), keepdims=True) for axis in (rows, columns)]
        squares = (rows - moments[0]) ** 2 + (columns - moments[1]) ** 2
        return np.sqrt((ink * squares).sum((1, 2)).mean())

    assert spread("digits") == pytest.approx(spread("mnist_5k"), rel=0.15)


@given(integers(0, 2**32 - 1))
def test_a_smaller_choice_is_a_part_of_a_larger_one(seed):
    rng = np.random.default_rng(seed)
    labels, classes = rng.integers(0, 6, 300), np.array([4, 1, 3])
    order = rng.permutation(300)
    choices = {count: first_of_each_class(labels, classes, count, order) for count in (1, 2, 7)}
    for count, chosen in choices.items():
        np.testing.assert_array_equal(labels[chosen], np.repeat(classes, count))  # class by class, in the order given
        assert len(set(chosen)) == len(chosen)
    for c in classes:
        of_class = [chosen[labels[chosen] == c] for chosen in choices.values()]
        for fewer, more in pairwise(of_class):
            np.testing.assert_array_equal(more[: len(fewer)], fewer)
