"""Wrong answers to `leep` that a student writes; exercises.toml says what is wrong with each."""

import numpy as np


def joint_normalised_along_the_wrong_axis(theta, labels):
    joint, y = _joint(theta, labels)
    conditional = joint / joint.sum(1, keepdims=True)
    return float(np.log((theta * conditional[y]).sum(1)).mean())


def joint_not_normalised(theta, labels):
    joint, y = _joint(theta, labels)
    return float(np.log((theta * joint[y]).sum(1)).mean())


def classes_made_equal(theta, labels):
    _, y = _joint(theta, labels)
    means = np.stack([theta[y == c].mean(0) for c in range(y.max() + 1)])
    return float(np.log((theta * (means / means.sum(0))[y]).sum(1)).mean())


def log_of_the_mean(theta, labels):
    return float(np.log(_expected(theta, labels).mean()))


def logarithm_inside_the_sum(theta, labels):
    joint, y = _joint(theta, labels)
    return float((theta * np.log(joint / joint.sum(0))[y]).sum(1).mean())


def best_guess_alone(theta, labels):
    return float(np.log(_expected(np.eye(theta.shape[1])[theta.argmax(1)], labels)).mean())


def sum_over_images(theta, labels):
    return float(np.log(_expected(theta, labels)).sum())


def sign_lost(theta, labels):
    return -float(np.log(_expected(theta, labels)).mean())


def empty_source_class_is_nan(theta, labels):
    joint, y = _joint(theta, labels)
    return float(np.log((theta * (joint / joint.sum(0))[y]).sum(1)).mean())


def scores_accepted(theta, labels):
    return float(np.log(_expected(theta, labels)).mean())


def _expected(theta, labels):
    joint, y = _joint(theta, labels)
    conditional = joint / np.where(joint.sum(0) > 0, joint.sum(0), 1)
    return (theta * conditional[y]).sum(1)


def _joint(theta, labels):
    """P(y, z), and the labels as 0, 1, …"""
    y = np.unique(labels, return_inverse=True)[1]
    return np.eye(y.max() + 1)[y].T @ theta / len(theta), y
