"""What the counterfactual runs are made of: renamings, draws, heads, and a loss that asks some of the outputs."""

from itertools import permutations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from hypothesis import given
from hypothesis.strategies import integers

from nn.models import MLP, MLPConfig
from nn.training import softmax_cross_entropy
from transfer import counterfactuals
from transfer.counterfactuals import (
    Counterfactuals,
    _loss_of_columns,
    another_order,
    draw_shots,
    fresh_head,
    match_classes,
)

seeds = integers(0, 2**32 - 1)


@given(seeds, integers(2, 12))
def test_matching_undoes_any_renaming(seed, classes):
    rng = np.random.default_rng(seed)
    names = rng.permutation(classes)
    predictions = np.concatenate([np.arange(classes), rng.integers(0, classes, 20)])
    np.testing.assert_array_equal(match_classes(predictions, names[predictions], classes), names)


@given(seeds)
def test_no_renaming_makes_more_predictions_right(seed):
    rng = np.random.default_rng(seed)
    predictions, labels = rng.integers(0, 4, (2, 15))
    best = max(np.sum(np.array(names)[predictions] == labels) for names in permutations(range(4)))
    assert np.sum(match_classes(predictions, labels, 4)[predictions] == labels) == best


def test_a_class_keeps_its_number_where_it_makes_no_difference():
    nothing = np.zeros(0, int)
    np.testing.assert_array_equal(match_classes(nothing, nothing, 5), range(5))
    np.testing.assert_array_equal(match_classes(np.array([1, 1]), np.array([1, 3]), 5), range(5))  # 1 is as often 1 as 3
    np.testing.assert_array_equal(match_classes(np.array([1, 1, 1]), np.array([1, 3, 3]), 5), [0, 3, 2, 1, 4])


def test_what_cannot_be_matched_is_refused(without_type_checks):
    with pytest.raises(ValueError, match=r"a prediction for each label, got \(3,\) and \(2,\)"):
        match_classes(np.array([0, 1, 1]), np.array([0, 1]), 2)
    for predictions in ([0, 2], [0, -1]):
        with pytest.raises(ValueError, match=f"from 0 to 1, got {min(predictions)} to {max([1, *predictions])}"):
            match_classes(np.array(predictions), np.array([0, 1]), 2)


@given(seeds, integers(2, 12))
def test_another_order_keeps_all_names_and_no_name_in_its_place(seed, classes):
    names = another_order(classes, np.random.default_rng(seed))
    assert sorted(names) == list(range(classes)) and not np.any(names == np.arange(classes))


@given(seeds)
def test_more_shots_add_examples_and_swap_none(seed):
    labels = np.random.default_rng(0).permutation(np.arange(60) % 3)
    few, many = (draw_shots(labels, shots, np.random.default_rng(seed)) for shots in (2, 7))
    assert np.bincount(labels[few]).tolist() == [2] * 3 and np.bincount(labels[many]).tolist() == [7] * 3
    assert set(few) < set(many) and len(set(many)) == 21


def test_a_fresh_head_is_one_for_all_models_of_a_seed_and_none_that_a_model_began_with():
    """Of a network without hidden layers the head is drawn first: made with the seed's own key, it is what a careless fresh
    head would be."""

    def head(network, seed):
        return np.asarray(fresh_head(network, 3, seed=seed).head.kernel[...])

    config = MLPConfig(in_features=4, hidden=(), out_features=3)
    models = [MLP(config, rngs=nnx.Rngs(key)) for key in (7, 8)]
    np.testing.assert_array_equal(head(models[0], 7), head(models[1], 7))
    assert abs(head(models[0], 7) - np.asarray(models[0].head.kernel[...])).max() > 0.1
    assert abs(head(models[0], 7) - head(models[0], 8)).max() > 0.1
    assert fresh_head(models[0], 5, seed=7).config.out_features == 5 and models[0].config.out_features == 3


@pytest.mark.parametrize(("examples", "asked", "each"), [((3, 6), 8, 3), ((6, 3), 8, 3), ((6, 6), 4, 4)])
def test_a_joint_batch_holds_as_many_of_each_set_however_small_one_is(examples, asked, each, monkeypatch):
    batches = []
    monkeypatch.setattr(counterfactuals, "fine_tune", lambda *_, **__: None)
    monkeypatch.setattr(counterfactuals, "fit", lambda model, data, **_: batches.append(next(iter(data))))
    source, target = ((np.zeros((count, 4), np.float32), np.arange(count) % 3) for count in examples)
    Counterfactuals(
        start=MLP(MLPConfig(in_features=4, hidden=(), out_features=3), rngs=nnx.Rngs(0)),
        source=source,
        target=target,
        classes=(3, 3),
        seed=0,
        pretraining_steps=1,
        options={"steps": 1, "seed": 0, "batch_size": asked, "learning_rate": 0.1},
        probe_learning_rate=0.1,
    ).train("a head each")
    assert sorted(batches[0]["first"]) == [0] * each + [3] * each


def test_only_the_outputs_that_are_asked_count():
    scores, labels = jax.random.normal(jax.random.key(0), (4, 5)), jnp.array([0, 1, 3, 4])
    batch = {"image": scores, "label": labels, "first": jnp.array([0, 0, 2, 2]), "past": jnp.array([2, 2, 5, 5])}

    def apart(scores):
        losses = softmax_cross_entropy(scores[:2, :2], labels[:2]), softmax_cross_entropy(scores[2:, 2:], labels[2:] - 2)
        return jnp.concatenate(losses).mean()

    (value, slope), (expected, expected_slope) = (
        jax.value_and_grad(loss)(scores)
        for loss in (lambda scores: _loss_of_columns(lambda x: x, batch | {"image": scores}), apart)
    )
    np.testing.assert_allclose(value, expected, rtol=1e-6)
    np.testing.assert_allclose(slope, expected_slope, atol=1e-6)
    assert np.all(np.asarray(slope)[:2, 2:] == 0) and np.all(np.asarray(slope)[2:, :2] == 0)
