"""Each score against a second computation that shares nothing with it, and what must not matter to it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.strategies import integers
from scipy.optimize import minimize
from scipy.special import logsumexp
from scipy.stats import multivariate_normal, norm
from sklearn.feature_selection import f_classif
from sklearn.metrics import mutual_info_score

from transfer.transferability import cka, h_score, leep, log_evidence, log_me, nce

seeds = integers(0, 2**32 - 1)
few = settings(max_examples=25, deadline=None)
FEATURE_SCORES = {"log_me": log_me, "h_score": h_score}


def task(seed, examples=40, width=5, classes=3, signal=1.0):
    """Features around class centres, not around 0, and their labels: each class at least twice, in no order."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(examples) % classes)
    return signal * rng.normal(size=(classes, width))[labels] + rng.normal(size=(examples, width)) + 1, labels


def source_probabilities(seed, examples=40, source=6):
    """Softmax of random scores."""
    return np.random.default_rng(seed + 1).dirichlet(np.full(source, 0.3), size=examples)


def rotation(seed, width=5):
    return np.linalg.qr(np.random.default_rng(seed + 2).normal(size=(width, width)))[0]


def entropy(labels):
    shares = np.unique(labels, return_counts=True)[1] / len(labels)
    return -(shares * np.log(shares)).sum()


# --- log_evidence and log_me ---


@few
@given(seeds)
def test_the_evidence_is_the_density_of_targets_whose_weights_are_averaged_over(seed):
    x, y = task(seed, examples=12)
    alpha, beta = np.exp(np.random.default_rng(seed).normal(size=2))
    covariance = np.eye(12) / beta + x @ x.T / alpha
    expected = multivariate_normal(np.zeros(12), covariance).logpdf(y)
    assert log_evidence(x, y.astype(float), alpha=alpha, beta=beta) == pytest.approx(expected, abs=1e-8)
    # With one weight the average can be taken by hand, over a fine grid of its values.
    w = np.linspace(-30, 30, 20_001) / np.sqrt(alpha)
    joint = norm.logpdf(w, scale=alpha**-0.5) + norm.logpdf(y[:, None], w * x[:, :1], beta**-0.5).sum(0)
    expected = logsumexp(joint) + np.log(w[1] - w[0])
    assert log_evidence(x[:, :1], y.astype(float), alpha=alpha, beta=beta) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("examples", "width", "classes", "signal"), [(24, 4, 3, 1.0), (24, 4, 3, 0.0), (12, 20, 2, 1.0), (12, 20, 3, 0.0)]
)
def test_log_me_is_the_largest_evidence_that_a_search_finds(examples, width, classes, signal):
    x, y = task(0, examples, width, classes, signal)

    def evidence(logarithms, target):
        alpha, beta = np.exp(logarithms)
        return multivariate_normal(np.zeros(examples), np.eye(examples) / beta + x @ x.T / alpha).logpdf(target)

    largest = []
    for c in range(classes):
        searches = [
            # Without bounds it would walk after an α of infinity, where the features are of no use.
            minimize(lambda p, c=c: -evidence(p, y == c), start, method="Nelder-Mead", bounds=[(-12, 12)] * 2)
            for start in [(-2, 0), (-2, 4), (3, 0), (3, 4)]
        ]
        largest.append(max(-search.fun for search in searches))
    assert log_me(x, y) == pytest.approx(np.mean(largest) / examples, abs=1e-4)


@few
@given(seeds)
def test_no_other_alpha_and_beta_have_more_evidence(seed):
    x, y = task(seed)
    alpha, beta = np.exp(2 * np.random.default_rng(seed).normal(size=2))
    other = np.mean([log_evidence(x, (y == c).astype(float), alpha=alpha, beta=beta) for c in range(3)]) / len(y)
    assert other <= log_me(x, y) + 1e-9


def test_features_without_anything_in_them_leave_noise_alone():
    """Then the best that a normal density of mean 0 can do is the variance of the targets, their share of ones."""
    y = np.array([0] * 6 + [1] * 3 + [2])
    expected = np.mean([-0.5 * (np.log(2 * np.pi * share) + 1) for share in (0.6, 0.3, 0.1)])
    assert log_me(np.zeros((10, 4)), y) == pytest.approx(expected, abs=1e-6)


def test_features_that_give_the_labels_away_have_a_large_log_me_and_not_an_infinite_one():
    x, y = task(0)
    assert np.isfinite(log_me(np.eye(3)[y], y))
    assert log_me(np.eye(3)[y], y) > log_me(x, y) + 1 > log_me(task(1)[0], y) + 1


# --- the H-score ---


@few
@given(seeds)
def test_the_h_score_is_the_trace_of_its_definition(seed):
    x, y = task(seed)
    means = np.stack([x[y == c].mean(0) for c in range(3)])[y]
    definition = np.trace(np.linalg.inv(np.cov(x.T)) @ np.cov(means.T))
    assert h_score(x, y) == pytest.approx(definition, abs=1e-8)


@few
@given(seeds)
def test_the_h_score_of_one_feature_is_the_share_of_variance_between_classes(seed):
    x, y = task(seed, width=1)
    (f,), _ = f_classif(x, y)  # F = share / (1 − share) · (n − k) / (k − 1)
    odds = f * 2 / 37
    assert h_score(x, y) == pytest.approx(odds / (1 + odds), abs=1e-9)


@few
@given(seeds)
def test_no_invertible_map_of_the_features_changes_the_h_score(seed):
    x, y = task(seed)
    rng = np.random.default_rng(seed)
    mapping = rotation(seed) @ np.diag(rng.uniform(0.2, 5, 5)) @ rotation(seed + 7)
    assert h_score(x @ mapping + rng.normal(size=5), y) == pytest.approx(h_score(x, y), abs=1e-8)
    # LogME takes a common scale and a rotation for nothing; a stretch of one direction is not.
    assert abs(log_me(x * [1, 1, 1, 1, 100], y) - log_me(x, y)) > 1e-6


@few
@given(seeds, integers(2, 6))
def test_the_h_score_lies_between_0_and_one_less_than_the_classes(seed, classes):
    x, y = task(seed, classes=classes)
    assert 0 <= h_score(x, y) <= classes - 1
    assert h_score(np.eye(classes)[y], y) == pytest.approx(classes - 1)
    # More features than examples: any labels whatever can be read off, and the score knows nothing.
    noise = np.random.default_rng(seed).normal(size=(40, 60))
    assert h_score(noise, y) == pytest.approx(classes - 1)


def test_features_of_single_precision_do_not_turn_rounding_into_directions():
    """Two features and a sum of theirs: the third direction is rounding, and would count as much as a true one."""
    x, y = task(0, width=2)
    doubled = np.concatenate([x, x @ [[1.0], [0.3]]], 1).astype(np.float32)
    assert h_score(doubled, y) == pytest.approx(h_score(x, y), abs=1e-4)


# --- what both scores of features ignore ---


@pytest.mark.parametrize("score", FEATURE_SCORES.values(), ids=FEATURE_SCORES)
@few
@given(seeds)
def test_neither_order_nor_names_nor_rotation_nor_scale_matter(score, seed):
    x, y = task(seed)
    rng = np.random.default_rng(seed)
    order, names = rng.permutation(len(y)), rng.permutation(3) * 10 - 5
    value = score(x, y)
    assert score(x[order], names[y][order]) == pytest.approx(value, abs=1e-7)
    assert score(1e3 * x @ rotation(seed), y) == pytest.approx(value, abs=1e-7)


@pytest.mark.parametrize("score", FEATURE_SCORES.values(), ids=FEATURE_SCORES)
def test_features_that_are_always_0_add_nothing(score):
    x, y = task(0)
    assert score(np.concatenate([x, np.zeros((40, 3))], 1), y) == pytest.approx(score(x, y), abs=1e-9)


def test_a_constant_feature_is_nothing_to_the_h_score_and_an_intercept_to_log_me():
    x, y = task(0)
    with_constant = np.concatenate([x, np.full((40, 1), 7.0)], 1)
    assert h_score(with_constant, y) == pytest.approx(h_score(x, y), abs=1e-9)
    assert h_score(with_constant[:, -1:], y) == 0
    centred = x - x.mean(0)
    assert log_me(np.concatenate([centred, np.ones((40, 1))], 1), y) > log_me(centred, y)


# --- LEEP and NCE ---


@few
@given(seeds)
def test_leep_is_what_its_three_steps_give_one_number_at_a_time(seed):
    (_, y), theta = task(seed), source_probabilities(seed)
    n, source = theta.shape
    joint = [[sum(theta[i, z] for i in range(n) if y[i] == c) / n for z in range(source)] for c in range(3)]
    given = [[joint[c][z] / sum(joint[k][z] for k in range(3)) for z in range(source)] for c in range(3)]
    expected = [sum(given[y[i]][z] * theta[i, z] for z in range(source)) for i in range(n)]
    assert leep(theta, y) == pytest.approx(np.mean([np.log(p) for p in expected]), abs=1e-10)


@few
@given(seeds)
def test_nce_is_mutual_information_less_the_entropy_of_the_labels(seed):
    _, y = task(seed)
    z = np.random.default_rng(seed).integers(0, 5, len(y))
    assert nce(z, y) == pytest.approx(mutual_info_score(z, y) - entropy(y), abs=1e-10)


@few
@given(seeds)
def test_leep_of_a_network_that_is_always_sure_is_nce(seed):
    _, y = task(seed)
    z = np.random.default_rng(seed).integers(0, 5, len(y))
    assert leep(np.eye(8)[z], y) == pytest.approx(nce(z, y), abs=1e-12)  # three source classes that never come


@few
@given(seeds)
def test_leep_and_nce_are_at_most_0_and_know_no_names(seed):
    (_, y), theta = task(seed), source_probabilities(seed)
    rng = np.random.default_rng(seed)
    z, names = theta.argmax(1), rng.permutation(6)
    assert leep(theta, y) <= 0 and nce(z, y) <= 0
    assert leep(theta[:, names], 10 - y) == pytest.approx(leep(theta, y), abs=1e-12)
    assert nce(names[z] - 3, 10 - y) == pytest.approx(nce(z, y), abs=1e-12)
    # A source class cut in two, by chance alone, has told nothing more; two that are made one can only tell less.
    halves = np.concatenate([theta[:, :1] / 2, theta[:, :1] / 2, theta[:, 1:]], 1)
    assert leep(halves, y) == pytest.approx(leep(theta, y), abs=1e-12)
    assert nce(z // 2, y) <= nce(z, y) + 1e-12


def test_they_are_0_where_the_source_decides_and_minus_the_entropy_where_it_says_nothing():
    _, y = task(0)
    assert leep(np.eye(6)[[3, 0, 5]][y], y) == nce(y * 2 + 1, y) == 0
    assert leep(np.full((40, 6), 1 / 6), y) == pytest.approx(-entropy(y))
    assert nce(np.zeros(40, int), y) == pytest.approx(-entropy(y))


def test_leep_takes_the_softmax_of_single_precision_and_not_the_scores():
    (_, y), theta = task(0), source_probabilities(0)
    assert leep(theta.astype(np.float32), y) == pytest.approx(leep(theta, y), abs=1e-5)
    with pytest.raises(ValueError, match=r"rows of probabilities, .* a sum of 2 in row .* Take the softmax"):
        leep(2 * theta, y)
    with pytest.raises(ValueError, match="-1 as the smallest"):
        leep(np.array([[2.0, -1.0], [0.5, 0.5]]), np.array([0, 1]))


# --- CKA ---


@few
@given(seeds)
def test_cka_is_the_aligned_dependence_of_two_kernels(seed):
    """Through n × n kernels and the centring matrix, as the Hilbert-Schmidt independence criterion has it."""
    x, y = task(seed)[0], task(seed + 1, width=7)[0]
    centring = np.eye(40) - 1 / 40

    def hsic(k, other):
        return np.trace(k @ centring @ other @ centring)

    k, other = x @ x.T, y @ y.T
    expected = hsic(k, other) / np.sqrt(hsic(k, k) * hsic(other, other))
    assert cka(x, y) == pytest.approx(expected, abs=1e-10)
    assert 0 <= cka(x, y) <= 1
    assert cka(y, x) == pytest.approx(cka(x, y), abs=1e-12)


@few
@given(seeds)
def test_cka_ignores_rotations_a_common_scale_and_shifts_and_not_every_linear_map(seed):
    x, y = task(seed)[0], task(seed + 1, width=7)[0]
    assert cka(-3 * x @ rotation(seed) + 5, y) == pytest.approx(cka(x, y), abs=1e-9)
    assert cka(x, x @ rotation(seed)) == pytest.approx(1)
    assert cka(x, x * [1, 1, 1, 1, 30]) < 0.99


# --- what is refused ---


def test_what_is_not_two_classes_of_finite_numbers_is_refused(monkeypatch):
    monkeypatch.setattr("jaxtyping.config.jaxtyping_disable", True)  # past the checker of types, to our own
    x, y = task(0)
    theta = source_probabilities(0)
    broken, one_class = x.copy(), np.zeros(40, int)
    broken[3, 1] = np.nan
    for score in (log_me, h_score, leep):
        name, given = score.__name__, theta if score is leep else x
        with pytest.raises(ValueError, match=rf"{name} expects finite numbers, got NaN or an infinity in row 3"):
            score(broken, y)
        with pytest.raises(ValueError, match=rf"{name} expects labels of at least two classes, got \[0\]"):
            score(given, one_class)
        with pytest.raises(ValueError, match=rf"{name} expects a row .* a label for each example, got shapes .* and \(39,\)"):
            score(given, y[:-1])
    with pytest.raises(ValueError, match=r"nce expects labels of at least two classes, got \[0\]"):
        nce(y, one_class)
    with pytest.raises(ValueError, match=r"nce expects a source label for each label, got .*\(40,\), .*\(39,\)"):
        nce(y, y[:-1])
    with pytest.raises(ValueError, match="cka expects finite features, got NaN or an infinity in y"):
        cka(x, broken)
    with pytest.raises(ValueError, match=r"a row for each image, got x.shape=\(40, 5\), y.shape=\(39, 5\)"):
        cka(x, x[:-1])
    with pytest.raises(ValueError, match="features that differ between images, got 40 equal rows in x"):
        cka(np.full((40, 2), 0.1), x)
    with pytest.raises(ValueError, match=r"a target for each row, got .*\(40, 5\), .*\(39,\)"):
        log_evidence(x, y[:-1].astype(float), alpha=1.0, beta=1.0)
    with pytest.raises(ValueError, match=r"alpha and beta above 0, got alpha=0\.0, beta=1\.0"):
        log_evidence(x, y.astype(float), alpha=0.0, beta=1.0)
