"""What `nce` must do."""

import numpy as np
import pytest

from exercises.runner.expectations import expect, expect_refusal, shown


@pytest.fixture(scope="module")
def nce(answer):
    def ask(source_labels, labels):
        with np.errstate(all="ignore"):  # a NaN that comes back says more than a warning
            value = answer(np.array(source_labels), np.array(labels))
        return value if value is None else np.float64(value)

    return ask


@pytest.mark.parametrize(
    ("source_labels", "labels", "expected", "because"),
    [
        ([0, 0, 1, 1], [1, 1, 0, 0], 0.0, "each source label goes with one label: nothing is left to guess, and log 1 = 0"),
        (
            [5, 5, 5, 5],
            [0, 0, 1, 1],
            -np.log(2),
            "a source label that is always the same tells nothing: −H = ½ log ½ + ½ log ½",
        ),
        ([0, 1, 2, 3], [0, 0, 1, 1], 0.0, "0 and 1 mean label 0, 2 and 3 mean label 1: all that is asked is the label"),
        ([0, 0, 1, 1], [0, 1, 2, 3], -np.log(2), "whoever knows that the source says 0 has still two labels to choose from"),
    ],
    ids=["known", "unknown", "finer source", "finer target"],
)
def test_it_is_what_the_source_label_leaves_to_guess(nce, source_labels, labels, expected, because):
    call = f"nce(source_labels, labels) with {shown(source_labels=source_labels, labels=labels)}"
    expect(nce(source_labels, labels), expected, call, because)


def test_each_image_counts_once(nce):
    source_labels, labels = [0, 0, 1, 1, 1, 1, 2, 2], [0, 0, 0, 1, 1, 1, 1, 1]
    call = f"nce(source_labels, labels) with {shown(source_labels=source_labels, labels=labels)}"
    because = (
        "P(label | source) is 1 for the two images that the source calls 0 and for the two that it calls 2; of the four that "
        "it calls 1, one has label 0 and three have label 1: (log 1/4 + 3 log 3/4) / 8"
    )
    expect(nce(source_labels, labels), (np.log(1 / 4) + 3 * np.log(3 / 4)) / 8, call, because)


def test_labels_are_names_and_not_places(nce):
    source_labels, labels = [-1, -1, 7, 7, 2, 2], [30, 30, 10, 20, 30, -4]
    call = f"nce(source_labels, labels) with {shown(source_labels=source_labels, labels=labels)}"
    because = "−1 and 7 are two source labels like any other; of each of 7 and 2 one image in two is left to guess"
    expect(nce(source_labels, labels), -np.log(2) * 4 / 6, call, because)


def test_what_leaves_nothing_to_answer_is_refused(nce):
    call = "nce([0, 1, 1], [0, 1])"
    expect_refusal(lambda: nce([0, 1, 1], [0, 1]), call, "which of the three source labels belongs to which image?")
    call = "nce([0, 1, 1], [4, 4, 4])"
    expect_refusal(lambda: nce([0, 1, 1], [4, 4, 4]), call, "with one class every source is perfect, and the score a trap")
