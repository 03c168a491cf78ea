"""What `mask_tokens` must do: seen in 100,000 tokens, all 7, of which chance cannot move a share by more than 0.02."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from exercises.runner.expectations import expect, expect_refusal, expect_that

KEY = jax.random.key(5)
SEVENS = np.full((200, 500), 7)
CALL = "mask_tokens(key, tokens, mask_token=9, vocabulary=4, rate=0.3) with 200 × 500 tokens, all 7"


@pytest.fixture(scope="module")
def mask_tokens(answer):
    return answer


@pytest.fixture(scope="module")
def drawn(mask_tokens):
    """The tokens with holes, and where the loss counts."""
    return tuple(np.asarray(part) for part in mask_tokens(KEY, SEVENS, mask_token=9, vocabulary=4, rate=0.3))


def test_as_many_are_chosen_as_the_rate_says(drawn):
    _, chosen = drawn
    expect_that(chosen.dtype == bool, CALL, chosen, "as the second result an array of booleans", "True where the loss counts")
    because = "each position is chosen with a chance of 0.3"
    expect(np.asarray(chosen.mean()), 0.3, f"{CALL}; the share that is chosen", because, atol=0.02)


def test_what_is_not_chosen_stays(drawn):
    holes, chosen = drawn
    call = f"{CALL}; the tokens that are not chosen"
    expect_that((holes[~chosen] == 7).all(), call, holes[~chosen], "all 7", "only chosen tokens are spoiled")


def test_eight_of_ten_become_holes_one_is_random_and_one_stays(drawn):
    holes, chosen = drawn
    fates = np.bincount(holes[chosen], minlength=10)[:10] / max(chosen.sum(), 1)
    because = "80% become the mask token 9, 10% stay 7 and count all the same, and 10% are drawn from 0, 1, 2 and 3"
    expected = [0.025, 0.025, 0.025, 0.025, 0, 0, 0, 0.1, 0, 0.8]
    expect(fates, expected, f"{CALL}; of the chosen ones, how many became 0, 1, …, 9", because, atol=0.012)


def test_every_position_is_chosen_by_itself(drawn):
    _, chosen = drawn
    because = "if one is chosen with a chance of 0.3, both are with a chance of 0.09"
    right = (chosen[:, 1:] & chosen[:, :-1]).mean()
    below = (chosen[1:] & chosen[:-1]).mean()
    call = f"{CALL}; the share of neighbours, in a row and in a column, that are both chosen"
    expect(np.array([right, below]), [0.09, 0.09], call, because, atol=0.01)


def test_the_key_decides(mask_tokens):
    def masked(key):
        return np.asarray(mask_tokens(key, jnp.arange(200), mask_token=200, vocabulary=200)[0])

    call = "mask_tokens(key, jnp.arange(200), mask_token=200, vocabulary=200) twice with one key, and once with another"
    expect(masked(KEY), masked(KEY), call, "the same key makes the same holes")
    other = masked(jax.random.key(6))
    expect_that((other != masked(KEY)).any(), call, other, "other holes from another key", "all randomness comes from the key")


@pytest.mark.parametrize(("rate", "vocabulary"), [(-0.1, 4), (1.5, 4), (0.15, 0)])
def test_what_is_no_chance_or_no_vocabulary_is_refused(mask_tokens, rate, vocabulary):
    call = f"mask_tokens(key, tokens, mask_token=9, vocabulary={vocabulary}, rate={rate})"
    because = "a rate goes from 0 to 1, and a random token needs a vocabulary to come from"
    expect_refusal(lambda: mask_tokens(KEY, SEVENS, mask_token=9, vocabulary=vocabulary, rate=rate), call, because)
