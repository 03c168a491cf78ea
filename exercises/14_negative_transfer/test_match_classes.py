"""What `match_classes` must do: tables small enough that all renamings can be tried on paper."""

import numpy as np
import pytest

from exercises.runner.expectations import expect, expect_refusal, shown


@pytest.fixture(scope="module")
def match_classes(answer):
    return answer


def pairs(counts):
    """Predictions and labels for a table: counts[s][t] images in which the model sees s, and that are t."""
    rows = [(s, t) for s, row in enumerate(counts) for t, count in enumerate(row) for _ in range(count)]
    return tuple(np.array(column, dtype=np.int64) for column in zip(*rows, strict=True)) if rows else (np.zeros(0, int),) * 2


@pytest.mark.parametrize(
    ("counts", "names", "because"),
    [
        ([[0, 2, 0], [0, 0, 2], [2, 0, 0]], [1, 2, 0], "what the model calls 0 is 1, its 1 is 2, and its 2 is 0"),
        ([[0, 2, 0], [2, 0, 0], [0, 0, 2]], [1, 0, 2], "0 and 1 have changed places"),
        ([[2, 3], [0, 3]], [0, 1], "0 is oftener 1, but 1 is never 0: [0, 1] makes 5 right, and [1, 0] makes 3"),
        (
            [[5, 4, 0], [4, 0, 0], [0, 0, 1]],
            [1, 0, 2],
            "4 + 4 + 1 is more than 5 + 0 + 1: the largest count is not always taken",
        ),
        ([[10, 1], [6, 0]], [0, 1], "10 + 0 is more than 1 + 6, though the only image of label 1 is then wrong"),
        ([[1, 3], [2, 1]], [1, 0], "each image counts: 3 + 2 against 1 + 1"),
    ],
    ids=["a circle", "a swap", "one name each", "not greedy", "images and not shares", "images and not pairs"],
)
def test_it_makes_most_predictions_right(match_classes, counts, names, because):
    call = f"match_classes(predictions, labels, {len(names)}) with {shown(counts=counts)} (a row for each prediction)"
    expect(match_classes(*pairs(counts), len(names)), names, call, because)


@pytest.mark.parametrize(
    ("counts", "names", "because"),
    [
        (np.zeros((4, 4), int), [0, 1, 2, 3], "no image: no reason to rename anything"),
        ([[0, 0, 0, 0], [0, 1, 0, 1], [0, 0, 0, 0], [0, 0, 0, 0]], [0, 1, 2, 3], "1 is as often 1 as 3: it stays 1"),
        ([[0, 0, 0, 0], [0, 1, 0, 2], [0, 0, 0, 0], [0, 0, 0, 0]], [0, 3, 2, 1], "1 is oftener 3; 0 and 2 stay what they were"),
        ([[0, 1], [0, 0]], [1, 0], "one image is enough to move 0, and 1 takes the name that is left"),
    ],
    ids=["nothing", "a tie", "the others stay", "one image"],
)
def test_a_class_keeps_its_number_where_it_makes_no_difference(match_classes, counts, names, because):
    call = f"match_classes(predictions, labels, {len(names)}) with {shown(counts=np.array(counts))} (a row for each prediction)"
    expect(match_classes(*pairs(counts), len(names)), names, call, because)


def test_as_many_predictions_as_labels(match_classes):
    call = "match_classes([0, 1, 1], [0, 1], 2)"
    expect_refusal(lambda: match_classes(np.array([0, 1, 1]), np.array([0, 1]), 2), call, "which label has the third image?")


@pytest.mark.parametrize("predictions", [[0, 2], [0, -1]], ids=["above", "below"])
def test_a_class_that_has_no_name_is_refused(match_classes, predictions):
    call = f"match_classes({predictions}, [0, 1], 2)"
    attempt = lambda: match_classes(np.array(predictions), np.array([0, 1]), 2)  # noqa: E731
    expect_refusal(attempt, call, "two classes are 0 and 1")
