"""What `direct_attribute_prediction` must do."""

import numpy as np
import pytest

from exercises.runner.expectations import expect, expect_refusal, expect_that, shown

TABLE = np.array([[1.0, 0.0, 1.0], [1.0, 1.0, 0.0], [0.0, 0.0, 0.0]])  # three classes, three attributes
SEEN = np.array([[0.9, 0.2, 0.7], [0.3, 0.6, 0.4]])  # two examples
PRIORS = np.array([0.75, 0.5, 0.2])


@pytest.fixture(scope="module")
def direct_attribute_prediction(answer):
    return answer


def test_one_example_and_one_class_by_hand(direct_attribute_prediction):
    p, table = np.array([[0.8, 0.1]]), np.array([[1.0, 0.0]])
    call = f"direct_attribute_prediction(p, table) with {shown(p=p, table=table)}"
    because = (
        "striped with 0.8, and the class is striped; long-necked with 0.1, and the class is not: log(0.8 · 0.9). Without "
        "priors nothing is taken off"
    )
    expect(direct_attribute_prediction(p, table), np.log([[0.8 * 0.9]]), call, because)


def test_every_example_is_scored_for_every_class(direct_attribute_prediction):
    call = f"direct_attribute_prediction(p, table) with {shown(p=SEEN, table=TABLE)}"
    expected = [[sum(np.log(p if a else 1 - p) for p, a in zip(row, z, strict=True)) for z in TABLE] for row in SEEN]
    because = "row x, column z: the logarithms of p where class z has the attribute and of 1 − p where it has not, summed"
    expect(direct_attribute_prediction(SEEN, TABLE), expected, call, because)


def test_an_attribute_that_was_likely_anyway_counts_less(direct_attribute_prediction):
    call = f"direct_attribute_prediction(p, table, attribute_priors=priors) with {shown(p=SEEN, table=TABLE, priors=PRIORS)}"
    ratios = np.where(TABLE[None] == 1, SEEN[:, None] / PRIORS, (1 - SEEN[:, None]) / (1 - PRIORS))
    because = "each p is divided by the prior of the attribute, each 1 − p by one less the prior; their logarithms are summed"
    expect(direct_attribute_prediction(SEEN, TABLE, attribute_priors=PRIORS), np.log(ratios).sum(-1), call, because)


def test_thousands_of_attributes_do_not_underflow(direct_attribute_prediction):
    table = np.zeros((2, 2000))
    table[1, ::2] = 1
    p = np.where(table == 1, 0.6, 0.4)
    call = "direct_attribute_prediction(p, table) with p.shape = (2, 2000), each p 0.6 or 0.4"
    because = "the product of 2,000 probabilities is 0 in float64; the sum of their logarithms is some −1,000"
    right, wrong = 2000 * np.log(0.6), 1000 * np.log(0.6) + 1000 * np.log(0.4)
    expect(direct_attribute_prediction(p, table), [[right, wrong], [wrong, right]], call, because)


def test_what_is_certain_and_wrong_is_far_behind_and_not_infinite(direct_attribute_prediction):
    p = np.array([[1.0, 0.0, 1.0]])
    call = f"direct_attribute_prediction(p, table) with {shown(p=p, table=TABLE)}"
    because = "a probability of 0 counts as np.finfo(np.float64).tiny: one contradiction is some −708, two are twice that"
    expect(direct_attribute_prediction(p, TABLE), np.log(np.finfo(np.float64).tiny) * np.array([[0, 2, 2]]), call, because)


def test_more_than_one_answer_may_not_change_the_scores_of_an_example(direct_attribute_prediction):
    whole = np.asarray(direct_attribute_prediction(SEEN, TABLE))
    alone = np.asarray(direct_attribute_prediction(SEEN[:1], TABLE))
    call = f"direct_attribute_prediction(p[:1], table) with {shown(p=SEEN, table=TABLE)}"
    expect(alone, whole[:1], call, "the scores of one example do not depend on which others are asked about")


@pytest.mark.parametrize(
    ("p", "table", "because"),
    [
        ([[1.5, 0.5, 0.5]], TABLE, "1.5 is no probability: 1 − p would be below 0, and its logarithm NaN"),
        ([[0.5, 0.5, 0.5]], TABLE / 2, "an attribute of 0.5 is neither there nor not"),
        ([[0.5, 0.5, 0.5]], TABLE[:, :1], "the table has one attribute, the examples have three"),
    ],
    ids=["probability", "attribute", "width"],
)
def test_what_is_no_description_is_refused(direct_attribute_prediction, p, table, because):
    call = f"direct_attribute_prediction(p, table) with {shown(p=np.array(p), table=table)}"
    expect_refusal(lambda: direct_attribute_prediction(np.array(p), table), call, because)


def test_a_prior_of_0_is_refused(direct_attribute_prediction):
    priors = np.array([0.0, 0.5, 0.5])
    call = f"direct_attribute_prediction(p, table, attribute_priors=priors) with {shown(p=SEEN, priors=priors)}"
    because = "an attribute that no class in training has cannot have been learned, and its logarithm is −∞"
    expect_refusal(lambda: direct_attribute_prediction(SEEN, TABLE, attribute_priors=priors), call, because)


def test_the_largest_score_is_of_the_class_described(direct_attribute_prediction):
    scores = np.asarray(direct_attribute_prediction(np.abs(TABLE - 0.1), TABLE))
    call = f"direct_attribute_prediction(p, table).argmax(1) with p = |table − 0.1|, {shown(table=TABLE)}"
    expect_that(
        scores.shape == (3, 3) and (scores.argmax(1) == np.arange(3)).all(),
        call,
        scores,
        "[0, 1, 2]",
        "each example has what its class has, with 0.9",
    )
