"""Samples counted at their modes, and two sets of them compared as Gaussians."""

import numpy as np
import pytest
import scipy.linalg

from nn.training import frechet_distance, mode_counts

random = np.random.default_rng(0)
MODES = np.array([[0.0, 0.0], [3.0, 4.0], [10.0, 0.0]])


def test_a_sample_counts_at_its_nearest_mode_and_beyond_the_radius_nowhere():
    samples = np.array([[0.6, 0.8], [0.0, 0.9], [2.4, 3.2], [20.0, 0.0], [6.5, 2.0]])
    np.testing.assert_array_equal(mode_counts(samples, MODES, 1.0), [2, 1, 0])
    np.testing.assert_array_equal(mode_counts(samples, MODES, 0.95), [1, 0, 0])
    np.testing.assert_array_equal(mode_counts(samples, MODES, 100.0), [2, 2, 1])  # each once, however many are in reach
    np.testing.assert_array_equal(mode_counts(samples[:0], MODES, 1.0), [0, 0, 0])


@pytest.mark.parametrize(("samples", "modes", "radius"), [((5, 2), (3, 3), 1.0), ((5, 2), (0, 2), 1.0), ((5, 2), (3, 2), 0.0)])
def test_modes_of_another_space_or_a_radius_of_nothing_are_refused(samples, modes, radius, without_type_checks):
    with pytest.raises(ValueError, match=r"mode_counts expects .* got shapes \(5, 2\) and"):
        mode_counts(np.zeros(samples), np.zeros(modes), radius)


def test_the_distance_of_a_set_to_itself_is_0_and_to_itself_moved_the_length_squared():
    features = random.normal(size=(40, 3)) @ random.normal(size=(3, 3))
    assert frechet_distance(features, features) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(features, features + np.array([3.0, 0.0, 4.0])) == pytest.approx(25)


def test_the_distance_of_a_set_to_itself_stretched_is_that_of_the_standard_deviations_squared():
    features = random.normal(size=(40, 1))
    spread = features.std(ddof=1)
    moved = (2 * features.mean()) ** 2
    assert frechet_distance(features, 3 * features) == pytest.approx((2 * spread) ** 2 + moved)


def test_the_distance_is_the_published_formula_and_the_same_both_ways():
    first = random.normal(size=(50, 4)) @ random.normal(size=(4, 4))
    second = random.normal(1, 2, (30, 4)) @ random.normal(size=(4, 4))
    c, d = np.cov(first, rowvar=False), np.cov(second, rowvar=False)
    root = scipy.linalg.sqrtm(c @ d)
    expected = ((first.mean(0) - second.mean(0)) ** 2).sum() + np.trace(c + d - 2 * root.real)
    assert frechet_distance(first, second) == pytest.approx(expected, rel=1e-6)
    assert frechet_distance(second, first) == pytest.approx(expected, rel=1e-6)


def test_fewer_examples_than_features_leave_the_distance_a_number():
    first, second = random.normal(size=(3, 8)), random.normal(size=(4, 8))
    assert 0 < frechet_distance(first, second) < np.inf


@pytest.mark.parametrize("shapes", [((5, 2), (5, 3)), ((1, 2), (5, 2)), ((5, 2), (1, 2))], ids=str)
def test_sets_that_have_no_such_distance_are_refused(shapes, without_type_checks):
    with pytest.raises(ValueError, match=r"frechet_distance expects two sets of at least two examples"):
        frechet_distance(*map(np.zeros, shapes))
