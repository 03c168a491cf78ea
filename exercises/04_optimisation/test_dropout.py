"""What `dropout` must do. The keys are fixed, and so many numbers are drawn that a right answer is never refused by chance."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from exercises.runner.expectations import expect, expect_refusal, expect_that

SHAPE = (200, 200)
X = jnp.broadcast_to(jnp.array(3.0), SHAPE)


@pytest.fixture(scope="module")
def dropout(answer):
    return answer


def drop(dropout, rate, seed=0):
    """What comes of an array of threes, and the call in words."""
    y, call = dropout(jax.random.key(seed), X, rate), f"dropout(key, x, {rate}) with x = 3 everywhere, of shape {SHAPE}"
    expect_that(getattr(y, "shape", None) == SHAPE, f"{call}: shape", getattr(y, "shape", y), str(SHAPE))
    return np.asarray(y, np.float64), call


@pytest.mark.parametrize("rate", [0.25, 0.8])
def test_the_share_rate_becomes_zero_and_the_mean_stays(dropout, rate):
    y, call = drop(dropout, rate)
    silenced = (y == 0).mean()
    expected = f"about {rate}"
    expect_that(
        abs(silenced - rate) < 0.02,
        f"the share of zeros in {call}",
        silenced,
        expected,
        "each is silenced with this probability",
    )
    kept = y[y != 0]
    because = f"a share of {1 - rate:.2g} is left, so each must count for 1 / {1 - rate:.2g}: then the mean stays 3"
    expect(kept, np.full(kept.shape, 3 / (1 - rate)), f"what is not 0 in {call}", because)


def test_every_number_has_a_coin_of_its_own(dropout):
    y, call = drop(dropout, 0.5)
    zeros = y == 0
    for axis, name in ((0, "column"), (1, "row")):
        spread = zeros.mean(axis).std()
        because = f"among 200 coins of its own a {name}'s share of zeros varies by √(¼ / 200) = 0.035"
        expect_that(
            0.025 < spread < 0.045, f"how much the {name}s' shares of zeros vary in {call}", spread, "about 0.035", because
        )


def test_the_number_of_zeros_varies_with_the_key(dropout):
    counts = [int((drop(dropout, 0.5, seed)[0] == 0).sum()) for seed in range(4)]
    call = "how many zeros dropout(key, x, 0.5) makes, for four keys"
    because = "independent coins do not agree on a number: 40,000 of them vary by about 100"
    expect_that(len(set(counts)) > 1, call, counts, "different numbers", because)


def test_the_key_decides_and_another_key_decides_otherwise(dropout):
    first, call = drop(dropout, 0.5, seed=1)
    again, _ = drop(dropout, 0.5, seed=1)
    other, _ = drop(dropout, 0.5, seed=2)
    expect(again, first, f"{call}, twice with one key", "all chance comes from the key")
    agree = ((first == 0) == (other == 0)).mean()
    because = "with one mask for all steps the network would simply be smaller"
    expect_that(agree < 0.6, f"the share of places where two keys agree in {call}", agree, "about 0.5", because)


def test_rate_0_changes_nothing_and_rate_1_leaves_nothing(dropout):
    for rate, value in ((0.0, 3.0), (1.0, 0.0)):
        y, call = drop(dropout, rate)
        because = "nothing is silenced" if rate == 0 else "all is silenced: 0, and not 3 / 0 or 0 / 0"
        expect(y, np.full(SHAPE, value), call, because)


@pytest.mark.parametrize("rate", [-0.1, 1.5, math.nan])
def test_a_rate_that_is_no_probability_is_refused(dropout, rate):
    nan = "NaN is neither below 0 nor above 1: ask what a rate must be, `not 0 <= rate <= 1`"
    because = nan if math.isnan(rate) else "a rate is between 0 and 1"
    expect_refusal(lambda: dropout(jax.random.key(0), X, rate), f"dropout(key, x, {rate})", because)
