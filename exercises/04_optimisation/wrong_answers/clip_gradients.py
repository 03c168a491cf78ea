"""Wrong answers to `clip_gradients` that a student writes; exercises.toml says what is wrong with each."""

import jax
import jax.numpy as jnp


def _check(max_norm):
    if not max_norm > 0:
        raise ValueError("max_norm must be above 0")


def _norm(gradients):
    return jnp.sqrt(sum((gradient**2).sum() for gradient in jax.tree.leaves(gradients)))


def _scaled(gradients, factor):
    return jax.tree.map(lambda gradient: gradient * factor.astype(gradient.dtype), gradients)


def each_array_by_its_own_norm(gradients, max_norm):
    _check(max_norm)

    def clip(gradient):
        norm = jnp.sqrt((gradient**2).sum())
        return jnp.where(norm > max_norm, gradient / norm * max_norm, gradient)

    return jax.tree.map(clip, gradients)


def each_number(gradients, max_norm):
    _check(max_norm)
    return jax.tree.map(lambda gradient: jnp.clip(gradient, -max_norm, max_norm), gradients)


def always_rescaled(gradients, max_norm):
    _check(max_norm)
    return _scaled(gradients, max_norm / jnp.maximum(_norm(gradients), 1e-12))


def squared_norm(gradients, max_norm):
    _check(max_norm)
    norm = _norm(gradients) ** 2
    return _scaled(gradients, jnp.where(norm > max_norm, max_norm / norm, 1))


def largest_number(gradients, max_norm):
    _check(max_norm)
    largest = jnp.max(jnp.stack([jnp.abs(gradient).max() for gradient in jax.tree.leaves(gradients)]))
    return _scaled(gradients, jnp.where(largest > max_norm, max_norm / largest, 1))


def sum_of_norms(gradients, max_norm):
    _check(max_norm)
    norm = sum(jnp.sqrt((gradient**2).sum()) for gradient in jax.tree.leaves(gradients))
    return _scaled(gradients, jnp.where(norm > max_norm, max_norm / norm, 1))


def zero_divided_by_zero(gradients, max_norm):
    _check(max_norm)
    norm = _norm(gradients)
    return jax.tree.map(lambda gradient: gradient / norm * jnp.minimum(norm, max_norm), gradients)


def any_length(gradients, max_norm):
    norm = _norm(gradients)
    return _scaled(gradients, jnp.where(norm > max_norm, max_norm / norm, 1))


def largest_singular_value(gradients, max_norm):
    _check(max_norm)
    norm = jnp.sqrt(sum(jnp.linalg.norm(gradient, 2) ** 2 for gradient in jax.tree.leaves(gradients)))
    return _scaled(gradients, jnp.where(norm > max_norm, max_norm / norm, 1))


def epsilon_beside_the_norm(gradients, max_norm):
    _check(max_norm)
    return _scaled(gradients, jnp.minimum(max_norm / (_norm(gradients) + 1e-6), 1))
