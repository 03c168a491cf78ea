"""Wrong answers to `h_score` that a student writes; exercises.toml says what is wrong with each."""

import numpy as np


def covariances_swapped(features, labels):
    sigma, sigma_b = _covariances(features, labels)
    return float(np.trace(np.linalg.pinv(sigma_b, rcond=1e-10) @ sigma))


def within_for_total(features, labels):
    sigma, sigma_b = _covariances(features, labels)
    return float(np.trace(np.linalg.pinv(sigma - sigma_b, rcond=1e-10) @ sigma_b))


def classes_count_equally(features, labels):
    sigma, _ = _covariances(features, labels)
    means = np.stack([features[labels == c].mean(0) for c in np.unique(labels)])
    deviations = means - means.mean(0)
    return _trace(sigma, deviations.T @ deviations / len(means))


def not_centred(features, labels):
    means = _means(features, labels)
    return _trace(features.T @ features / len(features), means.T @ means / len(features))


def two_denominators(features, labels):
    sigma, sigma_b = _covariances(features, labels)
    return _trace(sigma * len(features) / (len(features) - 1), sigma_b)


def one_feature_at_a_time(features, labels):
    sigma, sigma_b = np.diag(_covariances(features, labels)[0]), np.diag(_covariances(features, labels)[1])
    return float((sigma_b / np.where(sigma > 0, sigma, 1)).sum())


def trace_of_the_means(features, labels):
    return float(np.trace(_covariances(features, labels)[1]))


def ridge_added(features, labels):
    sigma, sigma_b = _covariances(features, labels)
    return _trace(sigma + np.eye(len(sigma)), sigma_b)


def negative_label_passed_over(features, labels):
    sigma, _ = _covariances(features, labels)
    means = np.tile(features.mean(0), (len(features), 1))
    for c in range(labels.max() + 1):
        if (labels == c).any():
            means[labels == c] = features[labels == c].mean(0)
    deviations = means - means.mean(0)
    return _trace(sigma, deviations.T @ deviations / len(means))


def one_class_accepted(features, labels):
    return _trace(*_covariances(features, labels))


def _trace(sigma, sigma_b):
    return float(np.trace(np.linalg.pinv(sigma, rcond=1e-10) @ sigma_b))


def _means(features, labels):
    means = np.empty_like(features)
    for c in np.unique(labels):
        means[labels == c] = features[labels == c].mean(0)
    return means


def _covariances(features, labels):
    """That of the features and that of their class means."""
    a, b = features - features.mean(0), _means(features, labels) - features.mean(0)
    return a.T @ a / len(a), b.T @ b / len(b)
