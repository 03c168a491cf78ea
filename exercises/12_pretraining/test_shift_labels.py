"""What `shift_labels` must do: shares are seen in 12,000 labels, of which chance moves none by more than 0.04."""

import numpy as np
import pytest

from exercises.runner.expectations import expect, expect_refusal, shown

LABELS = np.arange(12_000) // 3 % 4  # 0 0 0 1 1 1 2 2 2 3 3 3 0 0 0 …
CALL = "shift_labels(labels, 4, share=0.3, seed=1) with 12,000 labels, as many of each class"


@pytest.fixture(scope="module")
def shift_labels(answer):
    return answer


def moved(shift_labels, seed=1):
    """Which of the 12,000 are no longer what they were."""
    return np.asarray(shift_labels(LABELS.copy(), 4, share=0.3, seed=seed)) != LABELS


def test_each_label_becomes_the_next_and_the_last_the_first(shift_labels):
    labels = np.array([0, 1, 2, 2, 0])
    because = "share is 1: all are moved, 0 to 1, 1 to 2, and 2, the last of 3 classes, to 0"
    expect(shift_labels(labels.copy(), 3), [1, 2, 0, 0, 1], f"shift_labels(labels, 3) with {shown(labels=labels)}", because)


def test_a_class_that_no_label_is_of_is_a_class_all_the_same(shift_labels):
    labels = np.array([0, 1, 1])
    because = "there are 3 classes, though nobody here is of the last: 1 goes to 2, and not back to 0"
    expect(shift_labels(labels.copy(), 3), [1, 2, 2], f"shift_labels(labels, 3) with {shown(labels=labels)}", because)


def test_a_share_of_0_moves_nothing(shift_labels):
    labels = np.array([0, 1, 2, 2, 0])
    call = f"shift_labels(labels, 3, share=0.0) with {shown(labels=labels)}"
    expect(shift_labels(labels.copy(), 3, share=0.0), labels, call, "none of them is to be moved")


def test_as_many_are_moved_as_the_share_says_and_by_one(shift_labels):
    steps = (np.asarray(shift_labels(LABELS.copy(), 4, share=0.3, seed=1)) - LABELS) % 4
    because = "three of ten go to the next class, and the rest stay"
    call = f"{CALL}; which share went 0, 1, 2 and 3 classes on"
    expect(np.bincount(steps, minlength=4) / len(LABELS), [0.7, 0.3, 0, 0], call, because, atol=0.04)


def test_each_class_and_each_place_has_the_same_chance(shift_labels):
    where = moved(shift_labels)
    because = "chance asks neither for the class nor for the place in the list"
    by_class = np.array([where[c == LABELS].mean() for c in range(4)])
    expect(by_class, [0.3] * 4, f"{CALL}; the share of moved ones in each class", because, atol=0.04)
    by_place = where.reshape(4, -1).mean(1)
    expect(by_place, [0.3] * 4, f"{CALL}; the share of moved ones in each quarter of the list", because, atol=0.04)


def test_the_seed_decides_which(shift_labels):
    one, again, other = (moved(shift_labels, seed) for seed in (1, 1, 2))
    expect(again, one, f"{CALL}, twice; which are moved", "an experiment is repeated from its seed")
    because = "two seeds choose independently: both choose a label with a chance of 0.3² = 0.09"
    call = f"{CALL}, and again with seed=2; the share that is moved both times"
    expect(np.asarray((one & other).mean()), 0.09, call, because, atol=0.04)


def test_the_labels_that_were_given_stay(shift_labels):
    labels = np.array([0, 1, 2])
    shift_labels(labels, 3)
    because = "the right labels are still needed: to train the control, and to compare"
    expect(labels, [0, 1, 2], "shift_labels(labels, 3) with labels = [0, 1, 2]; the labels, looked at afterwards", because)


@pytest.mark.parametrize("share", [-0.1, 1.5])
def test_what_is_no_share_is_refused(shift_labels, share):
    call = f"shift_labels([0, 1, 2], 3, share={share})"
    expect_refusal(lambda: shift_labels(np.array([0, 1, 2]), 3, share=share), call, "a share goes from 0 to 1")


@pytest.mark.parametrize("labels", [[0, 3], [-1, 0]], ids=["above", "below"])
def test_a_label_outside_the_classes_is_refused(shift_labels, labels):
    call = f"shift_labels({labels}, 3)"
    expect_refusal(lambda: shift_labels(np.array(labels), 3), call, "three classes are 0, 1 and 2: what comes after another?")
