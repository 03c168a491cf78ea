"""Networks of many layers: rematerialized or scanned they are the same network, under the same names."""

import jax
import numpy as np
import pytest
from flax import nnx

from nn.models import BERT, GPT, BERTConfig, GPTConfig, Transformer, TransformerConfig, generate
from nn.training import masked_token_loss, next_token_loss, translation_loss

WAYS = [dict(rematerialize=True), dict(scan=True), dict(rematerialize=True, scan=True)]
every_way = pytest.mark.parametrize("way", WAYS, ids=lambda way: " and ".join(way))

TEXT = np.array([[1, 2, 0, 4, 3, 3], [3, 3, 1, 0, 2, 4]], np.int32)
LENGTHS = np.array([6, 4], np.int32)
SIZES = dict(features=8, heads=2, layers=3, dropout=0.2)


def bert_loss(model, batch):
    return masked_token_loss(lambda tokens: model(tokens, lengths=batch["lengths"]), batch)


MODELS = {
    "GPT": (GPT, GPTConfig(vocabulary=5, length=6, **SIZES), next_token_loss, {"tokens": TEXT}),
    "BERT": (
        BERT,
        BERTConfig(vocabulary=5, length=6, **SIZES),
        bert_loss,
        {"tokens": TEXT, "targets": TEXT, "mask": TEXT >= 2, "lengths": LENGTHS},
    ),
    "Transformer": (
        Transformer,
        TransformerConfig(source_vocabulary=5, target_vocabulary=5, hidden=12, max_length=6, **SIZES),
        translation_loss,
        {"source": TEXT, "target": TEXT, "source_lengths": LENGTHS, "target_lengths": LENGTHS},
    ),
}


def build(name, **way):
    make, config, *_ = MODELS[name]
    return make(type(config)(**vars(config) | way), rngs=nnx.Rngs(0))


def learned(name, **way):
    """The loss, its slopes by the names of the weights, and how far the random keys have come."""
    _, _, loss, batch = MODELS[name]
    graphdef, weights, moving = nnx.split(build(name, **way), nnx.Param, ...)

    def value(weights, batch):
        model = nnx.merge(graphdef, weights, moving, copy=True)
        return loss(model, batch), nnx.state(model, nnx.RngCount)

    (value, counts), slopes = jax.jit(jax.value_and_grad(value, has_aux=True))(weights, batch)
    slopes = {path: np.asarray(leaf[...]) for path, leaf in nnx.to_flat_state(slopes)}
    return value, slopes, [int(count) for count in jax.tree.leaves(counts)]


@pytest.fixture(scope="module")
def plainly():
    known = {}
    return lambda name: known[name] if name in known else known.setdefault(name, learned(name))


@every_way
@pytest.mark.parametrize("name", MODELS)
def test_it_has_the_same_loss_slopes_and_random_masks(name, way, plainly):
    (value, slopes, counts), (expected, right, steps) = learned(name, **way), plainly(name)
    np.testing.assert_allclose(value, expected, rtol=1e-6)
    assert counts == steps and max(counts) > 0
    assert slopes.keys() == right.keys()
    for path in slopes:
        np.testing.assert_allclose(slopes[path], right[path], rtol=1e-5, atol=1e-6, err_msg=str(path))


@every_way
def test_it_writes_the_same(way):
    """Token by token, with what came before in the cache."""
    one, other = (build("GPT", **choice) for choice in ({}, way))
    text, key = TEXT[:, :2], jax.random.key(0)
    np.testing.assert_array_equal(generate(other, text, 4, key=key), generate(one, text, 4, key=key))
    one, other = (build("Transformer", **choice) for choice in ({}, way))
    sentences = dict(start=1, end=2, source_lengths=LENGTHS)
    np.testing.assert_array_equal(other.translate(TEXT, **sentences), one.translate(TEXT, **sentences))
