"""Wrong answers to `online_softmax` that a student writes; exercises.toml says what is wrong with each."""

import jax.numpy as jnp


def old_sums_not_shrunk(state, scores, values):
    m, z, a = state
    largest = jnp.maximum(m, scores.max(1, keepdims=True))
    p = jnp.exp(scores - largest)
    return largest, z + p.sum(1, keepdims=True), a + p @ values


def weighted_sum_not_shrunk(state, scores, values):
    m, z, a = state
    largest = jnp.maximum(m, scores.max(1, keepdims=True))
    p = jnp.exp(scores - largest)
    return largest, z * jnp.exp(m - largest) + p.sum(1, keepdims=True), a + p @ values


def grown_instead_of_shrunk(state, scores, values):
    m, z, a = state
    largest = jnp.maximum(m, scores.max(1, keepdims=True))
    p, grow = jnp.exp(scores - largest), jnp.exp(jnp.minimum(largest - m, 80.0))
    return largest, z * grow + p.sum(1, keepdims=True), a * grow + p @ values


def all_shrunk(state, scores, values):
    m, z, a = state
    largest = jnp.maximum(m, scores.max(1, keepdims=True))
    p, shrink = jnp.exp(scores - largest), jnp.exp(m - largest)
    return largest, (z + p.sum(1, keepdims=True)) * shrink, (a + p @ values) * shrink


def largest_of_the_piece(state, scores, values):
    m, z, a = state
    largest = scores.max(1, keepdims=True)
    p, shrink = jnp.exp(scores - largest), jnp.exp(m - largest)
    return largest, z * shrink + p.sum(1, keepdims=True), a * shrink + p @ values


def one_largest_for_all_rows(state, scores, values):
    m, z, a = state
    largest = jnp.full_like(m, jnp.maximum(m.max(), scores.max()))
    p, shrink = jnp.exp(scores - largest), jnp.exp(m - largest)
    return largest, z * shrink + p.sum(1, keepdims=True), a * shrink + p @ values


def old_largest_returned(state, scores, values):
    m, z, a = state
    largest = jnp.maximum(m, scores.max(1, keepdims=True))
    p, shrink = jnp.exp(scores - largest), jnp.exp(m - largest)
    return m, z * shrink + p.sum(1, keepdims=True), a * shrink + p @ values


def means_of_pieces(state, scores, values):
    m, z, a = state
    largest = jnp.maximum(m, scores.max(1, keepdims=True))
    p, shrink = jnp.exp(scores - largest), jnp.exp(m - largest)
    total = z * shrink + p.sum(1, keepdims=True)
    return largest, total, (a * shrink + p @ values) / total


def raw_exponentials(state, scores, values):
    m, z, a = state
    p = jnp.exp(scores)
    return jnp.maximum(m, scores.max(1, keepdims=True)), z + p.sum(1, keepdims=True), a + p @ values


def minus_infinity_for_nothing(state, scores, values):
    m, z, a = state
    m = jnp.where(m == jnp.finfo(m.dtype).min, -jnp.inf, m)
    largest = jnp.maximum(m, scores.max(1, keepdims=True))
    p, shrink = jnp.exp(scores - largest), jnp.exp(m - largest)
    return largest, z * shrink + p.sum(1, keepdims=True), a * shrink + p @ values
