"""Wrong answers to `relu` that a student writes; exercises.toml says what is wrong with each."""

import jax.numpy as jnp


def maximum(x):
    return jnp.maximum(x, 0)


def zero_with_the_positive(x):
    return jnp.where(x < 0, 0, x)


def hides_nan(x):
    return jnp.where(x > 0, x, 0)


def masked_product(x):
    return x * (x > 0)


def half_of_sum_with_absolute(x):
    return (x + jnp.abs(x)) / 2


def absolute(x):
    return jnp.abs(x)


def leaky(x):
    return jnp.where(x <= 0, 0.01 * x, x)


def capped(x):
    return jnp.where(x <= 0, 0, jnp.where(x > 1, 1, x))
