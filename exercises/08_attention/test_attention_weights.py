"""What `attention_weights` must do. Few shapes: each new one is compiled anew, which takes longer than all the arithmetic."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from exercises.runner.expectations import expect, expect_refusal, expect_that


@pytest.fixture(scope="module")
def attention_weights(answer):
    return answer


def numbers(*shape, shift=0.0):
    return np.sin(2.3 * np.arange(math.prod(shape), dtype=np.float32) + shift).reshape(shape)


QUERY = numbers(2, 3, 4, 8)  # batch, queries, heads, depth
KEY = numbers(2, 5, 4, 8, shift=0.7)  # batch, keys, heads, depth
SHAPES = "query.shape = (2, 3, 4, 8), key.shape = (2, 5, 4, 8)"


def reference(query, key, seen: Any = True):
    """Query by query, head by head, in float64."""
    query, key = np.asarray(query, np.float64), np.asarray(key, np.float64)
    key = np.repeat(key, query.shape[-2] // key.shape[-2], axis=-2)
    scores = np.einsum("bqhd,bkhd->bhqk", query, key) / math.sqrt(query.shape[-1])
    weights = np.exp(scores - scores.max(-1, keepdims=True)) * np.broadcast_to(seen, scores.shape)
    return weights / np.maximum(weights.sum(-1, keepdims=True), 1e-300)


def test_one_query_by_hand(attention_weights):
    query = jnp.array([[[2.0, 0.0, 0.0, 0.0]]])
    key = jnp.array([[[0.0, 5.0, 5.0, 5.0]], [[math.log(3), 5.0, 5.0, 5.0]]])
    call = "attention_weights(query, key) with one query [2, 0, 0, 0] and the keys [0, 5, 5, 5] and [log 3, 5, 5, 5]"
    because = "the products are 0 and 2 log 3; divided by √4 they are 0 and log 3, so that the weights are as 1 to 3"
    expect(attention_weights(query, key), [[[0.25, 0.75]]], call, because)


def test_for_each_head_and_query_the_weights_sum_to_one_over_the_keys(attention_weights):
    call = f"attention_weights(query, key) with {SHAPES}"
    because = "the shape is (batch, heads, queries, keys), and the softmax runs along the keys"
    expect(attention_weights(jnp.array(QUERY), jnp.array(KEY)), reference(QUERY, KEY), call, because)


def test_what_may_not_be_seen_gets_nothing_and_the_rest_sums_to_one(attention_weights):
    mask = np.array([[1, 1, 0, 1, 0], [0, 0, 1, 0, 0]], bool)[:, None, None]
    call = (
        f"attention_weights(query, key, mask=mask) with {SHAPES}, and mask of shape (2, 1, 1, 5) = {mask[:, 0, 0].astype(int)}"
    )
    because = "the mask works on the scores, before the softmax; True means: may be seen"
    weights = attention_weights(jnp.array(QUERY), jnp.array(KEY), mask=jnp.array(mask))
    expect(weights, reference(QUERY, KEY, mask), " ".join(call.split()), because)


def test_a_hidden_key_gets_nothing_however_well_it_fits(attention_weights):
    query, key = jnp.full((1, 1, 4), 50.0), jnp.array([50.0, 0.0])[:, None, None] * jnp.ones((2, 1, 4))
    call = "attention_weights(query, key, mask=[[[False, True]]]) where the hidden key's score is 5000"
    weights = attention_weights(query, key, mask=jnp.array([[[False, True]]]))
    expect(weights, [[[0, 1]]], call, "a fixed penalty is not enough: some score is larger")


def test_causal_queries_see_themselves_and_what_came_before(attention_weights):
    query, key = QUERY, KEY[:, :3]
    call = "attention_weights(query, key, is_causal=True) with query.shape = key.shape = (2, 3, 4, 8)"
    expected = reference(query, key, np.tril(np.ones((3, 3), bool)))
    expect(attention_weights(jnp.array(query), jnp.array(key), is_causal=True), expected, call, "query i sees keys 0 … i")


def test_a_mask_and_causality_hold_together(attention_weights):
    query, key = QUERY, KEY[:, :3]
    mask = np.array([True, False, True])
    call = "attention_weights(query, key, mask=[True, False, True], is_causal=True) with query.shape = key.shape = (2, 3, 4, 8)"
    expected = reference(query, key, np.tril(np.ones((3, 3), bool)) & mask)
    weights = attention_weights(jnp.array(query), jnp.array(key), mask=jnp.array(mask), is_causal=True)
    expect(weights, expected, call, "a key is seen if both allow it")


def test_a_query_that_may_see_nothing_gets_nothing(attention_weights):
    mask = jnp.array([[[[False] * 5]], [[[True] * 5]]])
    call = f"attention_weights(query, key, mask=mask) with {SHAPES}, and a mask that hides all keys of the first example"
    because = "there is nothing to share out: all 0, not NaN and not 1/5 each"
    expect(attention_weights(jnp.array(QUERY), jnp.array(KEY), mask=mask)[0], np.zeros((4, 3, 5)), call, because)

    slope = jax.grad(lambda query: (attention_weights(query, jnp.array(KEY), mask=mask) ** 2).sum())(jnp.array(QUERY))
    because = "a NaN in the gradient of one query spoils all weights; −∞ in place of a large negative number makes one"
    expect_that(np.isfinite(slope).all(), f"the gradient of {call}", slope, "finite numbers", because)


def test_large_scores_are_no_trouble(attention_weights):
    query, key = jnp.full((1, 1, 4), 100.0), jnp.array([0.0, 1.0, 1.0])[:, None, None] * jnp.full((3, 1, 4), 100.0)
    call = "attention_weights(query, key) with scores 0, 20000 and 20000"
    expect(attention_weights(query, key), [[[0, 0.5, 0.5]]], call, "take the largest score off first, or use jax.nn.softmax")


def test_neighbouring_heads_share_a_head_of_keys(attention_weights):
    call = "attention_weights(query, key) with query.shape = (2, 3, 4, 8), key.shape = (2, 5, 2, 8)"
    because = "heads 0 and 1 of the queries use head 0 of the keys, heads 2 and 3 use head 1"
    expect(attention_weights(jnp.array(QUERY), jnp.array(KEY[:, :, :2])), reference(QUERY, KEY[:, :, :2]), call, because)


@pytest.mark.parametrize("shape", [(2, 5, 4, 1), (2, 5, 3, 8)], ids=str)
def test_what_does_not_fit_is_refused(attention_weights, shape):
    call = f"attention_weights(query, key) with query.shape = (2, 3, 4, 8), key.shape = {shape}"
    because = "depths must be equal (1 would broadcast in silence), and heads of keys must divide the heads of queries"
    expect_refusal(lambda: attention_weights(jnp.array(QUERY), jnp.ones(shape)), call, because)


def test_it_works_under_jit(attention_weights):
    weights = jax.jit(attention_weights, static_argnames="is_causal")(jnp.array(QUERY), jnp.array(KEY))
    expect(weights, reference(QUERY, KEY), f"jax.jit(attention_weights)(query, key) with {SHAPES}", "compiling changes nothing")
