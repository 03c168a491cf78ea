"""What `padding_mask` must do."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from exercises.runner.expectations import expect, expect_refusal, expect_that


@pytest.fixture(scope="module")
def padding_mask(answer):
    return answer


def test_the_first_keys_are_real(padding_mask):
    call = "padding_mask(jnp.array([1, 3]), 4)"
    because = (
        "of the first sequence one key is real, of the second three; the axes of size 1 stand for all heads and all queries"
    )
    expect(padding_mask(jnp.array([1, 3]), 4), [[[[1, 0, 0, 0]]], [[[1, 1, 1, 0]]]], call, because)


def test_it_says_true_or_false(padding_mask):
    mask = padding_mask(jnp.array([1]), 2)
    because = "True where a key is real"
    expect_that(np.asarray(mask).dtype == bool, "padding_mask(jnp.array([1]), 2)", mask, "an array of booleans", because)


def test_none_and_all_may_be_real(padding_mask):
    call = "padding_mask(jnp.array([0, 2]), 2)"
    expect(
        padding_mask(jnp.array([0, 2]), 2), [[[[0, 0]]], [[[1, 1]]]], call, "lengths from 0 to the number of keys are allowed"
    )


@pytest.mark.parametrize("batch", [(), (2, 3)], ids=str)
def test_every_axis_of_the_lengths_is_kept(padding_mask, batch):
    lengths = (np.arange(int(np.prod(batch))) % 4).reshape(batch)
    call = f"padding_mask(lengths, 3) with lengths.shape = {batch}"
    expected = (np.arange(3) < lengths[..., None])[..., None, None, :]
    expect(
        padding_mask(jnp.array(lengths), 3), expected, call, "the axes of the lengths stay in front, then heads, queries, keys"
    )


def test_it_broadcasts_against_the_scores(padding_mask):
    mask = np.asarray(padding_mask(jnp.array([2, 1]), 3))
    scores = np.zeros((2, 4, 5, 3))  # batch, heads, queries, keys
    call = "padding_mask(jnp.array([2, 1]), 3), broadcast to scores of shape (2, 4, 5, 3)"
    fits = mask.ndim == 4 and all(m in (1, s) for m, s in zip(mask.shape, scores.shape, strict=True))
    because = "lengths belong to the batch, not to heads or queries"
    expect_that(fits, call, f"shape {mask.shape}", "a shape that fits, as (2, 1, 1, 3)", because)
    expect(np.broadcast_to(mask, scores.shape).sum(-1)[:, 0, 0], [2, 1], f"{call}, summed over the keys", because)


@pytest.mark.parametrize("length", [-1, 4])
def test_a_length_that_cannot_be_is_refused(padding_mask, length):
    because = "of three keys none, one, two or three are real; what else is asked is a mistake somewhere before"
    expect_refusal(lambda: padding_mask(jnp.array([2, length]), 3), f"padding_mask(jnp.array([2, {length}]), 3)", because)


def test_it_works_under_jit(padding_mask):
    try:
        mask = jax.jit(padding_mask, static_argnums=1)(jnp.array([1]), 2)
    except jax.errors.ConcretizationTypeError:
        mask = "TracerBoolConversionError"
    because = "under jit the lengths are not known yet: check them only if they are no jax.core.Tracer"
    call = "jax.jit(padding_mask, static_argnums=1)(jnp.array([1]), 2)"
    expect_that(not isinstance(mask, str), call, mask, "[[[[1, 0]]]]", because)
    expect(mask, [[[[1, 0]]]], call, because)
