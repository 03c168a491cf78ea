"""Scores against loops, the closed form against its own objective, and what must not matter to any of them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.strategies import integers

from nn.data import animals
from transfer.zero_shot import contrastive_loss, direct_attribute_prediction, eszsl, eszsl_scores, harmonic_mean

seeds = integers(0, 2**32 - 1)
TABLE = animals.class_attributes()


def problem(seed, classes=4, attributes=3, width=5, examples=20):
    """Features, labels with every class among them, and a table of real attributes."""
    rng = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(classes), rng.integers(0, classes, examples - classes)])
    return rng.normal(size=(examples, width)), labels, rng.normal(size=(classes, attributes))


@settings(max_examples=50, deadline=None)
@given(seeds)
def test_attribute_prediction_is_the_sum_of_the_logarithms_over_all_attributes(seed):
    rng = np.random.default_rng(seed)
    p, table, priors = rng.uniform(0.01, 0.99, (3, 4)), rng.integers(0, 2, (5, 4)).astype(float), rng.uniform(0.1, 0.9, 4)
    scores = direct_attribute_prediction(p, table, attribute_priors=priors)
    for x in range(3):
        for z in range(5):
            ratios = [p[x, m] / priors[m] if table[z, m] else (1 - p[x, m]) / (1 - priors[m]) for m in range(4)]
            assert scores[x, z] == pytest.approx(np.log(np.prod(ratios)))


def test_certain_attributes_pick_the_class_that_they_describe():
    scores = direct_attribute_prediction(TABLE, TABLE)
    assert (scores.argmax(1) == np.arange(24)).all()
    # And rank all others by how many attributes they contradict, however many thousands of nats that is.
    contradicted = (TABLE[:, None] != TABLE[None]).sum(-1)
    assert np.isfinite(scores).all()
    np.testing.assert_allclose(scores, np.log(np.finfo(float).tiny) * contradicted, atol=1e-6)


@settings(max_examples=50, deadline=None)
@given(seeds)
def test_hundreds_of_attributes_do_not_underflow(seed):
    """A product of 2,000 probabilities is 0 for every class; the sum of the logarithms still ranks them."""
    rng = np.random.default_rng(seed)
    table = rng.integers(0, 2, (3, 2000)).astype(float)
    p = np.where(table == 1, 0.6, 0.4)
    assert (direct_attribute_prediction(p, table).argmax(1) == np.arange(3)).all()


@settings(max_examples=50, deadline=None)
@given(seeds)
def test_a_prior_of_one_half_changes_no_order(seed):
    rng = np.random.default_rng(seed)
    p, table = rng.uniform(size=(3, 4)), rng.integers(0, 2, (5, 4)).astype(float)
    difference = direct_attribute_prediction(p, table, attribute_priors=np.full(4, 0.5)) - direct_attribute_prediction(p, table)
    np.testing.assert_allclose(difference, 4 * np.log(2))


@settings(max_examples=50, deadline=None)
@given(seeds)
def test_the_order_of_classes_and_of_attributes_does_not_matter(seed):
    rng = np.random.default_rng(seed)
    classes, attributes = rng.permutation(4), rng.permutation(3)
    p, table = rng.uniform(size=(3, 3)), rng.integers(0, 2, (4, 3)).astype(float)
    scores = direct_attribute_prediction(p, table)
    np.testing.assert_allclose(direct_attribute_prediction(p, table[classes]), scores[:, classes])
    np.testing.assert_allclose(direct_attribute_prediction(p[:, attributes], table[:, attributes]), scores)

    x, labels, real = problem(seed)
    scores = eszsl_scores(x, eszsl(x, labels, real, gamma=0.7, lam=0.3), real)
    moved = eszsl(x, np.argsort(classes)[labels], real[classes], gamma=0.7, lam=0.3)
    np.testing.assert_allclose(eszsl_scores(x, moved, real[classes]), scores[:, classes], atol=1e-9)
    moved = eszsl(x, labels, real[:, attributes], gamma=0.7, lam=0.3)
    np.testing.assert_allclose(eszsl_scores(x, moved, real[:, attributes]), scores, atol=1e-9)


def objective(v, x, y, s, gamma, lam):
    """Romera-Paredes and Torr 2015, eq. 4 and 5, with examples in rows."""
    parts = (x @ v @ s.T - y, gamma**0.5 * v @ s.T, lam**0.5 * x @ v, (gamma * lam) ** 0.5 * v)
    return sum((part**2).sum() for part in parts)


@settings(max_examples=20, deadline=None)
@given(seeds)
def test_the_closed_form_is_where_its_objective_is_least(seed):
    x, labels, s = problem(seed)
    y = 2.0 * np.eye(4)[labels] - 1
    v = eszsl(x, labels, s, gamma=0.7, lam=0.3)
    arguments = (x, y, s, 0.7, 0.3)
    # The slope along any step is 0, by central differences, which are exact for a quadratic; and any step away costs.
    for step in np.random.default_rng(seed).normal(size=(3, *v.shape)):
        up, here, down = (objective(v + t * step, *arguments) for t in (1, 0, -1))
        assert up - down == pytest.approx(0, abs=1e-7 * here)
        assert min(up, down) > here


@settings(max_examples=20, deadline=None)
@given(seeds)
def test_the_closed_form_agrees_with_one_large_linear_system(seed):
    """(XᵀX + γI) V (SᵀS + λI) = XᵀYS, written out for the vector of all numbers of V."""
    x, labels, s = problem(seed)
    y = 2.0 * np.eye(4)[labels] - 1
    left, right = x.T @ x + 0.7 * np.eye(5), s.T @ s + 0.3 * np.eye(3)
    v = np.linalg.solve(np.kron(left, right.T), (x.T @ y @ s).ravel()).reshape(5, 3)
    np.testing.assert_allclose(eszsl(x, labels, s, gamma=0.7, lam=0.3), v, rtol=1e-6, atol=1e-9)


def test_attributes_learned_on_seen_animals_name_the_unseen():
    """Features that are the attributes, mixed at random and with noise: the four that were left out are told apart."""
    rng = np.random.default_rng(0)
    unseen = np.array([3, 10, 14, 23])
    seen = np.setdiff1d(np.arange(24), unseen)
    labels, mixture = np.repeat(np.arange(24), 10), rng.normal(size=(9, 30))
    features = TABLE[labels] @ mixture + 0.3 * rng.normal(size=(240, 30))
    among_seen = np.isin(labels, seen)
    v = eszsl(features[among_seen], np.searchsorted(seen, labels[among_seen]), TABLE[seen], gamma=1.0, lam=1.0)
    answers = unseen[eszsl_scores(features[~among_seen], v, TABLE[unseen]).argmax(1)]
    assert (answers == labels[~among_seen]).mean() > 0.95
    shuffled = TABLE[np.roll(unseen, 1)]
    assert (unseen[eszsl_scores(features[~among_seen], v, shuffled).argmax(1)] == labels[~among_seen]).mean() < 0.05


def test_the_harmonic_mean_follows_the_lower_of_two():
    assert harmonic_mean(0.6, 0.6) == pytest.approx(0.6)
    assert harmonic_mean(0.9, 0.1) == harmonic_mean(0.1, 0.9) == pytest.approx(0.18)
    assert harmonic_mean(1.0, 0.0) == 0 == harmonic_mean(0.0, 0.0)


@jax.jit
def loss_and_slope(images, texts, temperature):
    return jax.value_and_grad(contrastive_loss)(images, texts, temperature)


@settings(max_examples=20, deadline=None)
@given(seeds)
def test_contrastive_loss_is_the_mean_surprise_of_both_directions(seed):
    rng = np.random.default_rng(seed)
    images, texts = rng.normal(size=(2, 4, 3)).astype(np.float32)
    cosines = images @ texts.T / np.outer(np.linalg.norm(images, axis=1), np.linalg.norm(texts, axis=1))
    p = np.exp(cosines / 0.5)
    both = -np.log(np.diag(p / p.sum(1, keepdims=True))), -np.log(np.diag(p / p.sum(0)))
    loss, slope = loss_and_slope(images, texts, 0.5)
    assert loss == pytest.approx(np.mean(both), rel=1e-4)
    # It is the same seen from the texts, and lengths do not matter, so no slope is along an embedding.
    assert loss_and_slope(texts, images, 0.5)[0] == pytest.approx(float(loss), rel=1e-5)
    np.testing.assert_allclose((slope * images).sum(1), 0, atol=1e-5)


def test_contrastive_loss_is_log_n_where_all_are_alike_and_nearly_0_where_partners_alone_are():
    same, apart = np.ones((4, 3), np.float32), np.eye(4, 3, dtype=np.float32)
    apart[3] = -1
    assert loss_and_slope(same, same, 0.5)[0] == pytest.approx(np.log(4), rel=1e-6)
    assert loss_and_slope(apart, apart, 0.05)[0] < 1e-6
    assert loss_and_slope(apart, np.roll(apart, 1, axis=0), 0.05)[0] > 10
    assert np.isfinite(loss_and_slope(np.zeros((4, 3), np.float32), apart, 0.05)[1]).all()


def test_what_does_not_fit_together_is_refused(monkeypatch):
    monkeypatch.setattr("jaxtyping.config.jaxtyping_disable", True)  # past the checker of types, to our own
    p, table = np.full((2, 3), 0.5), np.eye(3)
    with pytest.raises(ValueError, match=r"as many probabilities as there are attributes, 3, got 2"):
        direct_attribute_prediction(p[:, :2], table)
    with pytest.raises(ValueError, match=r"probabilities from 0 to 1, got -1\.0 to -1\.0"):
        direct_attribute_prediction(p - 1.5, table)
    with pytest.raises(ValueError, match=r"attributes of 0 or 1, got .*0\.5"):
        direct_attribute_prediction(p, table / 2)
    for priors in (np.array([0.0, 0.5, 0.5]), np.array([0.5])):
        with pytest.raises(ValueError, match="expects 3 priors above 0 and below 1"):
            direct_attribute_prediction(p, table, attribute_priors=priors)
    x, labels, s = problem(0)
    with pytest.raises(ValueError, match="20 rows, 19 labels"):
        eszsl(x, labels[1:], s, gamma=1.0, lam=1.0)
    with pytest.raises(ValueError, match=r"each of its 5 classes and of no other, got none of \[4\], and labels \[\] outside"):
        eszsl(x, labels, np.ones((5, 2)), gamma=1.0, lam=1.0)
    with pytest.raises(ValueError, match=r"got none of \[\], and labels \[3\] outside"):
        eszsl(x, labels, s[:3], gamma=1.0, lam=1.0)
    for weights in ({"gamma": 0.0, "lam": 1.0}, {"gamma": 1.0, "lam": np.nan}):
        with pytest.raises(ValueError, match="above 0, got"):
            eszsl(x, labels, s, **weights)
    with pytest.raises(ValueError, match=r"as many features as there are rows of the compatibility, 4, got 5"):
        eszsl_scores(x, np.ones((4, 3)), s)
    with pytest.raises(ValueError, match=r"as many attributes as there are columns of the compatibility, 2, got 3"):
        eszsl_scores(x, np.ones((5, 2)), s)
    with pytest.raises(ValueError, match=r"in embeddings of one shape, got \(4, 3\) and \(4, 2\)"):
        contrastive_loss(jnp.ones((4, 3)), jnp.ones((4, 2)))
    with pytest.raises(ValueError, match=r"a temperature above 0, got 0"):
        contrastive_loss(jnp.ones((4, 3)), jnp.ones((4, 3)), 0.0)
