"""What `coral_distance` must do."""

import jax
import numpy as np
import pytest

from exercises.runner.expectations import expect, expect_refusal, expect_that, shown

SOURCE = np.array([[2.0, 0.0], [-2.0, 0.0], [0.0, 1.0], [0.0, -1.0]], np.float32)
TARGET = np.array([[1.0, 1.0], [-1.0, -1.0], [1.0, 1.0], [-1.0, -1.0]], np.float32)


@pytest.fixture(scope="module")
def coral_distance(answer):
    return answer


def test_it_is_the_squared_distance_of_the_covariances(coral_distance):
    call = f"coral_distance(source, target) with {shown(source=SOURCE, target=TARGET)}"
    because = (
        "the covariances are [[8, 0], [0, 2]] / 3 and [[4, 4], [4, 4]] / 3. Their four differences, squared, have the sum "
        "(16 + 16 + 16 + 4) / 9, and that is divided by 4 · 2²"
    )
    expect(coral_distance(SOURCE, TARGET), 52 / 9 / 16, call, because)


def test_a_set_may_lie_anywhere(coral_distance):
    call = "coral_distance(source + [7, -3], target) with source and target as above"
    because = "a covariance is taken around the set's own mean, so that moving the set changes nothing"
    expect(coral_distance(SOURCE + np.array([7, -3], np.float32), TARGET), 52 / 9 / 16, call, because, atol=1e-5)


def test_the_sets_may_differ_in_number(coral_distance):
    fewer = TARGET[:2] + np.array([5, 1], np.float32)
    call = f"coral_distance(source, target) with {shown(source=SOURCE, target=fewer)}"
    because = (
        "each sum of products is divided by its own number of examples less 1: [[8, 0], [0, 2]] / 3 and [[2, 2], [2, 2]] / 1; "
        "the differences squared are 4/9, 4, 4 and 16/9. Each set has its own mean"
    )
    expect(coral_distance(SOURCE, fewer), (4 / 9 + 4 + 4 + 16 / 9) / 16, call, because, atol=1e-5)


def test_covariances_that_agree_have_no_distance(coral_distance):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(50, 3)).astype(np.float32)
    expect(coral_distance(x, -x), 0, "coral_distance(x, -x) with x of shape (50, 3)", "−x varies just as x does", atol=1e-9)


def test_features_can_be_moved_to_lower_it(coral_distance):
    slope = jax.grad(lambda x: coral_distance(x, TARGET))(SOURCE)
    lower = coral_distance(SOURCE - 0.1 * np.asarray(slope), TARGET)
    call = "coral_distance(source − 0.1 · gradient, target)"
    expect_that(lower < 52 / 9 / 16, call, lower, f"less than {52 / 9 / 16:.4f}", "it is to be a part of a loss")


@pytest.mark.parametrize(("source", "target"), [((4, 2), (4, 3)), ((1, 2), (4, 2)), ((4, 2), (1, 2))], ids=str)
def test_what_has_no_covariance_is_refused(coral_distance, source, target):
    call = f"coral_distance(source, target) with source.shape = {source}, target.shape = {target}"
    because = "features of another width cannot be compared, and one example has no covariance: 0 / 0"
    expect_refusal(lambda: coral_distance(np.ones(source, np.float32), np.ones(target, np.float32)), call, because)
