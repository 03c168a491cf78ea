"""What `top_p_filter` must do."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from exercises.runner.expectations import expect, expect_refusal

CHANCES = np.array([0.1, 0.4, 0.05, 0.3, 0.15], np.float32)
LOGITS = jnp.log(jnp.array(CHANCES))


@pytest.fixture(scope="module")
def top_p_filter(answer):
    return answer


def only(kept, logits=LOGITS):
    return np.where(np.isin(np.arange(len(logits)), kept), logits, -np.inf)


@pytest.mark.parametrize(
    ("p", "kept", "because"),
    [
        (0.35, [1], "the likeliest holds 0.4 by itself: that is p or more"),
        (0.5, [1, 3], "0.4 is less than 0.5; 0.4 + 0.3 is more: the token that reaches p belongs to the set"),
        (0.8, [1, 3, 4], "0.4 + 0.3 + 0.15 is the first sum of 0.8 or more"),
        (0.97, [0, 1, 2, 3, 4], "without the 0.05 there is only 0.95"),
    ],
)
def test_the_smallest_set_that_reaches_p(top_p_filter, p, kept, because):
    call = f"top_p_filter(logits, {p}) with logits = log [0.1, 0.4, 0.05, 0.3, 0.15]"
    expect(top_p_filter(LOGITS, p), only(kept), call, because)


def test_scores_that_are_no_logarithms_of_chances(top_p_filter):
    call = "top_p_filter(logits, 0.5) with logits = 7 + log [0.1, 0.4, 0.05, 0.3, 0.15]"
    because = "p is a share of the chances, softmax(logits): a number added to all scores changes none of them"
    expect(top_p_filter(LOGITS + 7, 0.5), only([1, 3], LOGITS + 7), call, because)


def test_each_row_has_a_set_of_its_own(top_p_filter):
    rows = jnp.stack([LOGITS, LOGITS[::-1], jnp.log(jnp.array([0.9, 0.05, 0.03, 0.01, 0.01]))])
    call = "top_p_filter(logits, 0.5) with the rows log [0.1, 0.4, 0.05, 0.3, 0.15], the same backwards, and log [0.9, 0.05, …]"
    because = "where the model is sure fewer are left"
    expected = np.stack([only(kept, row) for kept, row in zip([[1, 3], [1, 3], [0]], rows, strict=True)])
    expect(top_p_filter(rows, 0.5), expected, call, because)


def test_the_likeliest_is_always_kept(top_p_filter):
    call = "top_p_filter(logits, 0.0) with logits = log [0.1, 0.4, 0.05, 0.3, 0.15]"
    expect(top_p_filter(LOGITS, 0.0), only([1]), call, "there has to be something to draw")


@pytest.mark.parametrize("p", [-0.1, 1.5])
def test_p_is_a_share(top_p_filter, p):
    expect_refusal(lambda: top_p_filter(LOGITS, p), f"top_p_filter(logits, {p})", "p goes from 0 to 1")


def test_compiled_p_may_change(top_p_filter):
    call = "jit(top_p_filter)(logits, 0.5) with logits = log [0.1, 0.4, 0.05, 0.3, 0.15]"
    because = "under jit p is not known while the function is traced: refuse it only if it is no jax.core.Tracer"
    expect(jax.jit(top_p_filter)(LOGITS, 0.5), only([1, 3]), call, because)
