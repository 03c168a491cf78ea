import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nn.training import bootstrap_means

RIGHT = jnp.asarray(np.arange(50) % 5 > 0, jnp.float32)  # 40 of 50 right


@pytest.fixture(scope="module")
def means():
    return np.asarray(bootstrap_means(jax.random.key(0), RIGHT, 4000))


def test_they_vary_around_the_mean_as_the_mean_itself_would(means):
    """A draw has the population's variance, and the mean of n draws 1/n of it: 0.8 · 0.2 / 50."""
    assert means.shape == (4000,)
    assert means.mean() == pytest.approx(0.8, abs=0.005)  # 5.6 standard errors
    assert means.var() == pytest.approx(0.8 * 0.2 / 50, rel=0.12)  # 5.4 standard errors


def test_an_example_may_be_drawn_again_and_each_resample_draws_anew():
    """One 1 among fifty 0s: how often it was drawn follows a binomial of 50 draws with chance 1/50, wherever it stands."""
    counts = []
    for place in (0, 49):
        values = jnp.zeros(50).at[place].set(1.0)
        times = np.round(np.asarray(bootstrap_means(jax.random.key(place), values, 4000)) * 50)
        counts.append(np.bincount(times.astype(int), minlength=3)[:3] / 4000)
    binomial = [0.98**50, 50 * 0.02 * 0.98**49, 1225 * 0.02**2 * 0.98**48]
    np.testing.assert_allclose(counts, [binomial, binomial], atol=0.04)  # 5 standard errors


def test_the_key_decides_them_compiled_or_not(means):
    again = jax.jit(bootstrap_means, static_argnames="resamples")(jax.random.key(0), RIGHT, resamples=4000)
    np.testing.assert_allclose(again, means, rtol=1e-6)
    assert (np.asarray(bootstrap_means(jax.random.key(1), RIGHT, 4000)) != means).mean() > 0.5


def test_nothing_to_draw_from_and_no_resamples_are_refused():
    with pytest.raises(ValueError, match="bootstrap_means expects values and resamples of at least 1, got 0 and 10"):
        bootstrap_means(jax.random.key(0), jnp.zeros(0), 10)
    with pytest.raises(ValueError, match="got 3 and 0"):
        bootstrap_means(jax.random.key(0), jnp.zeros(3), 0)
