"""What `top_k_filter` must do."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from exercises.runner.expectations import expect, expect_refusal

INF = np.inf
LOGITS = np.array([[2.0, 0.5, -1.0, 3.0, 1.0], [-4.0, -3.0, -2.0, -6.0, -5.0]], np.float32)


@pytest.fixture(scope="module")
def top_k_filter(answer):
    return answer


@pytest.mark.parametrize(
    ("k", "expected"),
    [(1, [-INF, -INF, -INF, 3, -INF]), (2, [2, -INF, -INF, 3, -INF]), (3, [2, -INF, -INF, 3, 1])],
)
def test_the_k_largest_stay_as_they_are(top_k_filter, k, expected):
    call = f"top_k_filter(jnp.array([2, 0.5, -1, 3, 1]), {k})"
    because = "what is kept keeps its score and its place; all else is −∞, which the softmax turns into 0"
    expect(top_k_filter(jnp.array(LOGITS[0]), k), expected, call, because)


def test_each_row_has_k_of_its_own(top_k_filter):
    call = f"top_k_filter(logits, 2) with logits = {LOGITS.tolist()}"
    expected = [[2, -INF, -INF, 3, -INF], [-INF, -3, -2, -INF, -INF]]
    expect(top_k_filter(jnp.array(LOGITS), 2), expected, call, "every row is a text of its own")


def test_of_equal_ones_the_first_are_kept(top_k_filter):
    call = "top_k_filter(jnp.array([1, 2, 1, 1]), 2)"
    because = "k are kept and no more: the 2, and the first 1"
    expect(top_k_filter(jnp.array([1.0, 2.0, 1.0, 1.0]), 2), [1, 2, -INF, -INF], call, because)


def test_a_k_beyond_the_vocabulary_keeps_all(top_k_filter):
    call = "top_k_filter(jnp.array([2, 0.5, -1, 3, 1]), 9)"
    expect(top_k_filter(jnp.array(LOGITS[0]), 9), LOGITS[0], call, "there are only five")


def test_at_least_one_is_kept(top_k_filter):
    call = "top_k_filter(jnp.array([2, 0.5, -1, 3, 1]), 0)"
    expect_refusal(lambda: top_k_filter(jnp.array(LOGITS[0]), 0), call, "nothing is left to draw from")


def test_compiled_k_may_change(top_k_filter):
    call = "jax.jit(top_k_filter)(jnp.array([2, 0.5, -1, 3, 1]), 2)"
    because = "under jit the number k is not known while the function is traced: no shape may depend on it, and no `if`"
    expect(jax.jit(top_k_filter)(jnp.array(LOGITS[0]), 2), [2, -INF, -INF, 3, -INF], call.replace("jax.", ""), because)
