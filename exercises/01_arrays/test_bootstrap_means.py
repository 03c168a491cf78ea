"""What `bootstrap_means` must do. The keys are fixed, and the bounds are five standard errors of chance wide."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from exercises.runner.expectations import expect, expect_refusal, expect_that

N, RESAMPLES = 20, 1000
KEY = "jax.random.key(0)"
RIGHT = jnp.array([1.0] * 16 + [0.0] * 4)  # 16 of 20 right


@pytest.fixture(scope="module")
def bootstrap_means(answer):
    return answer


def draw(bootstrap_means, values, seed=0):
    """The means as NumPy has them, once they have the right shape."""
    means = bootstrap_means(jax.random.key(seed), values, RESAMPLES)
    call = f"bootstrap_means(jax.random.key({seed}), values, {RESAMPLES}).shape with values.shape = ({N},)"
    shape = getattr(means, "shape", None)
    expect_that(shape == (RESAMPLES,), call, shape, str((RESAMPLES,)), "one mean for each resample")
    return np.asarray(means, np.float64)


def test_if_all_values_are_equal_so_are_all_means(bootstrap_means):
    means = draw(bootstrap_means, jnp.full(N, 3.0))
    expect(
        means,
        np.full(RESAMPLES, 3.0),
        "bootstrap_means(key, values, 1000) with values = 3, twenty times",
        "there is nothing else to draw",
    )


def test_a_mean_is_one_of_as_many_draws_as_there_are_values(bootstrap_means):
    counts = draw(bootstrap_means, RIGHT) * N
    call = "bootstrap_means(key, values, 1000) · 20 with values = 16 ones and 4 zeros"
    whole = np.abs(counts - counts.round()).max() < 1e-3 and counts.min() >= 0 and counts.max() <= N
    expect_that(whole, call, counts, "whole numbers from 0 to 20", "each resample has 20 draws, each of them a 0 or a 1")


def test_the_resamples_differ(bootstrap_means):
    means = draw(bootstrap_means, RIGHT)
    different = len(np.unique(means.round(4)))
    call = f"len(set(bootstrap_means({KEY}, values, 1000))) with values = 16 ones and 4 zeros"
    because = (
        "a key used twice gives the same draws twice: split one key for each resample. "
        "And drawn *without* replacement, all 20 values give the same mean every time"
    )
    expect_that(different >= 5, call, different, "at least 5 different means", because)


def test_they_vary_as_the_mean_itself_would(bootstrap_means):
    means = draw(bootstrap_means, RIGHT)
    call = f"bootstrap_means({KEY}, values, 1000)"
    of = "with values = 16 ones and 4 zeros"
    expect(means.mean(), 0.8, f"{call}.mean() {of}", "on average a draw is the mean of the values", atol=0.015)
    because = "one draw has the variance 0.8 · 0.2; the mean of 20 independent ones a twentieth of it"
    expect(means.var(), 0.16 / N, f"{call}.var() {of}", because, rtol=0.25, atol=0)


@pytest.mark.parametrize("place", [0, N - 1])
def test_every_value_is_drawn_as_often_as_the_others(bootstrap_means, place):
    values = jnp.array(np.eye(N, dtype=np.float32)[place])
    drawn = draw(bootstrap_means, values, seed=1).mean() * N
    call = f"bootstrap_means(jax.random.key(1), values, 1000).mean() · 20 with values = 0, save a 1 at [{place}]"
    because = "each value is drawn once a resample on average, the last one too: randint's upper end is not included"
    expect(drawn, 1.0, call, because, atol=0.16)


def test_the_key_decides_them(bootstrap_means):
    first, again, other = (draw(bootstrap_means, RIGHT, seed) for seed in (1, 1, 2))
    call = "bootstrap_means(key, values, 1000)"
    expect(again, first, f"{call}, twice with one key", "a result can be repeated only if the key decides everything")
    same = (first == other).mean()
    because = "another key means other draws; about one mean in six is equal by chance"
    expect_that(same < 0.5, f"{call} with another key", f"{same:.0%} of the means as before", "other means", because)


def test_neighbours_know_nothing_of_each_other(bootstrap_means):
    means = draw(bootstrap_means, RIGHT)
    correlation = np.corrcoef(means[:-1], means[1:])[0, 1] if means.std() > 0 else 1.0
    call = f"the correlation of neighbours in bootstrap_means({KEY}, values, 1000)"
    expect(correlation, 0.0, call, "draws that two resamples share make them alike", atol=0.16)


@pytest.mark.parametrize(("n", "resamples"), [(0, 10), (20, 0), (20, -1)])
def test_nothing_to_draw_from_and_no_resamples_are_refused(bootstrap_means, n, resamples):
    call = f"bootstrap_means(key, values, {resamples}) with values.shape = ({n},)"
    because = "the mean of no draws is NaN, and a NaN travels far before it is noticed" if n == 0 else "there would be no mean"
    expect_refusal(lambda: bootstrap_means(jax.random.key(0), jnp.zeros(n), resamples), call, because)
