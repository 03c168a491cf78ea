"""What `dot_product_attention` must do. Few shapes: each new one is compiled anew, which takes long."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from exercises.runner.expectations import expect, expect_refusal, expect_that


@pytest.fixture(scope="module")
def dot_product_attention(answer):
    return answer


def numbers(*shape, shift=0.0):
    return np.sin(2.3 * np.arange(math.prod(shape), dtype=np.float32) + shift).reshape(shape)


QUERY = numbers(2, 3, 4, 8)  # batch, queries, heads, depth
KEY = numbers(2, 3, 4, 8, shift=0.7)  # batch, keys, heads, depth
VALUE = numbers(2, 3, 4, 5, shift=1.1)  # batch, keys, heads, value depth
SHAPES = "query.shape = key.shape = (2, 3, 4, 8), value.shape = (2, 3, 4, 5)"


def reference(query, key, value, seen: Any = True):
    """In float64."""
    query, key, value = (np.asarray(x, np.float64) for x in (query, key, value))
    key, value = (np.repeat(x, query.shape[-2] // x.shape[-2], axis=-2) for x in (key, value))
    scores = np.einsum("bqhd,bkhd->bhqk", query, key) / math.sqrt(query.shape[-1])
    weights = np.exp(scores - scores.max(-1, keepdims=True)) * np.broadcast_to(seen, scores.shape)
    return np.einsum("bhqk,bkhd->bqhd", weights / np.maximum(weights.sum(-1, keepdims=True), 1e-300), value)


def test_one_query_by_hand(dot_product_attention):
    query = jnp.array([[[2.0, 0.0, 0.0, 0.0]]])
    key = jnp.array([[[0.0, 5.0, 5.0, 5.0]], [[math.log(3), 5.0, 5.0, 5.0]]])
    value = jnp.array([[[8.0, 0.0]], [[0.0, 4.0]]])
    call = (
        "dot_product_attention(query, key, value) with the query [2, 0, 0, 0], the keys [0, 5, 5, 5] and [log 3, 5, 5, 5], "
        "and the values [8, 0] and [0, 4]"
    )
    because = "the weights are 1/4 and 3/4 (the scores are divided by √4): 1/4 · [8, 0] + 3/4 · [0, 4]"
    expect(dot_product_attention(query, key, value), [[[2, 3]]], call, because)


def test_each_head_of_each_query_has_a_mean_of_its_own(dot_product_attention):
    call = f"dot_product_attention(query, key, value) with {SHAPES}"
    because = "the result has the shape (batch, queries, heads, value depth): head h sums the values of head h"
    out = dot_product_attention(jnp.array(QUERY), jnp.array(KEY), jnp.array(VALUE))
    expect(out, reference(QUERY, KEY, VALUE), call, because)


def test_the_order_of_the_keys_does_not_matter(dot_product_attention):
    order = [2, 0, 1]
    call = f"dot_product_attention(query, key[:, {order}], value[:, {order}]) with {SHAPES}"
    because = "attention sees a set of keys with their values: shuffled together, they are the same set"
    out = dot_product_attention(jnp.array(QUERY), jnp.array(KEY[:, order]), jnp.array(VALUE[:, order]))
    expect(out, reference(QUERY, KEY, VALUE), call, because)


def test_what_is_hidden_has_no_say(dot_product_attention):
    mask = np.array([[1, 1, 0], [0, 1, 0]], bool)[:, None, None]
    value = np.where(mask[:, 0, 0, :, None, None], VALUE, 1e6).astype(np.float32)  # what is hidden would be heard
    call = f"dot_product_attention(query, key, value, mask=mask) with {SHAPES}, mask.shape = (2, 1, 1, 3)"
    out = dot_product_attention(jnp.array(QUERY), jnp.array(KEY), jnp.array(value), mask=jnp.array(mask))
    expect(out, reference(QUERY, KEY, VALUE, mask), call, "the mask works on the scores: what is left sums to 1 again")


def test_causal_attention_ignores_the_future(dot_product_attention):
    key, value = KEY.copy(), VALUE.copy()
    key[:, 2], value[:, 2] = 99, -99
    call = f"dot_product_attention(query, key, value, is_causal=True)[:, :2] with {SHAPES} and nonsense at position 2"
    out = dot_product_attention(jnp.array(QUERY), jnp.array(key), jnp.array(value), is_causal=True)
    expected = reference(QUERY, KEY, VALUE, np.tril(np.ones((3, 3), bool)))[:, :2]
    expect(out[:, :2], expected, call, "query i sees keys 0 … i, and its own is among them")


def test_neighbouring_heads_share_keys_and_values(dot_product_attention):
    key, value = KEY[:, :, :2], VALUE[:, :, :2]
    call = "dot_product_attention(query, key, value) with 4 heads of queries and 2 of keys and values"
    because = "heads 0 and 1 of the queries use head 0 of keys and values, heads 2 and 3 use head 1"
    out = dot_product_attention(jnp.array(QUERY), jnp.array(key), jnp.array(value))
    expect(out, reference(QUERY, key, value), call, because)


# Queries of zeros hear all keys alike, and values that are the rows of a unit matrix show the weights themselves.
EVEN = jnp.zeros((1, 16, 2, 4))
UNIT = jnp.broadcast_to(jnp.eye(16)[:, None], (1, 16, 2, 16))


def test_dropout_silences_weights_one_by_one_and_makes_up_for_them(dot_product_attention):
    call = "dot_product_attention(query, key, value, dropout_rate=0.5, dropout_key=key(0)) where all 16 weights are 1/16"
    out = np.asarray(dot_product_attention(EVEN, EVEN, UNIT, dropout_rate=0.5, dropout_key=jax.random.key(0)))
    because = "each weight is 0 with probability 1/2, or twice as large: 1/8"
    expect_that(np.isin(out.round(5), [0, 0.125]).all(), call, out, "weights that are 0 or 1/8", because)
    share = (out == 0).mean()
    expect_that(0.35 < share < 0.65, f"the share of zeros in {call}", share, "about 1/2", because)
    mixed = ((out == 0).any(-1) & (out != 0).any(-1)).all()
    expect_that(mixed, call, out, "zeros and others in every row", "each weight has a draw of its own, not each query")


def test_without_a_key_there_is_no_dropout(dot_product_attention):
    call = "dot_product_attention(query, key, value, dropout_rate=0.5) without a dropout_key"
    out = dot_product_attention(EVEN, EVEN, UNIT, dropout_rate=0.5)
    expect(out, np.full((1, 16, 2, 16), 1 / 16), call, "dropout_key=None means none: so it is used after training")


def test_the_key_decides(dot_product_attention):
    one, other = (
        np.asarray(dot_product_attention(EVEN, EVEN, UNIT, dropout_rate=0.5, dropout_key=jax.random.key(seed)))
        for seed in (1, 2)
    )
    call = "dot_product_attention(…, dropout_rate=0.5) with dropout_key=key(1), and again with key(2)"
    expect_that((one != other).any(), call, one, "another draw with another key", "the randomness is in the key, nowhere else")


@pytest.mark.parametrize("shape", [(2, 1, 4, 5), (2, 3, 1, 5)], ids=str)
def test_a_value_for_each_key(dot_product_attention, shape):
    call = f"dot_product_attention(query, key, value) with query.shape = key.shape = (2, 3, 4, 8), value.shape = {shape}"
    because = "a length or a head of 1 would broadcast in silence"
    expect_refusal(lambda: dot_product_attention(jnp.array(QUERY), jnp.array(KEY), jnp.ones(shape)), call, because)


def test_it_works_under_jit(dot_product_attention):
    out = jax.jit(dot_product_attention)(jnp.array(QUERY), jnp.array(KEY), jnp.array(VALUE))
    call = f"jax.jit(dot_product_attention)(query, key, value) with {SHAPES}"
    expect(out, reference(QUERY, KEY, VALUE), call, "compiling must not change the result")
