import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from nn.models import (
    Forecaster,
    ForecasterConfig,
    LanguageModel,
    LanguageModelConfig,
    SequenceClassifier,
    SequenceClassifierConfig,
)
from nn.models.sequence import walk

TOKENS = np.array([[1, 2, 0, 4, 3], [3, 3, 1, 0, 2]])
LENGTHS = np.array([3, 5])
KEY = jax.random.key(0)


def classifier(**options):
    config = SequenceClassifierConfig(vocabulary=5, features=3, out_features=4, hidden=(4,), **options)
    return SequenceClassifier(config, rngs=nnx.Rngs(0))


def language_model(cell="gru"):
    return LanguageModel(LanguageModelConfig(vocabulary=5, features=3, cell=cell, hidden=(4,)), rngs=nnx.Rngs(0))


def forecaster(cell="gru"):
    return Forecaster(ForecasterConfig(features=2, cell=cell, hidden=(4, 3)), rngs=nnx.Rngs(0))


@pytest.mark.parametrize("bidirectional", [False, True], ids=["one direction", "both directions"])
def test_a_classifier_does_not_see_the_padding(bidirectional):
    model = classifier(bidirectional=bidirectional)
    logits = model(TOKENS, LENGTHS)
    other = TOKENS.copy()
    other[0, 3:] = [0, 1]
    np.testing.assert_array_equal(model(other, LENGTHS), logits)
    np.testing.assert_allclose(model(TOKENS[:1, :3])[0], logits[0], rtol=1e-5, atol=1e-6)
    assert not np.allclose(model(other)[0], model(TOKENS)[0], atol=1e-4)  # without lengths all of it counts
    assert model.features(TOKENS, LENGTHS).shape == (2, 8 if bidirectional else 4) and logits.shape == (2, 4)


def test_in_both_directions_the_first_and_the_last_token_matter_alike():
    """The half of the features that walks back ends at the first token, the other half at the last."""
    model = classifier(bidirectional=True)
    graphdef, state = nnx.split(model)
    vectors = model.embed(TOKENS)

    def features(vectors):
        model = nnx.merge(graphdef, state)
        model.embed = lambda tokens: vectors
        return model.features(TOKENS, LENGTHS)

    _, pull = jax.vjp(features, vectors)
    for half in (np.repeat([1, 0], 4), np.repeat([0, 1], 4)):
        reached = np.asarray(pull(jnp.asarray([half] * 2, jnp.float32))[0] != 0).all(-1)
        np.testing.assert_array_equal(reached, [[True, True, True, False, False], [True] * 5])


@pytest.mark.parametrize("make", [forecaster, language_model])
def test_what_it_says_at_a_step_does_not_depend_on_later_ones(make):
    model = make()
    inputs = TOKENS if make is language_model else jax.random.normal(KEY, (2, 5, 2))
    whole = model(inputs)
    np.testing.assert_allclose(model(inputs[:, :3]), whole[:, :3], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_a_forecast_is_what_it_expects_where_all_that_it_expected_has_happened(cell):
    model, x = forecaster(cell), jax.random.normal(KEY, (2, 3, 2))
    forecast = model.forecast(x, 3)
    expected = model(jnp.concatenate([x, forecast], axis=1))
    np.testing.assert_allclose(forecast, expected[:, 2:-1], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_at_temperature_0_it_writes_the_likeliest_token_given_all_that_it_wrote(cell):
    model = language_model(cell)
    written = np.asarray(model.generate(TOKENS[:, :2], 4, key=KEY, temperature=0.0))
    np.testing.assert_array_equal(written[:, :2], TOKENS[:, :2])
    np.testing.assert_array_equal(written[:, 2:], model(written[:, :-1]).argmax(-1)[:, 1:])


def test_the_key_decides_what_is_written_and_tokens_come_as_often_as_the_model_says():
    model = language_model()
    start = np.tile(TOKENS[:1, :2], (4000, 1))
    first, again, other = (np.asarray(model.generate(start, 1, key=jax.random.key(seed)))[:, 2] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    # The standard error of a share of 4,000 draws is at most 0.8 %.
    np.testing.assert_allclose(np.bincount(first, minlength=5) / 4000, jax.nn.softmax(model(start[:1])[0, -1]), atol=0.04)
    assert len(set(np.asarray(model.generate(start, 1, key=KEY, top_k=2))[:, 2])) == 2


def test_a_walk_through_several_layers_can_be_broken_off_and_gone_on_with():
    model, x = forecaster("lstm"), jax.random.normal(KEY, (2, 5, 2))
    carries, outputs = walk(model.rnns, x)
    middle, first = walk(model.rnns, x[:, :2])
    ends, second = walk(model.rnns, x[:, 2:], middle)
    np.testing.assert_allclose(jnp.concatenate([first, second], axis=1), outputs, rtol=1e-5, atol=1e-6)
    jax.tree.map(lambda one, other: np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6), ends, carries)


@pytest.mark.parametrize(
    ("config", "options", "message"),
    [
        (ForecasterConfig, {"cell": "rnn"}, r"ForecasterConfig expects cell simple, lstm or gru, got 'rnn'\."),
        (
            ForecasterConfig,
            {"hidden": ()},
            r"ForecasterConfig expects at least one hidden layer and sizes .*got hidden=\(\), f",
        ),
        (
            LanguageModelConfig,
            {"vocabulary": 5, "hidden": (8, 0)},
            r"LanguageModelConfig expects .* hidden=\(8, 0\), vocabulary=5",
        ),
        (SequenceClassifierConfig, {"vocabulary": 0, "out_features": 2}, r"SequenceClassifierConfig expects .*vocabulary=0"),
    ],
)
def test_a_config_checks_itself(config, options, message, without_type_checks):
    with pytest.raises(ValueError, match=message):
        config(**options)


def test_bad_input_is_named(without_type_checks):
    with pytest.raises(ValueError, match=r"Embed expects tokens from 0 to 4, got 5\."):
        classifier()(TOKENS + 1)
    with pytest.raises(ValueError, match=r"RNN expects lengths from 1 to 5, got 6\."):
        classifier()(TOKENS, LENGTHS + 1)
    with pytest.raises(ValueError, match=r"Forecaster expects 2 features on the last axis of x, got x\.shape=\(2, 5, 3\)\."):
        forecaster()(jnp.ones((2, 5, 3)))
    with pytest.raises(ValueError, match=r"RNN expects at least one step, got x\.shape=\(2, 0, 2\)\."):
        forecaster()(jnp.ones((2, 0, 2)))
    with pytest.raises(ValueError, match=r"forecast expects a count of at least 1, got 0\."):
        forecaster().forecast(jnp.ones((2, 5, 2)), 0)
    with pytest.raises(ValueError, match=r"generate expects .*got tokens\.shape=\(2, 5\) and count=0\."):
        language_model().generate(TOKENS, 0, key=KEY)
    with pytest.raises(ValueError, match=r"generate expects .*got tokens\.shape=\(2, 0\) and count=3\."):
        language_model().generate(TOKENS[:, :0], 3, key=KEY)
    with pytest.raises(ValueError, match=r"temperature of at least 0, got -1\.0\."):
        language_model().generate(TOKENS, 3, key=KEY, temperature=-1.0)
    with pytest.raises(ValueError, match=r"Embed expects tokens from 0 to 4, got 5\.|embed"):
        language_model().generate(TOKENS + 1, 3, key=KEY)
