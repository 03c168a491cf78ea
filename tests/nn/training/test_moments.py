"""Running moments: those of all examples at once, however these come in."""

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from nn.training import update_moments


def nothing_seen(*features):
    return jnp.array(0), jnp.zeros(features), jnp.zeros(features)


@settings(max_examples=20, derandomize=True, database=None, deadline=None)
@given(cut=st.integers(1, 9), offset=st.sampled_from([0.0, 100.0]))
def test_two_batches_give_what_one_gives(cut, offset):
    x = np.random.default_rng(cut).normal(offset, 3.0, (10, 2)).astype(np.float32)
    moments = update_moments(update_moments(nothing_seen(2), jnp.array(x[:cut])), jnp.array(x[cut:]))
    count, mean, squares = moments
    assert count == 10
    np.testing.assert_allclose(mean, x.mean(0, dtype=np.float64), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(squares / count, x.var(0, dtype=np.float64), rtol=1e-3)


def test_a_large_mean_does_not_drown_the_variance():
    x = 10_000 + jnp.arange(8.0).reshape(4, 2)
    state = nothing_seen()
    for part in x:
        state = update_moments(state, part)
    np.testing.assert_allclose(state[2] / state[0], np.arange(8.0).var(), rtol=1e-3)


def test_a_scan_carries_them_and_nothing_leaks():
    x = jax.random.normal(jax.random.key(0), (6, 4, 3))
    with jax.checking_leaks():
        moments, _ = jax.jit(lambda x: jax.lax.scan(lambda m, part: (update_moments(m, part), None), nothing_seen(3), x))(x)
    np.testing.assert_allclose(moments[1], x.reshape(-1, 3).mean(0), atol=1e-5)
    np.testing.assert_allclose(moments[2] / moments[0], x.reshape(-1, 3).var(0), rtol=1e-4)


def test_what_goes_in_has_the_type_of_what_comes_out():
    state = nothing_seen(2)
    after = jax.eval_shape(update_moments, state, jnp.ones((5, 2)))
    assert [(leaf.shape, leaf.dtype) for leaf in after] == [(leaf.shape, leaf.dtype) for leaf in state]


def test_narrow_numbers_are_summed_in_what_the_moments_have():
    x = jnp.full((4, 1), 1001.0, jnp.float32)
    wide = update_moments(nothing_seen(1), x.astype(jnp.bfloat16))
    assert wide[1].dtype == jnp.float32 and float(wide[1][0]) == float(jnp.bfloat16(1001.0))
    narrow = jnp.array(0), *(jnp.zeros(1, jnp.bfloat16) for _ in range(2))
    after = jax.eval_shape(update_moments, narrow, x)
    assert [leaf.dtype for leaf in after] == [leaf.dtype for leaf in narrow]
