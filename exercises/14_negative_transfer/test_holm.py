"""What `holm` must do. The p-values are small whole parts, so that each result can be checked on paper."""

import numpy as np
import pytest

from exercises.runner.expectations import expect, expect_refusal, shown


@pytest.fixture(scope="module")
def holm(answer):
    def ask(p_values):
        value = answer(list(p_values))
        return np.array(value) if isinstance(value, list | tuple) else value

    return ask


@pytest.mark.parametrize(
    ("p_values", "adjusted", "because"),
    [
        ([0.01, 0.02, 0.1], [0.03, 0.04, 0.1], "three questions, then two that are left, then one: 3·0.01, 2·0.02, 1·0.1"),
        ([0.1, 0.01, 0.02], [0.1, 0.03, 0.04], "the same in another order: each result stays with its question"),
        ([0.01, 0.03, 0.031], [0.03, 0.06, 0.06], "1·0.031 would be below the 0.06 before it, and none may be"),
        ([0.5, 0.6, 0.8], [1.0, 1.0, 1.0], "3·0.5 is 1.5, and no probability is above 1"),
        (
            [0.01, 0.01, 0.04],
            [0.03, 0.03, 0.04],
            "equal p-values are two questions all the same: 3·0.01, and no less for the other",
        ),
        ([0.04], [0.04], "one question: nothing to adjust"),
        ([0.0, 1.0], [0.0, 1.0], "2·0 is 0, and 1·1 is 1"),
    ],
    ids=["in order", "another order", "never below the one before", "at most 1", "equal", "one", "ends"],
)
def test_the_smallest_counts_for_all_the_next_for_all_but_one(holm, p_values, adjusted, because):
    expect(holm(p_values), adjusted, f"holm(p_values) with {shown(p_values=p_values)}", because)


@pytest.mark.parametrize("p_values", [[0.5, 1.5], [-0.1, 0.2], [0.1, float("nan")]], ids=["above", "below", "nan"])
def test_what_is_no_probability_is_refused(holm, p_values):
    expect_refusal(lambda: holm(p_values), f"holm({p_values})", "a p-value lies between 0 and 1")
