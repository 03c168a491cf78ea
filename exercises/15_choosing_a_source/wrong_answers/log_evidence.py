"""Wrong answers to `log_evidence` that a student writes; exercises.toml says what is wrong with each."""

import numpy as np


def alpha_and_beta_swapped(features, targets, *, alpha, beta):
    return _density(targets, _covariance(features, beta, alpha))


def variances_for_precisions(features, targets, *, alpha, beta):
    return _density(targets, _covariance(features, 1 / alpha, 1 / beta))


def best_weights(features, targets, *, alpha, beta):
    residual = targets - features @ np.linalg.lstsq(features, targets, rcond=None)[0]
    return _density(residual, np.eye(len(targets)) / beta)


def determinant_underflows(features, targets, *, alpha, beta):
    covariance = _covariance(features, alpha, beta)
    quadratic = targets @ np.linalg.solve(covariance, targets)
    return -0.5 * (len(targets) * np.log(2 * np.pi) + np.log(np.linalg.det(covariance)) + quadratic)


def constant_left_out(features, targets, *, alpha, beta):
    return _density(targets, _covariance(features, alpha, beta)) + 0.5 * len(targets) * np.log(2 * np.pi)


def half_of_the_determinant_forgotten(features, targets, *, alpha, beta):
    covariance = _covariance(features, alpha, beta)
    return _density(targets, covariance) - 0.5 * np.linalg.slogdet(covariance)[1]


def square_root_of_noise(features, targets, *, alpha, beta):
    return _density(targets, _covariance(features, alpha, np.sqrt(beta)))


def one_example_on_average(features, targets, *, alpha, beta):
    return _density(targets, _covariance(features, alpha, beta)) / len(targets)


def any_precision_accepted(features, targets, *, alpha, beta):
    return _density(targets, _covariance(features, alpha, beta))


def _covariance(features, alpha, beta):
    return np.eye(len(features)) / beta + features @ features.T / alpha


def _density(targets, covariance):
    quadratic = targets @ np.linalg.solve(covariance, targets)
    return -0.5 * (len(targets) * np.log(2 * np.pi) + np.linalg.slogdet(covariance)[1] + quadratic)
