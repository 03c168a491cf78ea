"""A prompt says what to do; the model that reads it stays as it is."""

import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from nn.data import Dataset
from nn.models import GPT, GPTConfig
from nn.training import fit, next_token_loss
from transfer import parameter_summary
from transfer.prompt_tuning import PromptedGPT, apply_prompt, prompted_features

UP, DOWN = 8, 9  # tokens that say which way to count; 0 to 7 are the numbers
TOKENS = np.array([[1, 2, 3, 4], [7, 6, 5, 4]], np.int32)


def model():
    return GPT(GPTConfig(vocabulary=10, length=8, features=16, heads=2, layers=1), rngs=nnx.Rngs(0))


def counting(first):
    """The numbers from each of 0 to 7 on, up or down, round and round; in front of them what was asked for, if anything."""
    ways = {UP: 1, DOWN: -1}
    return np.array(
        [
            [*([token] if first else []), *((start + way * np.arange(5)) % 8)]
            for token, way in ways.items()
            for start in range(8)
        ],
        np.int32,
    )


def loss_of(model, tokens):
    return float(next_token_loss(model, {"tokens": jnp.asarray(tokens)}))


def numbers(model):
    return {".".join(map(str, path)): np.array(value[...]) for path, value in nnx.to_flat_state(nnx.state(model, nnx.Param))}


def test_without_a_prompt_the_model_says_what_it_says_and_a_prompt_of_words_is_those_words():
    gpt = model()
    empty = jnp.zeros((0, 16))
    np.testing.assert_allclose(prompted_features(gpt, empty, TOKENS), gpt.features(TOKENS), atol=1e-6)
    words = np.array([3, 9], np.int32)
    written = gpt.features(np.concatenate([np.stack([words] * 2), TOKENS], axis=1))[:, 2:]
    np.testing.assert_allclose(prompted_features(gpt, gpt.wte(words), TOKENS), written, atol=1e-6)


def test_a_prompt_is_its_vectors_and_begins_as_embeddings_of_different_words():
    gpt = model()
    prompted, wrt = apply_prompt(gpt, 6, rngs=nnx.Rngs(1))
    assert parameter_summary(prompted, wrt).trainable == 6 * 16
    table, prompt = np.asarray(gpt.wte.embedding[...]), np.asarray(prompted.prompt[...])
    words = [int(np.flatnonzero((vector == table).all(1))[0]) for vector in prompt]
    assert len(set(words)) == 6
    assert prompted(TOKENS[:, :2]).shape == (2, 2, 10)


@pytest.mark.slow
def test_a_prompt_tells_a_frozen_model_which_way_to_count():
    """The model has learned both ways, each behind its word. Without a word it cannot know; learned vectors tell it.

    Ten other models, twenty beginnings each: the loss behind three vectors fell below 0.01 in all 200. One vector is not
    enough: in 20 of 200 beginnings its loss stayed at 0.4 to 2.3, at any learning rate (see the module)."""
    gpt = model()
    data = Dataset.from_arrays({"tokens": counting(first=True)}).batches(16, seed=0)
    fit(gpt, data, loss=next_token_loss, optimizer=optax.adam(1e-2), steps=300)
    up, down = np.split(counting(first=False), 2)
    assert loss_of(gpt, up) > 0.5
    batches, optimizer = Dataset.from_arrays({"tokens": up}).batches(8, seed=0), optax.adamw(0.1, weight_decay=0.01)
    for seed in range(3):
        prompted, wrt = apply_prompt(gpt, 3, rngs=nnx.Rngs(seed))
        before = numbers(prompted)
        fit(prompted, batches, loss=next_token_loss, optimizer=optimizer, steps=200, wrt=wrt)
        after = numbers(prompted)
        assert {name for name in before if not np.array_equal(before[name], after[name])} == {"prompt"}
        assert loss_of(prompted, up) < 0.1
        # The other way of counting is as far away as ever: it is the prompt that chose.
        assert loss_of(prompted, down) > 2


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: prompted_features(model(), jnp.zeros((2, 8)), TOKENS), r"vectors of 16 features.*got a prompt \(2, 8\)"),
        (lambda: prompted_features(model(), jnp.zeros((5, 16)), TOKENS), r"at most 8 .*got a prompt \(5, 16\) and 4 tokens"),
        (lambda: PromptedGPT(model(), 0, rngs=nnx.Rngs(0)), "expects 1 to 6 vectors.*got 0"),
        (lambda: PromptedGPT(model(), 7, rngs=nnx.Rngs(0)), "expects 1 to 6 vectors.*got 7"),
    ],
)
def test_a_prompt_that_does_not_fit_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
