"""What `online_softmax` must do. Few shapes: each new one is compiled anew, which takes longer than all the arithmetic."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from exercises.runner.expectations import expect, expect_that

LOWEST = float(np.finfo(np.float32).min)
SCORES = 3 * np.sin(2.3 * np.arange(36, dtype=np.float32)).reshape(3, 12)
VALUES = np.cos(1.1 * np.arange(48, dtype=np.float32)).reshape(12, 4)


@pytest.fixture(scope="module")
def online_softmax(answer):
    return answer


def nothing_met(rows, depth):
    return jnp.full((rows, 1), LOWEST), jnp.zeros((rows, 1)), jnp.zeros((rows, depth))


def expect_state(got, expected, call, because):
    three = isinstance(got, tuple) and len(got) == 3
    expect_that(three, call, got, "three arrays", "m, z and a are carried along")
    for name, one, other in zip(("m, the largest score", "z, the sum", "a, the weighted sum"), got, expected, strict=True):
        expect(one, other, f"{call}, and looked at {name}", because)


def plain(scores, values):
    """m, z and a of all scores at once, in float64."""
    m = scores.max(1, keepdims=True).astype(np.float64)
    p = np.exp(scores - m)
    return m, p.sum(1, keepdims=True), p @ values


def test_the_first_piece_by_hand(online_softmax):
    got = online_softmax(nothing_met(1, 1), jnp.array([[0.0, math.log(3)]]), jnp.array([[10.0], [20.0]]))
    call = "online_softmax((lowest, 0, 0), scores, values) with scores [[0, log 3]] and values [[10], [20]]"
    because = "m = log 3, so that the two exponentials are 1/3 and 1; z is their sum and a = 10/3 + 20"
    expect_state(got, ([[math.log(3)]], [[4 / 3]], [[70 / 3]]), call, because)


def test_a_larger_score_shrinks_what_was_summed_before(online_softmax):
    state = (jnp.array([[0.0]]), jnp.array([[1.0]]), jnp.array([[8.0]]))
    got = online_softmax(state, jnp.array([[math.log(4)]]), jnp.array([[5.0]]))
    call = "online_softmax((0, 1, 8), scores, values) with scores [[log 4]] and values [[5]]"
    because = "the new m is log 4, so the old sums are multiplied by exp(0 − log 4) = 1/4: z = 1/4 + 1 and a = 8/4 + 5"
    expect_state(got, ([[math.log(4)]], [[1.25]], [[7.0]]), call, because)


def test_a_smaller_score_leaves_the_largest_alone(online_softmax):
    state = (jnp.array([[math.log(4)]]), jnp.array([[1.0]]), jnp.array([[8.0]]))
    got = online_softmax(state, jnp.array([[0.0]]), jnp.array([[4.0]]))
    call = "online_softmax((log 4, 1, 8), scores, values) with scores [[0]] and values [[4]]"
    because = "m stays log 4, and the new key's exponential is exp(0 − log 4) = 1/4"
    expect_state(got, ([[math.log(4)]], [[1.25]], [[9.0]]), call, because)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)], ids=str)
def test_pieces_in_any_order_give_what_all_scores_give_at_once(online_softmax, order):
    state, step = nothing_met(3, 4), jax.jit(online_softmax)
    for piece in order:
        keys = slice(4 * piece, 4 * piece + 4)
        state = step(state, jnp.array(SCORES[:, keys]), jnp.array(VALUES[keys]))
    call = f"jax.jit(online_softmax)(state, scores, values) three times, with pieces {order} of 12 keys, for 3 rows"
    expect_state(state, plain(SCORES, VALUES), call, "m, z and a do not depend on how the keys are cut, nor on their order")


def test_each_row_has_a_largest_score_of_its_own(online_softmax):
    got = online_softmax(nothing_met(2, 1), jnp.array([[300.0, 300.0], [-300.0, -300.0]]), jnp.array([[1.0], [3.0]]))
    call = "online_softmax((lowest, 0, 0), scores, values) with scores [[300, 300], [−300, −300]] and values [[1], [3]]"
    because = "with one m for both rows the second row's exponentials would all be 0"
    expect_state(got, ([[300], [-300]], [[2], [2]], [[4], [4]]), call, because)


def test_a_much_smaller_score_does_not_overflow(online_softmax):
    state = (jnp.array([[500.0]]), jnp.array([[1.0]]), jnp.array([[8.0]]))
    got = online_softmax(state, jnp.array([[0.0]]), jnp.array([[5.0]]))
    call = "online_softmax((500, 1, 8), scores, values) with scores [[0]] and values [[5]]"
    expect_state(got, ([[500]], [[1]], [[8]]), call, "m is the largest of all scores met, and not of the newest piece alone")


def test_keys_that_may_not_be_seen_change_nothing(online_softmax):
    hidden, values = jnp.full((1, 2), -jnp.inf), jnp.array([[5.0], [6.0]])
    call = "online_softmax(state, scores, values) with all scores −∞"
    state = (jnp.array([[2.0]]), jnp.array([[1.5]]), jnp.array([[8.0]]))
    expect_state(online_softmax(state, hidden, values), state, f"{call} and state (2, 1.5, 8)", "e to the power of −∞ is 0")
    state = nothing_met(1, 1)
    because = "m stays the lowest finite number: were it −∞, the next difference would be −∞ − −∞, which is NaN"
    expect_state(online_softmax(state, hidden, values), state, f"{call} and nothing met before", because)
