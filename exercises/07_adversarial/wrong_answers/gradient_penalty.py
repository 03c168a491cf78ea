"""Wrong answers to `gradient_penalty` that a student writes; exercises.toml says what is wrong with each."""

import jax
import jax.numpy as jnp


def norm_squared(critic, x):
    return (_norms(critic, x) ** 2).mean()


def of_the_squared_norm(critic, x):
    return ((_norms(critic, x) ** 2 - 1) ** 2).mean()


def only_too_steep(critic, x):
    return (jnp.maximum(_norms(critic, x) - 1, 0) ** 2).mean()


def absolute_difference(critic, x):
    return jnp.abs(_norms(critic, x) - 1).mean()


def norm_over_the_batch(critic, x):
    return (_root((_gradients(critic, x) ** 2).sum()) - 1) ** 2


def norm_over_the_last_axis(critic, x):
    return ((_root((_gradients(critic, x) ** 2).sum(-1)) - 1) ** 2).mean()


def mean_square_for_norm(critic, x):
    return ((_root((_gradients(critic, x) ** 2).mean(range(1, x.ndim))) - 1) ** 2).mean()


def gradient_of_the_mean(critic, x):
    return ((_norms(lambda x: critic(x) / len(x), x) - 1) ** 2).mean()


def nan_where_flat(critic, x):
    return ((jnp.sqrt((_gradients(critic, x) ** 2).sum(range(1, x.ndim))) - 1) ** 2).mean()


def summed(critic, x):
    return ((_norms(critic, x) - 1) ** 2).sum()


def nan_of_no_examples(critic, x):
    gradients = jax.grad(lambda x: critic(x).sum())(x)
    return ((_root((gradients**2).sum(range(1, x.ndim))) - 1) ** 2).mean()


def _gradients(critic, x):
    if len(x) == 0:
        raise ValueError("There are no examples.")
    return jax.grad(lambda x: critic(x).sum())(x)


def _norms(critic, x):
    return _root((_gradients(critic, x) ** 2).sum(range(1, x.ndim)))


def _root(squared):
    return jnp.where(squared > 0, jnp.sqrt(jnp.where(squared > 0, squared, 1)), 0)
