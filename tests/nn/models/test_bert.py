import re
from math import erf, prod

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from nn.models import BERT, BERTConfig
from nn.training import masked_token_loss

CONFIG = BERTConfig(vocabulary=11, length=9, features=8, heads=2, layers=2)
TOKENS = np.array([[1, 10, 2, 2, 7, 0], [5, 4, 3, 9, 8, 1]])
TYPES = np.array([[0, 0, 0, 1, 1, 1], [0, 1, 1, 1, 1, 1]])
LENGTHS = np.array([4, 6])

# What a published checkpoint holds, by its names, and how these become ours; here in the sizes of CONFIG. Matrices are
# published as (outputs, inputs); queries, keys and values as one matrix for all heads.
PUBLISHED = {
    "bert.embeddings.word_embeddings.weight": (11, 8),
    "bert.embeddings.position_embeddings.weight": (9, 8),
    "bert.embeddings.token_type_embeddings.weight": (2, 8),
    "bert.embeddings.LayerNorm.weight": (8,),
    "bert.embeddings.LayerNorm.bias": (8,),
    "bert.encoder.layer.{i}.attention.self.query.weight": (8, 8),
    "bert.encoder.layer.{i}.attention.self.query.bias": (8,),
    "bert.encoder.layer.{i}.attention.self.key.weight": (8, 8),
    "bert.encoder.layer.{i}.attention.self.key.bias": (8,),
    "bert.encoder.layer.{i}.attention.self.value.weight": (8, 8),
    "bert.encoder.layer.{i}.attention.self.value.bias": (8,),
    "bert.encoder.layer.{i}.attention.output.dense.weight": (8, 8),
    "bert.encoder.layer.{i}.attention.output.dense.bias": (8,),
    "bert.encoder.layer.{i}.attention.output.LayerNorm.weight": (8,),
    "bert.encoder.layer.{i}.attention.output.LayerNorm.bias": (8,),
    "bert.encoder.layer.{i}.intermediate.dense.weight": (32, 8),
    "bert.encoder.layer.{i}.intermediate.dense.bias": (32,),
    "bert.encoder.layer.{i}.output.dense.weight": (8, 32),
    "bert.encoder.layer.{i}.output.dense.bias": (8,),
    "bert.encoder.layer.{i}.output.LayerNorm.weight": (8,),
    "bert.encoder.layer.{i}.output.LayerNorm.bias": (8,),
    "bert.pooler.dense.weight": (8, 8),
    "bert.pooler.dense.bias": (8,),
    "cls.predictions.transform.dense.weight": (8, 8),
    "cls.predictions.transform.dense.bias": (8,),
    "cls.predictions.transform.LayerNorm.weight": (8,),
    "cls.predictions.transform.LayerNorm.bias": (8,),
    "cls.predictions.bias": (11,),
}
RENAMING = {
    r"^(bert|cls)\.(encoder\.)?": "",
    r"predictions\.transform": "predictions",
    r"attention\.self": "attention",
    r"attention\.output\.dense": "attention.out",
    r"attention\.output\.LayerNorm": "attention_norm",
    r"output\.LayerNorm": "output_norm",
    r"(intermediate|output|pooler)\.dense": r"\1",
    r"embeddings\.weight": "embeddings.embedding",
    r"(LayerNorm|_norm)\.weight": r"\1.scale",
    r"\.weight": ".kernel",
}
NAMES = {name.format(i=i): shape for name, shape in PUBLISHED.items() for i in range(CONFIG.layers)}


def ours(published):
    for pattern, name in RENAMING.items():
        published = re.sub(pattern, name, published)
    return published


def bert(**changes):
    """One whose weights are all random and far from 0, so that every part is heard."""
    model = BERT(BERTConfig(**{**vars(CONFIG), **changes}), rngs=nnx.Rngs(0))
    random = np.random.default_rng(1)
    state = nnx.state(model, nnx.Param)
    nnx.update(model, jax.tree.map(lambda leaf: jnp.asarray(random.normal(0, 0.5, leaf.shape), leaf.dtype), state))
    return model


def by_name(model):
    return {".".join(map(str, path)): leaf for path, leaf in nnx.to_flat_state(nnx.state(model, nnx.Param))}


def count_without_predictions(config):
    weights = by_name(nnx.eval_shape(lambda: BERT(config, rngs=nnx.Rngs(0))))
    return sum(leaf.size for name, leaf in weights.items() if not name.startswith("predictions"))


def test_bert_base_has_109_482_240_parameters():
    assert count_without_predictions(BERTConfig.base()) == 109_482_240


@pytest.mark.slow
def test_bert_large_has_as_many_as_published():
    assert count_without_predictions(BERTConfig.large()) == 335_141_888


def test_a_published_checkpoint_becomes_ours_by_renaming():
    found = by_name(bert())
    assert {ours(name): prod(shape) for name, shape in NAMES.items()} == {name: leaf.size for name, leaf in found.items()}


def bert_64(weights, tokens, types, length):
    """BERT's equations in float64, on the tensors of a published checkpoint, for one sequence: (scores, pooled)."""

    def norm(x, name):
        x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-12)
        return x * weights[f"{name}.weight"] + weights[f"{name}.bias"]

    def linear(x, name):
        return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    def gelu(x):
        return x / 2 * (1 + np.vectorize(erf)(x / np.sqrt(2)))

    def attention(query, key, value):
        scores = np.where(np.arange(len(key)) < length, query @ key.T / np.sqrt(query.shape[-1]), -np.inf)
        return np.exp(scores) / np.exp(scores).sum(-1, keepdims=True) @ value

    x = sum(
        weights[f"bert.embeddings.{kind}_embeddings.weight"][index]
        for kind, index in (("word", tokens), ("position", np.arange(len(tokens))), ("token_type", types))
    )
    x = norm(x, "bert.embeddings.LayerNorm")
    for i in range(CONFIG.layers):
        layer = f"bert.encoder.layer.{i}"
        asked = (linear(x, f"{layer}.attention.self.{part}") for part in ("query", "key", "value"))
        heads = [attention(*parts) for parts in zip(*(np.split(part, CONFIG.heads, axis=-1) for part in asked), strict=True)]
        heard = linear(np.concatenate(heads, axis=-1), f"{layer}.attention.output.dense")
        x = norm(x + heard, f"{layer}.attention.output.LayerNorm")
        thought = linear(gelu(linear(x, f"{layer}.intermediate.dense")), f"{layer}.output.dense")
        x = norm(x + thought, f"{layer}.output.LayerNorm")
    guess = norm(gelu(linear(x, "cls.predictions.transform.dense")), "cls.predictions.transform.LayerNorm")
    scores = guess @ weights["bert.embeddings.word_embeddings.weight"].T + weights["cls.predictions.bias"]
    return scores, np.tanh(linear(x[0], "bert.pooler.dense"))


def as_published(value, name):
    value = np.asarray(value, np.float64)
    if name.endswith("embeddings.weight"):
        return value
    shape = NAMES[name]
    return value.reshape(shape[::-1]).T  # heads side by side, and matrices turned


def test_with_published_weights_it_is_bert_in_float64():
    model, found = bert(), by_name(bert())
    weights = {name: as_published(found[ours(name)][...], name) for name in NAMES}

    @jax.jit
    def outputs(tokens, lengths, types):
        options = dict(lengths=lengths, token_types=types)
        return model(tokens, **options), model.pooled(tokens, **options)

    scores, pooled = outputs(TOKENS, LENGTHS, TYPES)
    for i in range(2):
        expected_scores, expected_pooled = bert_64(weights, TOKENS[i], TYPES[i], LENGTHS[i])
        np.testing.assert_allclose(scores[i], expected_scores, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(pooled[i], expected_pooled, rtol=1e-4, atol=1e-4)


def test_it_sees_both_ways_but_not_behind_the_length():
    model, last_changed = bert(), TOKENS.copy()
    last_changed[:, -1] = 6
    before, after = model.features(TOKENS), model.features(last_changed)
    assert (before[:, 0] != after[:, 0]).any(-1).all()
    before, after = (model.features(tokens, lengths=LENGTHS) for tokens in (TOKENS, last_changed))
    np.testing.assert_array_equal(before[0, :4], after[0, :4])
    assert (before[1, 0] != after[1, 0]).any()
    maps = model.attention_maps(TOKENS, lengths=LENGTHS)
    assert maps.shape == (CONFIG.layers, 2, CONFIG.heads, 6, 6)
    np.testing.assert_allclose(maps.sum(-1), 1, rtol=1e-5)
    np.testing.assert_array_equal(maps[:, 0, ..., 4:], 0)
    assert (maps[:, 0, ..., :4] > 0).all() and (maps[:, 1] > 0).all()


def test_all_tokens_are_of_the_first_type_unless_said_otherwise():
    model = bert()
    np.testing.assert_array_equal(model.features(TOKENS), model.features(TOKENS, token_types=np.zeros_like(TOKENS)))
    assert (model.features(TOKENS) != model.features(TOKENS, token_types=TYPES)).any()


def test_input_and_output_share_one_table():
    """A token that is nowhere in the text is learned all the same: as an answer."""
    model = bert()
    assert [name for name, leaf in by_name(model).items() if leaf.shape == (11, 8)] == ["embeddings.word_embeddings.embedding"]
    targets = jnp.full(TOKENS.shape, 6)
    batch = {"tokens": TOKENS, "targets": targets, "mask": np.ones_like(TOKENS, bool)}
    assert 6 not in TOKENS
    graphdef, table, rest = nnx.split(model, nnx.PathContains("word_embeddings"), ...)
    gradient = jax.jit(jax.grad(lambda table: masked_token_loss(nnx.merge(graphdef, table, rest), batch)))(table)
    assert (jax.tree.leaves(gradient)[0][6] != 0).all()


def test_dropout_is_off_in_evaluation():
    model, plain = bert(dropout=0.5), bert()
    assert (model(TOKENS) != model(TOKENS)).any()
    model.eval()
    np.testing.assert_array_equal(model(TOKENS), plain(TOKENS))


def test_what_does_not_fit_is_refused():
    model = bert()
    for refused, message in [
        (lambda: model(np.zeros((1, 10), int)), "BERT expects at most 9 tokens, got 10"),
        (lambda: model(TOKENS + 1), "expects tokens from 0 to 10, got 11"),
        (lambda: model(TOKENS, token_types=TYPES + 1), "expects tokens from 0 to 1, got 2"),
        (lambda: model(TOKENS, lengths=LENGTHS + 1), "padding_mask expects lengths from 0 to 6, got 7"),
        (lambda: BERTConfig.base(heads=7), "BERTConfig expects heads that divide the features, got 7 and 768"),
        (lambda: BERTConfig.base(token_types=0), "BERTConfig expects token_types of at least 1, got token_types=0"),
        (lambda: BERTConfig.base(dropout=-1), "BERTConfig expects dropout between 0 and 1, got -1"),
    ]:
        with pytest.raises(ValueError, match=message):
            refused()
