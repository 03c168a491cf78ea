"""What `reversal_schedule` must do."""

import numpy as np
import pytest

from exercises.runner.expectations import expect, expect_refusal, expect_that


@pytest.fixture(scope="module")
def reversal_schedule(answer):
    return answer


def test_it_begins_with_nothing(reversal_schedule):
    because = "e⁰ = 1 and 2 / 2 − 1 = 0: at the first step the domain classifier knows nothing, and its gradient is noise"
    expect(np.asarray(reversal_schedule(0.0)), 0, "reversal_schedule(0.0)", because)


@pytest.mark.parametrize(("progress", "value"), [(0.1, 0.46212), (0.25, 0.84828), (0.5, 0.98661), (1.0, 0.99991)])
def test_it_is_its_formula(reversal_schedule, progress, value):
    because = f"2 / (1 + e^(−10 · {progress})) − 1"
    expect(np.asarray(reversal_schedule(progress)), value, f"reversal_schedule({progress})", because, atol=1e-4)


def test_it_rises_and_stays_below_1(reversal_schedule):
    values = np.array([reversal_schedule(progress) for progress in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)])
    call = "reversal_schedule(progress) for progress = 0, 0.2, …, 1"
    expect_that((np.diff(values) > 0).all() and values[-1] < 1, call, values, "each above the one before, none at 1")


@pytest.mark.parametrize("progress", [-0.1, 1.5, 800.0, float("nan")])
def test_a_share_that_is_none_is_refused(reversal_schedule, progress):
    because = "progress is a share. Who passes the step in place of step / steps has full strength from the second step on"
    expect_refusal(lambda: reversal_schedule(progress), f"reversal_schedule({progress})", because)
