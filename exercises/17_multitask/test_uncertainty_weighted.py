"""What `uncertainty_weighted` must do."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from exercises.runner.expectations import expect, expect_refusal, shown

LOSSES = jnp.array([2.0, 3.0])
LOG_VARIANCES = jnp.array([0.0, np.log(2)], jnp.float32)


@pytest.fixture(scope="module")
def uncertainty_weighted(answer):
    return answer


def test_two_tasks_by_hand(uncertainty_weighted):
    call = f"uncertainty_weighted(losses, log_variances) with {shown(losses=LOSSES, log_variances=LOG_VARIANCES)}"
    because = "exp(−0) · 2 + 0 / 2, and exp(−log 2) · 3 + log 2 / 2: the second loss counts half, at a price of 0.34657"
    expect(uncertainty_weighted(LOSSES, LOG_VARIANCES), 2 + 1.5 + np.log(2) / 2, call, because)


def test_it_begins_as_the_sum_of_the_losses(uncertainty_weighted):
    losses = jnp.array([0.5, 2.0, 4.0])
    call = f"uncertainty_weighted(losses, log_variances) with {shown(losses=losses)}, log_variances = [0, 0, 0]"
    because = "exp(−0) = 1: where nothing is learned yet all tasks count alike, however many there are"
    expect(uncertainty_weighted(losses, jnp.zeros(3)), 6.5, call, because)


def test_it_may_fall_below_0(uncertainty_weighted):
    call = "uncertainty_weighted(losses, log_variances) with losses = [0.01], log_variances = [-4]"
    because = "exp(4) · 0.01 − 4 / 2: for a task that is nearly solved a small variance is paid for. It is no longer a loss"
    expect(uncertainty_weighted(jnp.array([0.01]), jnp.array([-4.0])), np.exp(4) * 0.01 - 2, call, because)


def test_at_the_best_log_variance_it_is_flat(uncertainty_weighted):
    slope = jax.grad(uncertainty_weighted, argnums=1)
    call = f"jax.grad of uncertainty_weighted(losses, s) by s, with {shown(losses=LOSSES)}, s = log(2 · losses)"
    because = "−exp(−s) L + ½ is 0 where s = log 2L"
    expect(slope(LOSSES, jnp.log(2 * LOSSES)), [0, 0], call, because)
    call = f"jax.grad of uncertainty_weighted(losses, s) by s, with {shown(losses=LOSSES)}, s = [0, 0]"
    because = "−exp(−s) L + ½: both losses are above ½, so that descent raises s and lowers both weights"
    expect(slope(LOSSES, jnp.zeros(2)), [-1.5, -2.5], call, because)


def test_the_weights_reach_the_network(uncertainty_weighted):
    call = "jax.grad of uncertainty_weighted(losses, log_variances) by losses, with "
    call += shown(losses=LOSSES, log_variances=LOG_VARIANCES)
    because = "exp(−s): how strongly each task pulls at what is shared"
    expect(jax.grad(uncertainty_weighted)(LOSSES, LOG_VARIANCES), [1, 0.5], call, because)


def test_it_works_under_jit(uncertainty_weighted):
    call = "jax.jit(uncertainty_weighted)(losses, log_variances) with "
    call += shown(losses=LOSSES, log_variances=LOG_VARIANCES)
    got = jax.jit(uncertainty_weighted)(LOSSES, LOG_VARIANCES)
    expect(got, 2 + 1.5 + np.log(2) / 2, call, "it is a part of the training step")


@pytest.mark.parametrize("shapes", [((2,), (3,)), ((2,), (1,)), ((1,), (2,)), ((2,), ())], ids=str)
def test_as_many_of_both_are_needed(uncertainty_weighted, shapes):
    call = f"uncertainty_weighted(losses, log_variances) with shapes {shapes[0]} and {shapes[1]}"
    because = "each task has a number of its own: one for all would be broadcast in silence"
    expect_refusal(lambda: uncertainty_weighted(*map(jnp.ones, shapes)), call, because)
