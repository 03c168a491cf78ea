"""What `log_evidence` must do."""

import numpy as np
import pytest

from exercises.runner.expectations import expect, expect_refusal, expect_that, shown

RANDOM = np.random.default_rng(0)


def log_density(targets, covariance):
    """Of a normal distribution with mean 0: along the axes of the covariance its coordinates are independent."""
    variances, axes = np.linalg.eigh(np.array(covariance))
    return -0.5 * (np.log(2 * np.pi * variances) + (axes.T @ targets) ** 2 / variances).sum()


@pytest.fixture(scope="module")
def log_evidence(answer):
    def ask(features, targets, **precisions):
        with np.errstate(all="ignore"):  # a NaN that comes back says more than a warning
            value = answer(np.array(features, np.float64), np.array(targets, np.float64), **precisions)
        return value if value is None else np.float64(value)

    return ask


@pytest.mark.parametrize(("alpha", "beta", "variance"), [(1.0, 1.0, 5.0), (0.5, 1.0, 9.0), (1.0, 4.0, 4.25)])
def test_of_one_example_it_is_a_normal_density(log_evidence, alpha, beta, variance):
    call = f"log_evidence([[2.]], [1.], alpha={alpha}, beta={beta})"
    because = (
        f"target = 2 w + noise is normal with mean 0 and variance 4/α + 1/β = {variance}: "
        f"−½ (log 2π + log {variance} + 1² / {variance})"
    )
    expected = -0.5 * (np.log(2 * np.pi) + np.log(variance) + 1 / variance)
    expect(log_evidence([[2.0]], [1.0], alpha=alpha, beta=beta), expected, call, because)


def test_examples_are_alike_as_far_as_their_features_are(log_evidence):
    features, targets = [[1.0, 0.0], [1.0, 1.0], [0.0, 2.0]], [1.0, 2.0, -1.0]
    covariance = [[2.5, 2.0, 0.0], [2.0, 4.5, 4.0], [0.0, 4.0, 8.5]]
    expected = log_density(targets, covariance)
    call = f"log_evidence(features, targets, alpha=0.5, beta=2.0) with {shown(features=features, targets=targets)}"
    because = "the targets are normal with mean 0 and covariance I/β + features · featuresᵀ/α = " + str(covariance)
    expect(log_evidence(features, targets, alpha=0.5, beta=2.0), expected, call, because)


def test_a_density_is_1_when_all_that_could_come_is_added_up(log_evidence):
    grid = np.linspace(-30, 30, 241)
    values = np.array([log_evidence([[1.0, 2.0]], [target], alpha=1.0, beta=0.5) for target in grid])
    total = float(np.exp(values).sum() * (grid[1] - grid[0]))
    call = "Σ exp log_evidence([[1., 2.]], [target], alpha=1.0, beta=0.5) · step over a grid of targets"
    because = "the weights are averaged over, not fitted: what goes to one target is taken from another"
    expect_that(abs(total - 1) < 1e-3, call, total, "1", because)


def test_useless_features_cost_something(log_evidence):
    """The point of it: a likelihood at the best weights could only rise."""
    targets = RANDOM.normal(size=10)
    few, many = RANDOM.normal(size=(10, 1)), RANDOM.normal(size=(10, 30))
    covariance = np.eye(10) + many @ many.T
    expected = log_density(targets, covariance)
    call = (
        "log_evidence(features, targets, alpha=1.0, beta=1.0) with 30 random features of 10 examples, unrelated to the targets"
    )
    value = log_evidence(many, targets, alpha=1.0, beta=1.0)
    expect(value, expected, call, "also with more features than examples it is the density of N(0, I/β + F·Fᵀ/α)")
    fewer = log_evidence(few, targets, alpha=1.0, beta=1.0)
    expect_that(
        fewer > value, call, value, f"less than with one such feature, {fewer:.3f}", "each makes other targets likelier"
    )


def test_a_determinant_too_small_for_float64_is_no_hindrance(log_evidence):
    features, targets = np.zeros((400, 1)), np.zeros(400)
    call = "log_evidence(features, targets, alpha=1.0, beta=1e4) with features and targets of 0, 400 of them"
    because = "det C = 10^−1600 is 0 in float64, its logarithm is −3684: np.linalg.slogdet computes that without det C"
    expected = 200 * (np.log(1e4) - np.log(2 * np.pi))
    expect(log_evidence(features, targets, alpha=1.0, beta=1e4), expected, call, because)


@pytest.mark.parametrize(("alpha", "beta"), [(-1.0, 1.0), (1.0, -1.0), (np.nan, 1.0), (0.0, 1.0)])
def test_a_precision_that_is_not_above_0_is_refused(log_evidence, alpha, beta):
    call = f"log_evidence([[1.], [2.]], [1., 0.], alpha={alpha}, beta={beta})"
    because = "there is no variance of 1/0, of less than 0, or of NaN"
    expect_refusal(lambda: log_evidence([[1.0], [2.0]], [1.0, 0.0], alpha=alpha, beta=beta), call, because)


def test_a_row_without_a_target_is_refused(log_evidence):
    call = "log_evidence([[1.], [2.]], [1.], alpha=1.0, beta=1.0)"
    because = "one target for two rows would be used twice, in silence"
    expect_refusal(lambda: log_evidence([[1.0], [2.0]], [1.0], alpha=1.0, beta=1.0), call, because)
