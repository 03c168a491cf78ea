"""Distances between domains: against their definitions in float64, what they see, and what they must not see."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from transfer.domain_distances import coral_distance, mmd, proxy_a_distance

BANDWIDTHS = (0.5, 1.0, 3.0)


def samples(seed=0, counts=(30, 20), width=4):
    """Two sets of features of different spread and centre."""
    rng = np.random.default_rng(seed)
    source = rng.normal(size=(counts[0], width)) @ rng.normal(size=(width, width))
    return source.astype(np.float32), (rng.normal(size=(counts[1], width)) + 0.5).astype(np.float32)


def test_coral_is_the_squared_distance_of_the_covariances():
    source, target = samples()
    covariances = [np.cov(x.astype(np.float64), rowvar=False) for x in (source, target)]
    expected = ((covariances[0] - covariances[1]) ** 2).sum() / (4 * 4**2)
    np.testing.assert_allclose(coral_distance(source, target), expected, rtol=1e-5)
    np.testing.assert_allclose(coral_distance(target, source), expected, rtol=1e-5)


def test_coral_is_zero_where_the_covariances_agree_and_not_elsewhere():
    source, _ = samples()
    rotation, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(4, 4)))
    assert coral_distance(source, source) == 0
    assert coral_distance(source, 3 - source) < 1e-9  # turned over and moved: another distribution, the same covariance
    assert coral_distance(source, source @ rotation.astype(np.float32)) > 0.01
    # Fourth power: covariances grow with the square of the features, and are squared again.
    doubled = coral_distance(2 * source, 2 * samples()[1])
    np.testing.assert_allclose(doubled, 16 * coral_distance(*samples()), rtol=1e-4)


def gaussian_kernel(x, y):
    distance = sum((float(a) - float(b)) ** 2 for a, b in zip(x, y, strict=True))
    return np.mean([np.exp(-distance / (2 * width**2)) for width in BANDWIDTHS])


@pytest.mark.parametrize("unbiased", [False, True])
def test_mmd_is_its_double_sums(unbiased):
    source, target = samples(counts=(9, 7))

    def within(x):
        pairs = [gaussian_kernel(a, b) for i, a in enumerate(x) for j, b in enumerate(x) if not unbiased or i != j]
        return sum(pairs) / len(pairs)

    between = np.mean([gaussian_kernel(a, b) for a in source for b in target])
    expected = within(source) + within(target) - 2 * between
    np.testing.assert_allclose(mmd(source, target, BANDWIDTHS, unbiased=unbiased), expected, atol=1e-6)
    np.testing.assert_allclose(mmd(target, source, jnp.array(BANDWIDTHS), unbiased=unbiased), expected, atol=1e-6)


def test_mmd_does_not_change_when_both_samples_move():
    source, target = samples()
    by = np.float32(1000)
    # float32 keeps four digits behind the point at 1,000, in the features themselves.
    np.testing.assert_allclose(mmd(source + by, target + by, BANDWIDTHS), mmd(source, target, BANDWIDTHS), atol=1e-3)


def test_mmd_of_a_sample_with_itself_is_zero_and_never_below():
    source, target = samples()
    assert abs(float(mmd(source, source, BANDWIDTHS))) < 1e-6
    assert mmd(source, target, BANDWIDTHS) > 0.01
    assert mmd(source, source, BANDWIDTHS, unbiased=True) < 0  # one sample twice is more alike than two draws would be


def test_unbiased_mmd_is_zero_on_average_and_the_biased_one_is_not():
    """500 pairs of draws from one distribution; five standard errors: one false alarm in two million."""
    draws = jax.random.normal(jax.random.key(0), (500, 2, 12, 3))
    both = jax.vmap(lambda x: (mmd(x[0], x[1], (1.0,), unbiased=True), mmd(x[0], x[1], (1.0,))))
    right, high = (np.asarray(values) for values in jax.jit(both)(draws))
    assert abs(right.mean()) < 5 * right.std() / np.sqrt(500)
    assert right.min() < 0 < high.min() and high.mean() > 0.05


def test_mmd_sees_what_means_and_covariances_do_not():
    rng = np.random.default_rng(0)
    normal = rng.normal(size=(400, 1)).astype(np.float32)
    signs = np.repeat(np.float32([[-1], [1]]), 200, 0)  # the same mean and variance
    normal = (normal - normal.mean()) / normal.std()
    assert coral_distance(normal, signs) < 1e-6
    assert mmd(normal, signs, (0.5,)) > 0.1


def test_the_proxy_distance_is_0_for_one_distribution_and_2_for_two_that_do_not_overlap():
    """Errors of 1,000 coin throws: 0.2 is more than three standard deviations."""
    rng = np.random.default_rng(0)
    one, other = (rng.normal(size=(1000, 5)).astype(np.float32) for _ in range(2))
    assert abs(proxy_a_distance(one, other, seed=0)) < 0.2
    assert proxy_a_distance(one, other + 10, seed=0) == 2
    assert 0.4 < proxy_a_distance(one, other + np.float32([1, 0, 0, 0, 0]), seed=0) < 1.2  # right for Φ(½) = 69%: 0.77
    np.testing.assert_allclose(proxy_a_distance(one, other + 1, seed=0), proxy_a_distance(other + 1, one, seed=0), atol=0.2)


def test_neither_a_larger_set_nor_what_is_learned_by_heart_makes_a_distance():
    rng = np.random.default_rng(0)
    assert abs(proxy_a_distance(rng.normal(size=(5000, 3)), rng.normal(size=(400, 3)), seed=0)) < 0.3
    # More features than examples: on its own examples a linear classifier makes no mistake, whatever they are.
    wide = [proxy_a_distance(rng.normal(size=(60, 200)), rng.normal(size=(60, 200)), seed=seed) for seed in range(5)]
    assert abs(np.mean(wide)) < 0.5


def test_the_seed_decides_the_halves():
    source, target = samples(counts=(40, 60))
    distances = [proxy_a_distance(source, target, seed=seed) for seed in (0, 0, *range(1, 8))]
    assert distances[0] == distances[1] and len(set(distances)) > 1


@pytest.mark.parametrize(
    ("distance", "name"),
    [
        (coral_distance, "coral_distance"),
        (lambda x, y: mmd(x, y, (1.0,)), "mmd"),
        (lambda x, y: proxy_a_distance(x, y, seed=0), "proxy_a_distance"),
    ],
)
def test_samples_that_cannot_be_compared_are_refused(distance, name, monkeypatch):
    monkeypatch.setattr("jaxtyping.config.jaxtyping_disable", True)  # past the checker of types, to our own
    x = np.ones((6, 3), np.float32)
    with pytest.raises(ValueError, match=rf"{name} expects two sets of features of one width.*got \(6, 3\) and \(6, 2\)"):
        distance(x, x[:, :2])
    with pytest.raises(ValueError, match=rf"{name} expects at least [24] examples of each, got 6 and 1"):
        distance(x, x[:1])


@pytest.mark.parametrize("bandwidths", [(), (1.0, 0.0), (-1.0,), (float("nan"),)], ids=str)
def test_bandwidths_that_see_nothing_are_refused(bandwidths):
    with pytest.raises(ValueError, match=r"mmd expects bandwidths above 0, at least one, got \["):
        mmd(*samples(), bandwidths)
