"""What `mode_counts` must do."""

import numpy as np
import pytest

from exercises.runner.expectations import expect, expect_refusal, shown

MODES = np.array([[0.0, 0.0], [4.0, 0.0], [0.0, 8.0]])


@pytest.fixture(scope="module")
def mode_counts(answer):
    return answer


def call_of(samples, radius):
    return f"mode_counts(samples, modes, radius) with {shown(samples=samples, modes=MODES, radius=radius)}"


def test_samples_count_at_their_mode_and_elsewhere_nowhere(mode_counts):
    samples = np.array([[0.3, 0.4], [0.0, 0.7], [4.0, 0.9], [2.0, 3.0], [0.8, 0.8]])
    because = "distances 0.5 and 0.7 from the first mode, 0.9 from the second. (2, 3) is near none, and (0.8, 0.8) is 1.13 away"
    expect(mode_counts(samples, MODES, 1.0), [2, 1, 0], call_of(samples, 1.0), because)


@pytest.mark.parametrize("radius", [0.5, 2.0])
def test_the_radius_is_a_distance_and_belongs_to_the_mode(mode_counts, radius):
    samples = np.array([[radius, 0.0], [1.5, 0.0]]) if radius < 1 else np.array([[0.0, 10.0], [0.0, 5.9]])
    because = "no further than the radius: a sample at exactly the radius counts, one beyond it does not"
    expected = [1, 0, 0] if radius < 1 else [0, 0, 1]
    expect(mode_counts(samples, MODES, radius), expected, call_of(samples, radius), because)


def test_a_sample_in_reach_of_several_modes_counts_once_at_the_nearest(mode_counts):
    samples = np.array([[1.0, 0.0], [3.0, 0.0], [3.5, 0.0]])
    because = "all three are within 5 of the first and of the second mode; each counts once, where it is nearest"
    expect(mode_counts(samples, MODES, 5.0), [1, 2, 0], call_of(samples, 5.0), because)


def test_without_samples_every_mode_was_forgotten(mode_counts):
    samples = np.zeros((0, 2))
    because = "one number for each mode, 0 where nothing is: these are the modes that one looks for"
    expect(mode_counts(samples, MODES, 1.0), [0, 0, 0], call_of(samples, 1.0), because)


@pytest.mark.parametrize(
    ("samples", "modes", "radius"),
    [((2, 1), (3, 2), 1.0), ((2, 2), (0, 2), 1.0), ((2, 2), (3, 2), 0.0), ((2, 2), (3, 2), np.nan)],
)
def test_other_features_no_modes_and_no_radius_are_refused(mode_counts, samples, modes, radius):
    call = f"mode_counts(samples, modes, radius) with samples.shape = {samples}, modes.shape = {modes}, radius = {radius}"
    because = "points of another space would broadcast; without modes, or a radius above 0, there is nothing to count"
    expect_refusal(lambda: mode_counts(np.ones(samples), np.ones(modes), radius), call, because)
