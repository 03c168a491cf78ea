"""What `unit_length` must do."""

import numpy as np
import pytest

from exercises.runner.expectations import expect, shown


@pytest.fixture(scope="module")
def unit_length(answer):
    def ask(features):
        with np.errstate(all="ignore"):  # a NaN that comes back says more than a warning
            return answer(features)

    return ask


def test_each_row_is_divided_by_its_own_length(unit_length):
    features = np.array([[3.0, 4.0], [0.0, -2.0], [5.0, 12.0]])
    because = "the lengths are √(3² + 4²) = 5, 2 and 13"
    call = f"unit_length(features) with {shown(features=features)}"
    expect(unit_length(features), [[0.6, 0.8], [0, -1], [5 / 13, 12 / 13]], call, because)


def test_how_long_a_row_was_no_longer_matters(unit_length):
    features = np.array([[3e-6, 4e-6], [3e6, 4e6]])
    because = "both rows point the same way, and the direction is all that counts"
    expect(unit_length(features), [[0.6, 0.8]] * 2, f"unit_length(features) with {shown(features=features)}", because)


def test_a_row_of_zeros_stays(unit_length):
    features = np.array([[0.0, 0.0], [0.0, 7.0]])
    because = "zeros have no direction: they stay zeros, in their place, and 0 / 0 is avoided"
    expect(unit_length(features), [[0, 0], [0, 1]], f"unit_length(features) with {shown(features=features)}", because)


def test_the_features_are_left_as_they_are(unit_length):
    features = np.array([[3.0, 4.0], [6.0, 8.0]])
    unit_length(features)
    because = "whoever gave them may need them again, with their lengths"
    expect(features, [[3, 4], [6, 8]], "unit_length(features); the features, looked at afterwards", because)
