"""Wrong answers to `causal_mask` that a student writes; exercises.toml says what is wrong with each."""

import jax.numpy as jnp


def sees_the_next(queries, keys=None):
    keys = queries if keys is None else keys
    return jnp.arange(queries)[:, None] + 1 >= jnp.arange(keys)[None]


def does_not_see_itself(queries, keys=None):
    keys = queries if keys is None else keys
    return jnp.arange(queries)[:, None] > jnp.arange(keys)[None]


def sees_the_future(queries, keys=None):
    keys = queries if keys is None else keys
    return jnp.arange(queries)[:, None] <= jnp.arange(keys)[None]


def true_means_hidden(queries, keys=None):
    keys = queries if keys is None else keys
    return jnp.arange(queries)[:, None] < jnp.arange(keys)[None]


def numbers_to_add(queries, keys=None):
    keys = queries if keys is None else keys
    return jnp.where(jnp.arange(queries)[:, None] >= jnp.arange(keys)[None], 0.0, -jnp.inf)


def ones_and_zeros(queries, keys=None):
    return jnp.tril(jnp.ones((queries, queries if keys is None else keys)))


def always_square(queries, keys=None):
    return jnp.tril(jnp.ones((queries, queries), bool))


def lined_up_at_the_end(queries, keys=None):
    keys = queries if keys is None else keys
    return jnp.tril(jnp.ones((queries, keys), bool), keys - queries)
