"""Wrong answers to `prototypical_loss` that a student writes; exercises.toml says what is wrong with each."""

import jax
import jax.numpy as jnp


def _require(support, labels, queries, answers):
    if len(support) != len(labels) or len(queries) != len(answers):
        raise ValueError("a label for each row")


def _means(features, labels, classes):
    members = jax.nn.one_hot(labels, classes, axis=0)
    return members @ features / members.sum(1, keepdims=True)


def _distances(queries, prototypes):
    return ((queries[:, None] - prototypes[None]) ** 2).sum(-1)


def _losses(scores, answers, axis=-1):
    return -jnp.take_along_axis(jax.nn.log_softmax(scores, axis=axis), answers[:, None], axis=-1)[:, 0]


def prototypes_from_the_queries(support_features, support_labels, query_features, query_labels, classes):
    _require(support_features, support_labels, query_features, query_labels)
    return _losses(-_distances(query_features, _means(query_features, query_labels, classes)), query_labels).mean()


def prototypes_from_both(support_features, support_labels, query_features, query_labels, classes):
    _require(support_features, support_labels, query_features, query_labels)
    features, labels = jnp.concatenate([support_features, query_features]), jnp.concatenate([support_labels, query_labels])
    return _losses(-_distances(query_features, _means(features, labels, classes)), query_labels).mean()


def minus_forgotten(support_features, support_labels, query_features, query_labels, classes):
    _require(support_features, support_labels, query_features, query_labels)
    return _losses(_distances(query_features, _means(support_features, support_labels, classes)), query_labels).mean()


def distance_not_squared(support_features, support_labels, query_features, query_labels, classes):
    _require(support_features, support_labels, query_features, query_labels)
    squared = _distances(query_features, _means(support_features, support_labels, classes))
    return _losses(-jnp.sqrt(squared), query_labels).mean()


def mean_squared_distance(support_features, support_labels, query_features, query_labels, classes):
    _require(support_features, support_labels, query_features, query_labels)
    prototypes = _means(support_features, support_labels, classes)
    return _losses(-((query_features[:, None] - prototypes[None]) ** 2).mean(-1), query_labels).mean()


def softmax_over_the_queries(support_features, support_labels, query_features, query_labels, classes):
    _require(support_features, support_labels, query_features, query_labels)
    scores = -_distances(query_features, _means(support_features, support_labels, classes))
    return _losses(scores, query_labels, axis=0).mean()


def summed(support_features, support_labels, query_features, query_labels, classes):
    _require(support_features, support_labels, query_features, query_labels)
    return _losses(-_distances(query_features, _means(support_features, support_labels, classes)), query_labels).sum()


def sums_for_means(support_features, support_labels, query_features, query_labels, classes):
    _require(support_features, support_labels, query_features, query_labels)
    members = jax.nn.one_hot(support_labels, classes, axis=0)
    absent = jnp.where(members.sum(1, keepdims=True) == 0, jnp.nan, 0)
    return _losses(-_distances(query_features, members @ support_features + absent), query_labels).mean()


def labels_taken_to_be_in_order(support_features, support_labels, query_features, query_labels, classes):
    _require(support_features, support_labels, query_features, query_labels)
    each = len(support_features) // classes
    prototypes = support_features[: each * classes].reshape(classes, each, -1).mean(1)
    return _losses(-_distances(query_features, prototypes), query_labels).mean()


def nearest_example(support_features, support_labels, query_features, query_labels, classes):
    _require(support_features, support_labels, query_features, query_labels)
    scores = -_distances(query_features, support_features)
    best = jnp.where(jax.nn.one_hot(support_labels, classes, axis=0)[None] > 0, scores[:, None], -jnp.inf).max(-1)
    return _losses(best, query_labels).mean()


def log_of_softmax(support_features, support_labels, query_features, query_labels, classes):
    _require(support_features, support_labels, query_features, query_labels)
    scores = -_distances(query_features, _means(support_features, support_labels, classes))
    chances = jax.nn.softmax(scores, axis=-1)
    return -jnp.log(jnp.take_along_axis(chances, query_labels[:, None], axis=-1)).mean()


def absent_class_at_0(support_features, support_labels, query_features, query_labels, classes):
    _require(support_features, support_labels, query_features, query_labels)
    members = jax.nn.one_hot(support_labels, classes, axis=0)
    prototypes = members @ support_features / jnp.maximum(members.sum(1, keepdims=True), 1)
    return _losses(-_distances(query_features, prototypes), query_labels).mean()


def prototypes_held_fast(support_features, support_labels, query_features, query_labels, classes):
    _require(support_features, support_labels, query_features, query_labels)
    prototypes = jax.lax.stop_gradient(_means(support_features, support_labels, classes))
    return _losses(-_distances(query_features, prototypes), query_labels).mean()


def one_answer_for_all(support_features, support_labels, query_features, query_labels, classes):
    scores = -_distances(query_features, _means(support_features, support_labels, classes))
    return _losses(scores, jnp.broadcast_to(query_labels, len(query_features))).mean()
