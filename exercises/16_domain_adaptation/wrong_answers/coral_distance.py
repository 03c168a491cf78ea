"""Wrong answers to `coral_distance` that a student writes; exercises.toml says what is wrong with each."""

import jax.numpy as jnp


def _checked(source, target):
    if source.shape[1:] != target.shape[1:] or min(len(source), len(target)) < 2:
        raise ValueError("These have no covariances to compare.")


def _covariance(x, *, less=1):
    centred = x - x.mean(0, keepdims=True)
    return centred.T @ centred / (len(x) - less)


def _distance(one, other):
    return ((one - other) ** 2).sum() / (4 * one.shape[0] ** 2)


def not_centred(source, target):
    _checked(source, target)
    return _distance(source.T @ source / (len(source) - 1), target.T @ target / (len(target) - 1))


def around_one_mean(source, target):
    _checked(source, target)
    mean = jnp.concatenate([source, target]).mean(0, keepdims=True)
    one, other = source - mean, target - mean
    return _distance(one.T @ one / (len(one) - 1), other.T @ other / (len(other) - 1))


def divided_by_n(source, target):
    _checked(source, target)
    return _distance(_covariance(source, less=0), _covariance(target, less=0))


def n_and_n_less_1(source, target):
    _checked(source, target)
    return _distance(_covariance(source), _covariance(target, less=0))


def number_of_the_source_for_both(source, target):
    _checked(source, target)
    centred = target - target.mean(0, keepdims=True)
    return _distance(_covariance(source), centred.T @ centred / (len(source) - 1))


def not_squared(source, target):
    _checked(source, target)
    return jnp.sqrt(((_covariance(source) - _covariance(target)) ** 2).sum()) / (4 * source.shape[1] ** 2)


def mean_of_the_entries(source, target):
    _checked(source, target)
    return ((_covariance(source) - _covariance(target)) ** 2).mean()


def divided_by_the_examples(source, target):
    _checked(source, target)
    return ((_covariance(source) - _covariance(target)) ** 2).sum() / (4 * len(source) ** 2)


def variances_alone(source, target):
    _checked(source, target)
    return ((source.var(0, ddof=1) - target.var(0, ddof=1)) ** 2).sum() / (4 * source.shape[1] ** 2)


def examples_for_features(source, target):
    _checked(source, target)
    return _distance(_covariance(source.T), _covariance(target.T))


def means_too(source, target):
    _checked(source, target)
    return _distance(_covariance(source), _covariance(target)) + ((source.mean(0) - target.mean(0)) ** 2).sum()


def one_example_is_enough(source, target):
    if source.shape[1:] != target.shape[1:]:
        raise ValueError("These differ in width.")
    return _distance(_covariance(jnp.asarray(source)), _covariance(jnp.asarray(target)))
