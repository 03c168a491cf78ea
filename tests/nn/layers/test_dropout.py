import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from nn.layers import Dropout, dropout

KEY = jax.random.key(0)
X = jnp.asarray(np.random.default_rng(0).normal(size=(100, 100)), jnp.float32)
RATES = (0.1, 0.5, 0.9)


@pytest.mark.parametrize("rate", RATES)
def test_the_share_of_zeros_is_the_rate_and_the_mean_is_kept(rate):
    """Of 10,000 coins; six standard deviations of a binomial count either way."""
    n = 10_000
    y = np.asarray(dropout(KEY, jnp.ones((100, 100)), rate), np.float64)
    slack = 6 * np.sqrt(rate * (1 - rate) / n)
    assert (y == 0).mean() == pytest.approx(rate, abs=slack)
    assert y.mean() == pytest.approx(1, abs=slack / (1 - rate))


@pytest.mark.parametrize("rate", RATES)
def test_what_is_kept_is_divided_by_the_share_that_is_kept(rate):
    y = np.asarray(dropout(KEY, X, rate))
    np.testing.assert_allclose(y, np.where(y != 0, X / (1 - rate), 0), rtol=1e-6)


def test_rate_zero_is_the_identity_and_rate_one_is_silence_with_a_slope_of_zero():
    x = jnp.array([1.0, -2.0, 3.0])
    np.testing.assert_array_equal(dropout(KEY, x, 0.0), x)
    np.testing.assert_array_equal(dropout(KEY, x, 1.0), jnp.zeros(3))
    np.testing.assert_array_equal(jax.grad(lambda x: dropout(KEY, x, 1.0).sum())(x), jnp.zeros(3))


def test_the_gradient_passes_where_the_signal_passed():
    gradient = jax.jit(jax.grad(lambda x: dropout(KEY, x, 0.5).sum()))(X)
    np.testing.assert_array_equal(gradient, jnp.where(dropout(KEY, X, 0.5) != 0, 2.0, 0.0))


def test_a_silenced_infinity_is_silent():
    x = jnp.full((100, 100), jnp.inf)
    assert set(np.unique(dropout(KEY, x, 0.5))) == {0.0, np.inf}


def test_the_mask_is_a_function_of_the_key_compiled_or_not():
    x = jnp.ones((100, 100))
    once = dropout(KEY, x, 0.5)
    np.testing.assert_array_equal(once, dropout(KEY, x, 0.5))
    np.testing.assert_array_equal(once, jax.jit(dropout, static_argnums=2)(KEY, x, 0.5))
    other = dropout(jax.random.key(1), x, 0.5)
    # Two independent masks agree on half of the elements.
    assert 0.45 < float((once == other).mean()) < 0.55


def test_vmap_over_keys_is_the_loop_over_keys():
    keys, x = jax.random.split(KEY, 3), jnp.ones((100, 100))
    mapped = jax.vmap(lambda key: dropout(key, x, 0.5))(keys)
    np.testing.assert_array_equal(mapped, jnp.stack([dropout(key, x, 0.5) for key in keys]))


def test_bfloat16_stays_bfloat16():
    assert dropout(KEY, jnp.ones(4, jnp.bfloat16), 0.1).dtype == jnp.bfloat16


def test_each_call_of_the_module_draws_a_new_mask_and_two_modules_of_a_seed_draw_the_same():
    x = jnp.ones((100, 100))
    layer, twin = (Dropout(0.5, rngs=nnx.Rngs(3)) for _ in range(2))
    first, second = layer(x), layer(x)
    assert 0.45 < float((first == second).mean()) < 0.55
    np.testing.assert_array_equal(first, twin(x))
    np.testing.assert_array_equal(second, twin(x))


def test_two_layers_of_one_network_draw_different_masks():
    rngs, x = nnx.Rngs(3), jnp.ones((100, 100))
    assert 0.45 < float((Dropout(0.5, rngs=rngs)(x) == Dropout(0.5, rngs=rngs)(x)).mean()) < 0.55


def test_in_evaluation_everything_passes_and_no_random_number_is_used_up():
    x = jnp.ones((100, 100))
    layer, twin = (Dropout(0.5, rngs=nnx.Rngs(3)) for _ in range(2))
    layer.eval()
    np.testing.assert_array_equal(layer(x), x)
    assert not np.array_equal(layer(x, deterministic=False), x)  # the argument wins over the mode
    layer.train()
    np.testing.assert_array_equal(layer(x, deterministic=True), x)
    twin(x)
    np.testing.assert_array_equal(layer(x), twin(x))


def test_frozen_stays_in_evaluation_whatever_train_says():
    x = jnp.ones((100, 100))
    layer = Dropout(0.5, rngs=nnx.Rngs(3))
    layer.frozen = True
    layer.train()
    np.testing.assert_array_equal(layer(x), x)
    np.testing.assert_array_equal(layer(x, deterministic=False), x)
    layer.frozen = False
    assert not np.array_equal(layer(x), x)


@pytest.mark.parametrize("rate", [-0.1, 1.5, float("nan")])
def test_a_rate_that_is_no_probability_is_named(rate):
    with pytest.raises(ValueError, match=rf"dropout expects a rate between 0 and 1, got rate={rate}\."):
        dropout(KEY, jnp.ones(3), rate)
    with pytest.raises(ValueError, match=rf"Dropout expects a rate between 0 and 1, got rate={rate}\."):
        Dropout(rate, rngs=nnx.Rngs(0))
