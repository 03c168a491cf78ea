"""Wrong answers to `uncertainty_weighted` that a student writes; exercises.toml says what is wrong with each."""

import jax
import jax.numpy as jnp


def _require(losses, log_variances):
    if losses.shape != log_variances.shape:
        raise ValueError(f"a log variance for each loss, got {losses.shape} and {log_variances.shape}")


def weight_grows_with_the_noise(losses, log_variances):
    _require(losses, log_variances)
    return (jnp.exp(log_variances) * losses + log_variances / 2).sum()


def no_price(losses, log_variances):
    _require(losses, log_variances)
    return (jnp.exp(-log_variances) * losses).sum()


def price_not_halved(losses, log_variances):
    _require(losses, log_variances)
    return (jnp.exp(-log_variances) * losses + log_variances).sum()


def price_taken_off(losses, log_variances):
    _require(losses, log_variances)
    return (jnp.exp(-log_variances) * losses - log_variances / 2).sum()


def price_once_for_all(losses, log_variances):
    _require(losses, log_variances)
    return (jnp.exp(-log_variances) * losses).sum() + log_variances.mean() / 2


def price_never_below_0(losses, log_variances):
    _require(losses, log_variances)
    return (jnp.exp(-log_variances) * losses + jax.nn.relu(log_variances) / 2).sum()


def another_papers_price(losses, log_variances):
    _require(losses, log_variances)
    return (jnp.exp(-log_variances) * losses + jnp.log1p(jnp.exp(log_variances))).sum()


def loss_halved_too(losses, log_variances):
    _require(losses, log_variances)
    return (jnp.exp(-log_variances) * losses / 2 + log_variances / 2).sum()


def log_deviation(losses, log_variances):
    _require(losses, log_variances)
    return (jnp.exp(-2 * log_variances) * losses + log_variances).sum()


def deviation_in_the_weight(losses, log_variances):
    _require(losses, log_variances)
    return (jnp.exp(-log_variances / 2) * losses + log_variances / 2).sum()


def variance_itself(losses, log_variances):
    _require(losses, log_variances)
    return (losses / log_variances + jnp.log(log_variances) / 2).sum()


def deviation_itself(losses, log_variances):
    _require(losses, log_variances)
    return (losses / log_variances**2 + jnp.log(log_variances)).sum()


def mean_over_the_tasks(losses, log_variances):
    _require(losses, log_variances)
    return (jnp.exp(-log_variances) * losses + log_variances / 2).mean()


def not_summed(losses, log_variances):
    _require(losses, log_variances)
    return jnp.exp(-log_variances) * losses + log_variances / 2


def first_two_tasks(losses, log_variances):
    _require(losses, log_variances)
    return (jnp.exp(-log_variances) * losses + log_variances / 2)[:2].sum()


def weights_sum_to_1(losses, log_variances):
    _require(losses, log_variances)
    return (jax.nn.softmax(-log_variances) * losses + log_variances / 2).sum()


def weights_not_learned(losses, log_variances):
    _require(losses, log_variances)
    return (jnp.exp(-jax.lax.stop_gradient(log_variances)) * losses + log_variances / 2).sum()


def network_not_trained(losses, log_variances):
    _require(losses, log_variances)
    return (jnp.exp(-log_variances) * jax.lax.stop_gradient(losses) + log_variances / 2).sum()


def best_put_in(losses, log_variances):
    _require(losses, log_variances)
    return (jnp.log(2 * losses) / 2 + 0.5).sum()


def swapped(losses, log_variances):
    _require(losses, log_variances)
    return (jnp.exp(-losses) * log_variances + losses / 2).sum()


def any_number(losses, log_variances):
    losses, log_variances = (jnp.resize(array, max(losses.size, log_variances.size)) for array in (losses, log_variances))
    return (jnp.exp(-log_variances) * losses + log_variances / 2).sum()


def one_for_all_accepted(losses, log_variances):
    if log_variances.size > 1:
        _require(losses, log_variances)
    return (jnp.exp(-log_variances) * losses + log_variances / 2).sum()
