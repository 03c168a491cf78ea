"""What `eszsl` must do. The weights of the tests are large enough to matter: γ = 2, λ = 0.5."""

import numpy as np
import pytest

from exercises.runner.expectations import expect, expect_refusal, expect_that, shown

RANDOM = np.random.RandomState(0)
FEATURES = RANDOM.standard_normal((12, 3))
LABELS = np.array([0, 1, 2, 3, 0, 1, 2, 0, 1, 0, 2, 3])
TABLE = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [0.5, -1.0]])  # four classes, two attributes
WITH = "features of shape (12, 3), labels of four classes, a table of shape (4, 2), gamma=2.0, lam=0.5"


@pytest.fixture(scope="module")
def eszsl(answer):
    return answer


def test_one_feature_and_one_attribute_by_hand(eszsl):
    x, table = np.array([[1.0], [-1.0]]), np.array([[1.0], [-1.0]])
    call = f"eszsl(x, [0, 1], table, gamma=2.0, lam=1.0) with {shown(x=x, table=table)}"
    because = "XᵀX + γ = 4, XᵀY = [2, −2], XᵀYS = 4 and SᵀS + λ = 3: V = 4 / 4 / 3"
    expect(eszsl(x, np.array([0, 1]), table, gamma=2.0, lam=1.0), [[1 / 3]], call, because)


def test_it_solves_its_two_linear_systems(eszsl):
    y = 2.0 * np.eye(4)[LABELS] - 1
    left, right = np.linalg.inv(FEATURES.T @ FEATURES + 2 * np.eye(3)), np.linalg.inv(TABLE.T @ TABLE + 0.5 * np.eye(2))
    because = "V = (XᵀX + γI)⁻¹ XᵀYS (SᵀS + λI)⁻¹, with γ on the side of the features and λ on that of the attributes"
    got = eszsl(FEATURES, LABELS, TABLE, gamma=2.0, lam=0.5)
    expect(got, left @ FEATURES.T @ y @ TABLE @ right, f"eszsl(…) with {WITH}", because)


def test_no_step_away_from_it_lowers_the_objective(eszsl):
    y = 2.0 * np.eye(4)[LABELS] - 1

    def objective(v):
        parts = (FEATURES @ v @ TABLE.T - y, 2**0.5 * v @ TABLE.T, 0.5**0.5 * FEATURES @ v, v)
        return sum((part**2).sum() for part in parts)

    v = np.asarray(eszsl(FEATURES, LABELS, TABLE, gamma=2.0, lam=0.5))
    for step in np.eye(6).reshape(6, 3, 2):
        slope = (objective(v + step) - objective(v - step)) / 2
        expected = "a slope of 0 along every number of V"
        because = "V is where ‖XVSᵀ − Y‖² + γ‖VSᵀ‖² + λ‖XV‖² + γλ‖V‖² is least"
        call = f"eszsl(…) with {WITH}; the objective's slope there"
        expect_that(abs(slope) < 1e-6, call, np.asarray(slope), expected, because)


def test_it_reads_unseen_classes(eszsl):
    """Features are attributes, mixed: a class that has both is named by what was learned on those that have one or none."""
    mixture = np.array([[1.0, 2.0, 0.0], [0.0, -1.0, 1.5]])
    attributes = np.array([[1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    labels = np.repeat(np.arange(3), 5)
    v = np.asarray(eszsl(attributes[labels] @ mixture, labels, attributes, gamma=1.0, lam=1.0))
    scores = np.array([[1.0, 1.0]]) @ mixture @ v @ np.vstack([attributes, [[1.0, 1.0]]]).T
    call = "x V aᶻ with V = eszsl(…) of three classes that have one attribute of two or none, for an x that has both"
    expect_that(scores.argmax() == 3, call, scores, "the largest score for the fourth class", "its description fits best")


def test_a_class_without_an_example_is_refused(eszsl):
    table = np.vstack([TABLE, [[0.0, 0.0]]])
    call = "eszsl(…) with a table of five classes, of which the last has no example"
    because = "its column of Y would say −1 for every example: that the class is nowhere to be seen. Give seen classes alone"
    expect_refusal(lambda: eszsl(FEATURES, LABELS, table, gamma=2.0, lam=0.5), call, because)


@pytest.mark.parametrize(("gamma", "lam"), [(0.0, 1.0), (1.0, -1.0)])
def test_a_weight_that_is_not_above_0_is_refused(eszsl, gamma, lam):
    call = f"eszsl(…, gamma={gamma}, lam={lam})"
    because = "without a weight above 0 the system may have no solution, or one that is no minimum"
    expect_refusal(lambda: eszsl(FEATURES, LABELS, TABLE, gamma=gamma, lam=lam), call, because)


def test_as_many_labels_as_features(eszsl):
    call = "eszsl(…) with 12 rows of features and 1 label"
    because = "one label for twelve rows would be read twelve times"
    expect_refusal(lambda: eszsl(FEATURES, np.array([0]), TABLE[:1], gamma=1.0, lam=1.0), call, because)
