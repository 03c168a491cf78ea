"""What `leep` must do."""

import numpy as np
import pytest

from exercises.runner.expectations import compact, expect, expect_refusal, shown

THETA = np.array([[0.8, 0.2], [0.6, 0.4], [0.5, 0.5], [0.1, 0.9]])


@pytest.fixture(scope="module")
def leep(answer):
    def ask(theta, labels):
        with np.errstate(all="ignore"):  # a NaN that comes back says more than a warning
            value = answer(np.array(theta, np.float64), np.array(labels))
        return value if value is None else np.float64(value)

    return ask


def test_it_is_the_mean_log_of_what_a_bet_by_source_classes_gives_the_right_label(leep):
    labels = [0, 0, 1, 1]
    call = f"leep(theta, labels) with {shown(theta=THETA, labels=labels)}"
    # The two columns of P(y | z), each of sum 1.
    first, second = np.array([1.4, 0.6]) / 2.0, np.array([0.6, 1.4]) / 2.0
    right = [0.8 * first[0] + 0.2 * second[0], 0.6 * first[0] + 0.4 * second[0]]
    right += [0.5 * first[1] + 0.5 * second[1], 0.1 * first[1] + 0.9 * second[1]]
    because = (
        "P(y, z) = [[0.35, 0.15], [0.15, 0.35]], so that P(y | z) = [[0.7, 0.3], [0.3, 0.7]], each column of sum 1; the right "
        f"labels get Σ_z P(y | z) θ_z = {', '.join(f'{p:.2f}' for p in right)}"
    )
    expect(leep(THETA, labels), np.log(right).mean(), call, because)


def test_a_class_that_comes_often_weighs_more_in_the_joint(leep):
    labels = [0, 0, 0, 1]
    joint = np.stack([THETA[:3].sum(0), THETA[3]]) / 4
    conditional = joint / joint.sum(0)
    expected = np.log((THETA * conditional[labels]).sum(1)).mean()
    call = f"leep(theta, labels) with {shown(theta=THETA, labels=labels)}"
    because = (
        "three images of label 0 and one of label 1: P(y, z) = [[0.475, 0.275], [0.025, 0.225]]. What the network says, z, is "
        f"known: each column is divided by its own sum, 0.5. P(y | z) = {compact(conditional)}"
    )
    expect(leep(THETA, labels), expected, call, because)


def test_a_network_that_says_the_same_of_all_images_leaves_the_entropy_of_the_labels(leep):
    labels = [7, 7, 7, -2]
    call = f"leep(theta, labels) with θ = 1/3 in shape (4, 3), {shown(labels=labels)}"
    because = "then P(y | z) is how often each label comes, 3/4 and 1/4, whatever z; labels may be any integers"
    expect(leep(np.full((4, 3), 1 / 3), labels), (3 * np.log(3 / 4) + np.log(1 / 4)) / 4, call, because)


def test_a_source_class_that_no_image_looks_like_changes_nothing(leep):
    labels = [0, 0, 1, 1]
    wider = np.concatenate([THETA[:, :1], np.zeros((4, 1)), THETA[:, 1:]], 1)
    call = f"leep(theta, labels) with {shown(theta=wider, labels=labels)}"
    because = "its column of the joint is 0, and 0/0 is NaN; but it is multiplied by θ = 0, so that it must not matter"
    expect(leep(wider, labels), leep(THETA, labels), call, because)


def test_what_is_no_distribution_or_has_no_question_is_refused(leep):
    for theta, what in ((2 * THETA, "twice θ"), (np.full((4, 2), np.nan), "NaN"), (THETA * [2, 0.5], "rows of another sum")):
        call, because = f"leep(theta, [0, 0, 1, 1]) with {what}", "rows that are no probabilities make a number without meaning"
        expect_refusal(lambda theta=theta: leep(theta, [0, 0, 1, 1]), call, because)
    expect_refusal(lambda: leep(THETA, [0, 0, 1]), "leep(theta, [0, 0, 1]) with four rows", "one row has no label")
    expect_refusal(lambda: leep(THETA, [3, 3, 3, 3]), "leep(theta, [3, 3, 3, 3])", "with one class any source is perfect")
