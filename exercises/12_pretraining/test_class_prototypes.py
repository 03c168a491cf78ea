"""What `class_prototypes` must do."""

import warnings

import numpy as np
import pytest

from exercises.runner.expectations import expect, expect_refusal, shown


@pytest.fixture(scope="module")
def class_prototypes(answer):
    def ask(features, labels, classes):
        with warnings.catch_warnings():  # a NaN that comes back says more than a warning
            warnings.simplefilter("ignore")
            return answer(features, labels, classes)

    return ask


def test_a_prototype_is_the_mean_of_its_class(class_prototypes):
    features, labels = np.array([[1.0, 2.0], [3.0, 9.0], [5.0, 1.0], [10.0, 20.0]]), np.array([0, 0, 0, 1])
    call = f"class_prototypes(features, labels, 2) with {shown(features=features, labels=labels)}"
    because = "class 0 has three rows, whose mean is [9, 12] / 3; class 1 has one, which is its own mean"
    expect(class_prototypes(features, labels, 2), [[3, 4], [10, 20]], call, because)


def test_row_c_belongs_to_class_c(class_prototypes):
    features, labels = np.array([[7.0], [0.0], [5.0], [2.0]]), np.array([2, 0, 1, 0])
    call = f"class_prototypes(features, labels, 3) with {shown(features=features, labels=labels)}"
    expect(class_prototypes(features, labels, 3), [[1], [5], [7]], call, "the rows go by the number of the class")


@pytest.mark.parametrize("labels", [[0, 0, 2], [0, 1, 1]], ids=["in between", "the last"])
def test_a_class_without_an_example_is_refused(class_prototypes, labels):
    features = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    call = f"class_prototypes(features, labels, 3) with {shown(labels=labels)}"
    because = "nothing is known of a class without an example: any row for it would be made up, and could be the nearest"
    expect_refusal(lambda: class_prototypes(features, np.array(labels), 3), call, because)


@pytest.mark.parametrize("labels", [[-1, 0, 1], [0, 1, 2]], ids=["below", "above"])
def test_a_label_outside_the_classes_is_refused(class_prototypes, labels):
    features = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    call = f"class_prototypes(features, labels, 2) with {shown(labels=labels)}"
    because = "with two classes the labels are 0 and 1; another one is a mistake somewhere before"
    expect_refusal(lambda: class_prototypes(features, np.array(labels), 2), call, because)


def test_as_many_labels_as_rows(class_prototypes):
    def attempt():
        try:
            return class_prototypes(np.array([[1.0], [2.0], [3.0]]), np.array([0, 1]), 2)
        except IndexError as error:
            return f"IndexError: {error}"

    call = "class_prototypes(features, labels, 2) with 3 rows of features and 2 labels"
    expect_refusal(attempt, call, "of which class is the third row? Say so before NumPy stumbles over it, or does not")
