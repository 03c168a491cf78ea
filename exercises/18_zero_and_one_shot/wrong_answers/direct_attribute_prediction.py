"""Wrong answers to `direct_attribute_prediction` that a student writes; exercises.toml says what is wrong with each."""

import numpy as np

TINY = np.finfo(np.float64).tiny


def _require(p, table, priors):
    if p.shape[-1] != table.shape[-1] or not ((p >= 0) & (p <= 1)).all() or not np.isin(table, (0, 1)).all():
        raise ValueError("probabilities from 0 to 1 and attributes of 0 or 1, as many of either")
    if priors is not None and not ((priors > 0) & (priors < 1)).all():
        raise ValueError("priors above 0 and below 1")


def _log(p):
    return np.log(np.maximum(p, TINY))


def _scores(p, table):
    return _log(p) @ table.T + _log(1 - p) @ (1 - table).T


def _prior(priors, table):
    return 0 if priors is None else _scores(priors[None], table)


def product_underflows(attribute_probabilities, class_attributes, *, attribute_priors=None):
    p, table = attribute_probabilities, class_attributes
    _require(p, table, attribute_priors)
    product = np.where(table[None] == 1, p[:, None], 1 - p[:, None]).prod(-1)
    return _log(product) - _prior(attribute_priors, table)


def present_attributes_only(attribute_probabilities, class_attributes, *, attribute_priors=None):
    _require(attribute_probabilities, class_attributes, attribute_priors)
    scores = _log(attribute_probabilities) @ class_attributes.T
    return scores if attribute_priors is None else scores - np.log(attribute_priors) @ class_attributes.T


def probabilities_added(attribute_probabilities, class_attributes, *, attribute_priors=None):
    p, table = attribute_probabilities, class_attributes
    _require(p, table, attribute_priors)
    return p @ table.T + (1 - p) @ (1 - table).T - _prior(attribute_priors, table)


def prior_added(attribute_probabilities, class_attributes, *, attribute_priors=None):
    _require(attribute_probabilities, class_attributes, attribute_priors)
    return _scores(attribute_probabilities, class_attributes) + _prior(attribute_priors, class_attributes)


def half_each_taken_off(attribute_probabilities, class_attributes, *, attribute_priors=None):
    _require(attribute_probabilities, class_attributes, attribute_priors)
    priors = np.full(class_attributes.shape[-1], 0.5) if attribute_priors is None else attribute_priors
    return _scores(attribute_probabilities, class_attributes) - _prior(priors, class_attributes)


def prior_ignored(attribute_probabilities, class_attributes, *, attribute_priors=None):
    _require(attribute_probabilities, class_attributes, attribute_priors)
    return _scores(attribute_probabilities, class_attributes)


def prior_of_what_is_present_only(attribute_probabilities, class_attributes, *, attribute_priors=None):
    _require(attribute_probabilities, class_attributes, attribute_priors)
    scores = _scores(attribute_probabilities, class_attributes)
    return scores if attribute_priors is None else scores - np.log(attribute_priors) @ class_attributes.T


def infinite(attribute_probabilities, class_attributes, *, attribute_priors=None):
    p, table = attribute_probabilities, class_attributes
    _require(p, table, attribute_priors)
    with np.errstate(divide="ignore"):
        chances = np.log(np.where(table[None] == 1, p[:, None], 1 - p[:, None]))
    return chances.sum(-1) - _prior(attribute_priors, table)


def epsilon_in_the_logarithm(attribute_probabilities, class_attributes, *, attribute_priors=None):
    p, table = attribute_probabilities, class_attributes
    _require(p, table, attribute_priors)
    return np.log(p + 1e-9) @ table.T + np.log(1 - p + 1e-9) @ (1 - table).T - _prior(attribute_priors, table)


def softmax_over_the_examples(attribute_probabilities, class_attributes, *, attribute_priors=None):
    _require(attribute_probabilities, class_attributes, attribute_priors)
    scores = _scores(attribute_probabilities, class_attributes) - _prior(attribute_priors, class_attributes)
    return scores - np.logaddexp.reduce(scores, axis=0, keepdims=True)


def classes_in_rows(attribute_probabilities, class_attributes, *, attribute_priors=None):
    _require(attribute_probabilities, class_attributes, attribute_priors)
    return (_scores(attribute_probabilities, class_attributes) - _prior(attribute_priors, class_attributes)).T


def any_probability_accepted(attribute_probabilities, class_attributes, *, attribute_priors=None):
    _require(np.clip(attribute_probabilities, 0, 1), class_attributes, attribute_priors)
    scores = _scores(np.clip(attribute_probabilities, 0, 1), class_attributes)
    return scores - _prior(attribute_priors, class_attributes)


def half_an_attribute_accepted(attribute_probabilities, class_attributes, *, attribute_priors=None):
    _require(attribute_probabilities, np.rint(class_attributes), attribute_priors)
    return _scores(attribute_probabilities, class_attributes) - _prior(attribute_priors, class_attributes)
