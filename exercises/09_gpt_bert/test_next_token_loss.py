"""What `next_token_loss` must do. The model of the tests is a table: after token t it gives the scores in row t."""

import jax.numpy as jnp
import numpy as np
import pytest

from exercises.runner.expectations import expect, expect_refusal

TABLE = np.sin(1.7 * np.arange(25, dtype=np.float32)).reshape(5, 5) * 2
TOKENS = np.array([[0, 1, 2, 3], [4, 4, 1, 0], [2, 0, 3, 1]])
MODEL = "a model that gives, after token t, the scores in row t of a table"


@pytest.fixture(scope="module")
def next_token_loss(answer):
    return answer


def model(tokens):
    return jnp.asarray(TABLE)[tokens]


def surprises(tokens):
    """(batch, time − 1), in float64."""
    scores = TABLE.astype(np.float64)
    scores = scores - np.log(np.exp(scores).sum(-1, keepdims=True))
    return -scores[tokens[:, :-1], tokens[:, 1:]]


def test_one_text_by_hand(next_token_loss):
    chances = jnp.log(jnp.array([[0.5, 0.25, 0.25], [0.125, 0.75, 0.125], [0.2, 0.2, 0.6]]))
    chance = "after 0, 1 has a chance of 1/4; after 1, 0 has one of 1/8"
    call = f"next_token_loss(model, {{'tokens': [[0, 1, 0]]}}) with a model by which {chance}"
    because = "the first token is given; then −log(1/4) for the 1 after 0, and −log(1/8) for the 0 after 1: their mean, in nats"
    got = next_token_loss(lambda tokens: chances[tokens], {"tokens": jnp.array([[0, 1, 0]])})
    expect(got, np.mean([np.log(4), np.log(8)]), call, because)


def test_it_is_the_mean_over_all_tokens_but_the_first(next_token_loss):
    call = f"next_token_loss(model, batch) with {MODEL}, tokens.shape = (3, 4)"
    because = "the scores at place i are about token i + 1: nine questions, one mean"
    expect(next_token_loss(model, {"tokens": jnp.array(TOKENS)}), surprises(TOKENS).mean(), call, because)


def test_padding_is_not_asked_for(next_token_loss):
    mask = np.array([[1, 1, 1, 1], [1, 1, 0, 0], [1, 1, 1, 0]], bool)
    call = f"next_token_loss(model, batch) with {MODEL}, tokens.shape = (3, 4), mask = {mask.astype(int).tolist()}"
    because = "a token counts if the mask is True at its own place; all that count do so alike, whichever text they are in"
    expected = surprises(TOKENS)[mask[:, 1:]].mean()
    expect(next_token_loss(model, {"tokens": jnp.array(TOKENS), "mask": jnp.array(mask)}), expected, call, because)


def test_the_model_does_not_see_the_last_token(next_token_loss):
    seen = []

    def noting(tokens):
        seen.append(np.asarray(tokens))
        return model(tokens)

    next_token_loss(noting, {"tokens": jnp.array(TOKENS)})
    call = f"next_token_loss(model, {{'tokens': {TOKENS.tolist()}}}); what the model was given"
    because = "nothing is asked about what follows the last token, and a model for texts of three has no place for a fourth"
    expect(seen[0], TOKENS[:, :-1], call, because)


def test_one_token_asks_nothing(next_token_loss):
    call = "next_token_loss(model, {'tokens': [[3], [1]]})"
    because = "the mean of no losses is NaN: two tokens are needed, one to see and one to guess"
    expect_refusal(lambda: next_token_loss(model, {"tokens": jnp.array([[3], [1]])}), call, because)
