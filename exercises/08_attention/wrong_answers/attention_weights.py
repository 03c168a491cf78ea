"""Wrong answers to `attention_weights` that a student writes; exercises.toml says what is wrong with each."""

import math

import jax
import jax.numpy as jnp


def _check(query, key):
    if query.shape[-1] != key.shape[-1] or query.shape[-2] % key.shape[-2]:
        raise ValueError("does not fit")


def _scores(query, key, root=None):
    key = jnp.repeat(key, query.shape[-2] // key.shape[-2], axis=-2)
    return jnp.einsum("...qhd,...khd->...hqk", query, key) / (math.sqrt(query.shape[-1]) if root is None else root)


def _seen(scores, mask, is_causal, diagonal=0):
    seen = jnp.ones(scores.shape, bool) if mask is None else jnp.broadcast_to(mask, scores.shape)
    return jnp.tril(seen, diagonal) if is_causal else seen


def _masked_softmax(scores, seen, axis=-1):
    weights = jax.nn.softmax(jnp.where(seen, scores, jnp.finfo(scores.dtype).min), axis=axis)
    return jnp.where(seen, weights, 0)


def root_forgotten(query, key, *, mask=None, is_causal=False):
    _check(query, key)
    scores = _scores(query, key, root=1.0)
    return _masked_softmax(scores, _seen(scores, mask, is_causal))


def divided_by_the_depth(query, key, *, mask=None, is_causal=False):
    _check(query, key)
    scores = _scores(query, key, root=query.shape[-1])
    return _masked_softmax(scores, _seen(scores, mask, is_causal))


def softmax_over_the_queries(query, key, *, mask=None, is_causal=False):
    _check(query, key)
    scores = _scores(query, key)
    return _masked_softmax(scores, _seen(scores, mask, is_causal), axis=-2)


def heads_not_in_front(query, key, *, mask=None, is_causal=False):
    _check(query, key)
    scores = _scores(query, key)
    return jnp.swapaxes(_masked_softmax(scores, _seen(scores, mask, is_causal)), -3, -2)


def mask_after_the_softmax(query, key, *, mask=None, is_causal=False):
    _check(query, key)
    scores = _scores(query, key)
    return jnp.where(_seen(scores, mask, is_causal), jax.nn.softmax(scores), 0)


def mask_inverted(query, key, *, mask=None, is_causal=False):
    _check(query, key)
    scores = _scores(query, key)
    return _masked_softmax(scores, _seen(scores, None if mask is None else ~mask, is_causal))


def small_penalty(query, key, *, mask=None, is_causal=False):
    _check(query, key)
    scores = _scores(query, key)
    seen = _seen(scores, mask, is_causal)
    weights = jax.nn.softmax(jnp.where(seen, scores, scores - 1000.0))
    return weights * seen.any(-1, keepdims=True)


def sees_the_next(query, key, *, mask=None, is_causal=False):
    _check(query, key)
    scores = _scores(query, key)
    return _masked_softmax(scores, _seen(scores, mask, is_causal, diagonal=1))


def does_not_see_itself(query, key, *, mask=None, is_causal=False):
    _check(query, key)
    scores = _scores(query, key)
    return _masked_softmax(scores, _seen(scores, mask, is_causal, diagonal=-1))


def mask_or_causality(query, key, *, mask=None, is_causal=False):
    _check(query, key)
    scores = _scores(query, key)
    return _masked_softmax(scores, _seen(scores, mask, is_causal and mask is None))


def minus_infinity(query, key, *, mask=None, is_causal=False):
    _check(query, key)
    scores = _scores(query, key)
    return jax.nn.softmax(jnp.where(_seen(scores, mask, is_causal), scores, -jnp.inf))


def minus_infinity_added(query, key, *, mask=None, is_causal=False):
    # The values are right. The gradient goes through the NaN of the softmax all the same.
    _check(query, key)
    scores = _scores(query, key)
    seen = _seen(scores, mask, is_causal)
    return jnp.where(seen, jax.nn.softmax(scores + jnp.where(seen, 0, -jnp.inf)), 0)


def even_where_nothing_is_seen(query, key, *, mask=None, is_causal=False):
    _check(query, key)
    scores = _scores(query, key)
    return jax.nn.softmax(jnp.where(_seen(scores, mask, is_causal), scores, jnp.finfo(scores.dtype).min))


def overflows(query, key, *, mask=None, is_causal=False):
    _check(query, key)
    scores = _scores(query, key)
    seen = _seen(scores, mask, is_causal)
    unnormalized = jnp.where(seen, jnp.exp(scores), 0)
    total = unnormalized.sum(-1, keepdims=True)
    return jnp.where(total > 0, unnormalized / jnp.where(total > 0, total, 1), 0)


def heads_dealt_out_in_turn(query, key, *, mask=None, is_causal=False):
    _check(query, key)
    key = jnp.concatenate([key] * (query.shape[-2] // key.shape[-2]), axis=-2)
    scores = _scores(query, key)
    return _masked_softmax(scores, _seen(scores, mask, is_causal))


def depth_of_one_broadcast(query, key, *, mask=None, is_causal=False):
    if query.shape[-2] % key.shape[-2]:
        raise ValueError("heads do not fit")
    key = jnp.broadcast_to(key, (*key.shape[:-1], query.shape[-1]))
    scores = _scores(query, key)
    return _masked_softmax(scores, _seen(scores, mask, is_causal))
