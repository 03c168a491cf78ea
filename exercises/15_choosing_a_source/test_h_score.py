"""What `h_score` must do."""

import numpy as np
import pytest

from exercises.runner.expectations import expect, expect_refusal, shown

RANDOM = np.random.default_rng(0)
LABELS = np.array([0] * 12 + [1] * 6 + [2] * 2)
FEATURES = RANDOM.normal(size=(20, 3)) + 2 * RANDOM.normal(size=(3, 3))[LABELS] + 3
GIVEN = "(features, labels) with features of shape (20, 3), 12 rows of class 0, 6 of class 1 and 2 of class 2"


@pytest.fixture(scope="module")
def h_score(answer):
    def ask(features, labels):
        with np.errstate(all="ignore"):  # a NaN that comes back says more than a warning
            value = answer(np.array(features, np.float64), np.array(labels))
        return value if value is None else np.float64(value)

    return ask


def definition(features, labels):
    """tr(Σ⁻¹ Σ_B), with NumPy's own covariances."""
    means = np.stack([features[labels == c].mean(0) for c in range(3)])[labels]
    return np.trace(np.linalg.inv(np.cov(features.T)) @ np.cov(means.T))


def test_of_one_feature_it_is_the_share_of_variance_between_classes(h_score):
    features, labels = [[0], [2], [4], [6]], [0, 0, 1, 1]
    call = f"h_score(features, labels) with {shown(features=features, labels=labels)}"
    because = "the variance is (9 + 1 + 1 + 9) / 4 = 5; that of the class means 1, 1, 5, 5 is 4"
    expect(h_score(features, labels), 0.8, call, because)


def test_each_image_counts_once_also_where_classes_differ_in_size(h_score):
    because = "tr(Σ⁻¹ Σ_B): Σ_B is the covariance of 20 rows, in which each image has its class's mean"
    expect(h_score(FEATURES, LABELS), definition(FEATURES, LABELS), f"h_score{GIVEN}", because)


def test_labels_are_names_and_not_places(h_score):
    names = np.array([-1, 700, 3])[LABELS]
    because = "the labels are any integers: only which rows have the same one counts"
    call = f"h_score{GIVEN}, which are called −1, 700 and 3"
    expect(h_score(FEATURES, names), definition(FEATURES, LABELS), call, because)


def test_no_invertible_map_of_the_features_changes_it(h_score):
    mapping = np.array([[2.0, 0.0, 1.0], [0.0, 0.1, 0.0], [1.0, 1.0, -3.0]])
    because = "Σ⁻¹ measures in the features' own units: a head could undo the map, so it must not matter"
    expect(h_score(FEATURES @ mapping - 4, LABELS), definition(FEATURES, LABELS), f"h_score{GIVEN}, mapped: @ m − 4", because)


def test_a_feature_that_never_changes_and_one_that_comes_twice_add_nothing(h_score):
    constant = np.concatenate([FEATURES, np.full((20, 1), 5.0)], 1)
    because = "Σ has a direction without variance, and no inverse; the pseudo-inverse counts the direction for nothing"
    expected = definition(FEATURES, LABELS)
    expect(h_score(constant, LABELS), expected, f"h_score{GIVEN}, and a fourth feature that is always 5", because)
    twice = np.concatenate([FEATURES, FEATURES[:, :1]], 1)
    expect(h_score(twice, LABELS), expected, f"h_score{GIVEN}, and the first of them once more", because)


def test_it_is_at_most_one_less_than_the_classes(h_score):
    call = "h_score(features, labels) with features = the labels, one-hot, of the same three classes"
    because = "there is no variance within classes, and three means span two directions"
    expect(h_score(np.eye(3)[LABELS], LABELS), 2.0, call, because)


def test_what_gives_no_answer_is_refused(h_score):
    broken = FEATURES.copy()
    broken[4, 1] = np.nan
    expect_refusal(lambda: h_score(FEATURES, np.zeros(20, int)), "h_score(features, labels), labels = 0", "one class alone")
    expect_refusal(lambda: h_score(broken, LABELS), "h_score(features, labels) with a NaN in the features", "NaN spreads")
    expect_refusal(lambda: h_score(FEATURES, LABELS[:19]), "h_score(features, labels) with 20 rows, 19 labels", "a row is left")
