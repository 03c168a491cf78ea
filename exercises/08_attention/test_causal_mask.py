"""What `causal_mask` must do."""

import jax
import numpy as np
import pytest

from exercises.runner.expectations import expect, expect_that


@pytest.fixture(scope="module")
def causal_mask(answer):
    return answer


def test_a_query_sees_itself_and_what_came_before(causal_mask):
    because = "row i, column j: query i may see key j if j <= i"
    expect(causal_mask(3), [[1, 0, 0], [1, 1, 0], [1, 1, 1]], "causal_mask(3)", because)


def test_it_says_true_or_false(causal_mask):
    mask = causal_mask(2)
    because = "a mask that is added to the scores is another thing, and 0 and 1 do not invert with ~"
    expect_that(np.asarray(mask).dtype == bool, "causal_mask(2)", mask, "an array of booleans", because)


def test_there_may_be_more_keys_than_queries(causal_mask):
    because = "query i is position i, whatever the number of keys: it sees keys 0 … i"
    expect(causal_mask(2, 4), [[1, 0, 0, 0], [1, 1, 0, 0]], "causal_mask(2, 4)", because)


def test_there_may_be_fewer_keys_than_queries(causal_mask):
    expect(causal_mask(3, 2), [[1, 0], [1, 1], [1, 1]], "causal_mask(3, 2)", "query 2 sees keys 0 … 2, of which there are two")


def test_one_position_sees_itself(causal_mask):
    expect(causal_mask(1), [[1]], "causal_mask(1)", "j = i = 0")


def test_the_last_query_sees_everything_and_the_first_key_is_seen_by_all(causal_mask):
    mask = np.asarray(causal_mask(50))
    expect(mask.sum(1), np.arange(1, 51), "causal_mask(50), summed over the keys", "query i sees i + 1 keys")
    expect(mask.sum(0), np.arange(50, 0, -1), "causal_mask(50), summed over the queries", "key j is seen by 50 − j queries")


def test_it_works_under_jit(causal_mask):
    compiled = jax.jit(causal_mask, static_argnums=0)
    expect(compiled(2), [[1, 0], [1, 1]], "jax.jit(causal_mask, static_argnums=0)(2)", "compiling must not change the result")
