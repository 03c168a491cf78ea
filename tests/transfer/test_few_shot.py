"""Prototypes, episodes and the losses that train for them against their definitions, and what must not matter to them."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.strategies import integers

from transfer.few_shot import (
    Episodes,
    class_prototypes,
    contrastive_pair_loss,
    matching_probabilities,
    prototype_accuracy,
    prototype_logits,
    prototypical_loss,
    sample_episode,
    unit_length,
)

seeds = integers(0, 2**32 - 1)


def task(seed, classes=4, shots=3, queries=30, width=5):
    """Support and queries around the same class centres: (support, its labels, queries, their labels)."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(classes, width))
    support_labels = np.repeat(np.arange(classes), shots)
    query_labels = rng.integers(0, classes, queries)
    noisy = [centres[labels] + 0.7 * rng.normal(size=(len(labels), width)) for labels in (support_labels, query_labels)]
    return noisy[0], support_labels, noisy[1], query_labels


@given(seeds)
def test_a_prototype_is_the_mean_of_its_class(seed):
    x, y, *_ = task(seed)
    prototypes = class_prototypes(x, y, 4)
    for c in range(4):
        np.testing.assert_allclose(prototypes[c], sum(x[i] for i in np.flatnonzero(y == c)) / 3, atol=1e-12)
    # The mean is the point with the least squared distance to its class, so no step away from it can gain.
    step = np.random.default_rng(seed).normal(size=(4, 5)) / 10
    assert (((x - prototypes[y]) ** 2).sum() < ((x - (prototypes + step)[y]) ** 2).sum()).all()


@given(seeds)
def test_logits_are_minus_the_squared_distances(seed):
    x, y, queries, _ = task(seed)
    prototypes = class_prototypes(x, y, 4)
    differences = queries[:, None, :] - prototypes[None, :, :]
    np.testing.assert_allclose(prototype_logits(queries, prototypes), -(differences**2).sum(-1), atol=1e-9)


@given(seeds)
def test_a_query_at_a_prototype_is_of_its_class(seed):
    x, y, *_ = task(seed)
    prototypes = class_prototypes(x, y, 4)
    logits = prototype_logits(prototypes, prototypes)
    np.testing.assert_allclose(np.diag(logits), 0, atol=1e-9)
    assert (logits.argmax(1) == np.arange(4)).all()


@given(seeds)
def test_a_rotation_of_all_features_changes_nothing(seed):
    x, y, queries, labels = task(seed)
    rotation, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(5, 5)))
    logits = prototype_logits(queries, class_prototypes(x, y, 4))
    np.testing.assert_allclose(prototype_logits(queries @ rotation, class_prototypes(x @ rotation, y, 4)), logits, atol=1e-9)
    assert prototype_accuracy(x @ rotation, y, queries @ rotation, labels, classes=4) == pytest.approx(
        prototype_accuracy(x, y, queries, labels, classes=4)
    )


@given(seeds)
def test_neither_order_nor_names_nor_lengths_matter(seed):
    x, y, queries, labels = task(seed)
    rng = np.random.default_rng(seed)
    accuracy = prototype_accuracy(x, y, queries, labels, classes=4)
    order, other_order, names = rng.permutation(len(y)), rng.permutation(len(labels)), rng.permutation(4)
    shuffled = (x[order], y[order], queries[other_order], labels[other_order])
    assert prototype_accuracy(*shuffled, classes=4) == pytest.approx(accuracy)
    assert prototype_accuracy(x, names[y], queries, names[labels], classes=4) == pytest.approx(accuracy)
    lengths = rng.uniform(0.1, 10, size=(len(x), 1)), rng.uniform(0.1, 10, size=(len(queries), 1))
    assert prototype_accuracy(x * lengths[0], y, queries * lengths[1], labels, classes=4) == pytest.approx(accuracy)


@given(seeds)
def test_with_one_example_a_class_it_is_the_nearest_neighbour(seed):
    x, y, queries, labels = task(seed, shots=1)
    support, directions = x / np.linalg.norm(x, axis=1)[:, None], queries / np.linalg.norm(queries, axis=1)[:, None]
    nearest = [y[np.linalg.norm(support - direction, axis=1).argmin()] for direction in directions]
    assert prototype_accuracy(x, y, queries, labels, classes=4) == pytest.approx(np.mean(nearest == labels))


def test_unit_length_keeps_directions_and_zeros():
    x = np.array([[3, 4], [-0.3, 0.4], [0, 0], [1e-15, 0]], np.float32)
    np.testing.assert_allclose(unit_length(x), [[0.6, 0.8], [-0.6, 0.8], [0, 0], [1, 0]], rtol=1e-6)
    assert unit_length(x).dtype == np.float32


def test_what_does_not_fit_together_is_refused(monkeypatch):
    monkeypatch.setattr("jaxtyping.config.jaxtyping_disable", True)  # past the checker of types, to our own
    x, y, queries, _ = task(0)
    with pytest.raises(ValueError, match="a label for each row, got 12 rows, 11 labels"):
        class_prototypes(x, y[:-1], 4)
    with pytest.raises(ValueError, match=r"an example of each of 6 classes, got none of \[4, 5\]"):
        class_prototypes(x, y, 6)
    with pytest.raises(ValueError, match=r"as wide as the prototypes, 5, got 4"):
        prototype_logits(queries[:, :4], class_prototypes(x, y, 4))


def test_a_label_outside_the_classes_is_refused():
    """Its examples would be left out without a word."""
    x, y, *_ = task(0)
    with pytest.raises(ValueError, match=r"labels from 0 to 2, got .*3"):
        class_prototypes(x, y, 3)


def test_features_that_are_not_numbers_are_never_right_and_labels_are_not_broadcast():
    support, labels = np.eye(3), np.arange(3)
    queries = np.eye(3)
    assert prototype_accuracy(support, labels, queries, labels, classes=3) == 1
    queries[0] = np.nan
    assert prototype_accuracy(support, labels, queries, labels, classes=3) == pytest.approx(2 / 3)


@settings(max_examples=50, deadline=None)
@given(seeds)
def test_an_episode_has_its_counts_and_no_example_twice(seed):
    labels = np.random.default_rng(seed).permutation(np.repeat([7, 3, 11, 5, 2], 6))
    support, queries = sample_episode(labels, ways=3, shots=2, queries=4, seed=seed)
    assert support.shape == (3, 2) and queries.shape == (3, 4)
    assert len(np.unique(np.concatenate([support, queries], axis=1))) == 18
    of_rows = labels[np.concatenate([support, queries], axis=1)]
    assert (of_rows == of_rows[:, :1]).all() and len(set(of_rows[:, 0])) == 3  # a row is a class, and no class comes twice


def test_a_seed_decides_an_episode_and_a_generator_goes_on():
    labels, counts = np.repeat(np.arange(9), 9), {"ways": 4, "shots": 3, "queries": 3}
    first, again = (sample_episode(labels, **counts, seed=1) for _ in range(2))
    np.testing.assert_equal(first, again)
    random = np.random.default_rng(1)
    np.testing.assert_equal(sample_episode(labels, **counts, seed=random), first)
    assert any((a != b).any() for a, b in zip(sample_episode(labels, **counts, seed=random), first, strict=True))


def test_every_class_and_every_example_gets_its_turn_in_support_and_in_queries():
    """In unequal classes too: a class of 40 is drawn as often as one of 4. 600 draws, wide bounds."""
    labels = np.repeat([0, 1, 2], [4, 4, 40])
    random, drawn = np.random.default_rng(0), np.zeros((2, 48))
    for _ in range(600):
        for counts, places in zip(drawn, sample_episode(labels, ways=1, shots=2, queries=2, seed=random), strict=True):
            counts[places] += 1
    assert (drawn > 0).all()
    by_class = np.bincount(labels, drawn[0]) / drawn[0].sum()
    assert (abs(by_class - 1 / 3) < 0.1).all()


def test_an_episode_that_cannot_be_filled_is_refused():
    labels = np.repeat([0, 1, 2], [5, 6, 3])
    with pytest.raises(ValueError, match=r"at most as many ways as there are classes, 3, got 4"):
        sample_episode(labels, ways=4, shots=1, queries=1, seed=0)
    with pytest.raises(ValueError, match=r"expects 4 examples of each class, got 3 of class 2"):
        sample_episode(labels, ways=2, shots=1, queries=3, seed=0)
    with pytest.raises(ValueError, match=r"counts of at least 1, got ways=2, shots=0, queries=3"):
        sample_episode(labels, ways=2, shots=0, queries=3, seed=0)


def test_episodes_go_on_where_they_stopped_and_show_what_their_labels_say():
    labels = np.random.default_rng(0).permutation(np.repeat([4, 9, 2, 7], 5))
    images = np.stack([labels, np.arange(20)], axis=1)  # each image shows its class and its place
    episodes = Episodes(images=images, labels=labels, ways=3, shots=2, queries=3, seed=1)
    first, second, third = itertools.islice(episodes, 3)
    np.testing.assert_equal(next(iter(episodes.from_step(2))), third)
    assert (first["support"] != second["support"]).any()
    for episode in (first, second, third):
        assert episode["support_labels"].tolist() == [0, 0, 1, 1, 2, 2]
        assert episode["query_labels"].tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
        shown = np.concatenate([episode["support"], episode["queries"]])
        classes = dict(zip(episode["support_labels"].tolist(), episode["support"][:, 0], strict=True))
        assert len(set(classes.values())) == 3 and len(set(shown[:, 1])) == 15
        assert (episode["queries"][:, 0] == [classes[label] for label in episode["query_labels"]]).all()
        assert (episode["support"][:, 0] == [classes[label] for label in episode["support_labels"]]).all()
    assert episodes.settings == {"examples": 20, "ways": 3, "shots": 2, "queries": 3, "seed": 1}


@functools.partial(jax.jit, static_argnums=4)
def loss_and_slopes(support, labels, queries, query_labels, classes):
    return jax.value_and_grad(prototypical_loss, argnums=(0, 2))(support, labels, queries, query_labels, classes)


@settings(max_examples=20, deadline=None)
@given(seeds)
def test_prototypical_loss_is_the_cross_entropy_of_the_distances_to_the_class_means(seed):
    x, y, queries, labels = task(seed)
    logits = prototype_logits(queries, class_prototypes(x, y, 4))
    expected = -(logits - np.log(np.exp(logits).sum(1, keepdims=True)))[np.arange(30), labels].mean()
    as_floats = [jnp.asarray(array, jnp.float32) for array in (x, queries)]
    loss, _ = loss_and_slopes(as_floats[0], y, as_floats[1], labels, 4)
    assert loss == pytest.approx(expected, rel=1e-4)


def test_prototypes_never_see_the_query_set():
    """The loss of one query is the same whatever else is asked; and its slope reaches the support."""
    x, y, queries, labels = task(3)
    x, queries = jnp.asarray(x, jnp.float32), jnp.asarray(queries, jnp.float32)
    whole, slopes = loss_and_slopes(x, y, queries, labels, 4)
    alone = [loss_and_slopes(x, y, queries[i : i + 1], labels[i : i + 1], 4)[0] for i in range(30)]
    assert whole == pytest.approx(np.mean(alone), rel=1e-5)
    assert all((abs(slope) > 0).any() for slope in slopes)
    # Whichever answer it is asked for, the slope at a query is not changed by where the other queries are.
    others = jnp.concatenate([queries[:1], 5 + queries[1:]])
    both = [loss_and_slopes(x, y, q, np.full(30, c), 4)[1][1][0] for q in (queries, others) for c in range(4)]
    np.testing.assert_allclose(both[:4], both[4:], atol=1e-7)


def test_a_class_without_an_example_is_not_passed_over():
    x, y, queries, labels = task(0)
    loss, _ = loss_and_slopes(x.astype(np.float32), np.where(y == 3, 0, y), queries.astype(np.float32), labels, 4)
    assert np.isnan(loss)


@settings(max_examples=20, deadline=None)
@given(seeds)
def test_matching_is_attention_over_the_labelled_examples(seed):
    x, y, queries, _ = task(seed)
    p = np.asarray(matching_probabilities(x, y, queries, 4))
    cosines = queries @ x.T / np.outer(np.linalg.norm(queries, axis=1), np.linalg.norm(x, axis=1))
    weights = np.exp(cosines) / np.exp(cosines).sum(1, keepdims=True)
    np.testing.assert_allclose(p, np.stack([weights[:, y == c].sum(1) for c in range(4)], 1), rtol=1e-4)
    np.testing.assert_allclose(p.sum(1), 1, rtol=1e-5)
    # With one example a class, the likeliest class is that of the nearest by cosine.
    one = np.asarray(matching_probabilities(x[::3], y[::3], queries, 4))
    np.testing.assert_array_equal(one.argmax(1), y[::3][cosines[:, ::3].argmax(1)])


@jax.jit
def pair_loss_and_slope(left, right, same):
    return jax.value_and_grad(functools.partial(contrastive_pair_loss, margin=2.0))(left, right, same)


@settings(max_examples=20, deadline=None)
@given(seeds)
def test_the_pair_loss_is_that_of_the_equation(seed):
    rng = np.random.default_rng(seed)
    left, right = rng.normal(size=(2, 6, 3)).astype(np.float32)
    same = rng.integers(0, 2, 6).astype(bool)
    losses = []
    for a, b, alike in zip(left, right, same, strict=True):
        distance = np.sqrt(((a - b) ** 2).sum())
        losses.append(distance**2 / 2 if alike else max(0, 2 - distance) ** 2 / 2)
    assert pair_loss_and_slope(left, right, same)[0] == pytest.approx(np.mean(losses), rel=1e-4)


def test_pairs_of_one_class_attract_and_others_repel_up_to_the_margin():
    left, right = np.zeros((6, 3), np.float32), np.zeros((6, 3), np.float32)
    right[:, 0] = [1, 3, 1, 3, 0, 0]
    loss, slope = pair_loss_and_slope(left, right, np.array([True, True, False, False, True, False]))
    assert loss == pytest.approx((0.5 + 4.5 + 0.5 + 0 + 0 + 2) / 6)
    # Descent moves `left` against the slope: towards its partner, away from it, or not at all, also where the two coincide.
    np.testing.assert_allclose(6 * slope[:, 0], [-1, -3, 1, 0, 0, 0], atol=1e-6)


def test_sets_that_do_not_fit_are_refused(monkeypatch):
    monkeypatch.setattr("jaxtyping.config.jaxtyping_disable", True)
    ones, labels = jnp.ones((4, 3)), jnp.arange(4)
    with pytest.raises(ValueError, match=r"prototypical_loss expects a label .* labels \(3,\) and queries \(4, 3\)"):
        prototypical_loss(ones, labels[1:], ones, labels, 4)
    with pytest.raises(ValueError, match=r"matching_probabilities expects .* queries as wide .* queries \(4, 2\)"):
        matching_probabilities(ones, labels, ones[:, :2], 4)
    with pytest.raises(ValueError, match=r"two of one shape .* got \(4, 3\), \(3, 3\) and \(4,\)"):
        contrastive_pair_loss(ones, ones[1:], labels == 0)
    with pytest.raises(ValueError, match=r"a margin above 0, got 0"):
        contrastive_pair_loss(ones, ones, labels == 0, margin=0)
