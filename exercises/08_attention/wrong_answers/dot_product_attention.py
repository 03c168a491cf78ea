"""Wrong answers to `dot_product_attention` that a student writes; exercises.toml says what is wrong with each."""

import math

import jax
import jax.numpy as jnp


def _check(key, value):
    if key.shape[:-1] != value.shape[:-1]:
        raise ValueError("a value for each key")


def _weights(query, key, mask=None, is_causal=False, root=None):
    key = jnp.repeat(key, query.shape[-2] // key.shape[-2], axis=-2)
    scores = jnp.einsum("...qhd,...khd->...hqk", query, key) / (math.sqrt(query.shape[-1]) if root is None else root)
    seen = jnp.ones(scores.shape, bool) if mask is None else jnp.broadcast_to(mask, scores.shape)
    seen = jnp.tril(seen) if is_causal else seen
    return jnp.where(seen, jax.nn.softmax(jnp.where(seen, scores, jnp.finfo(scores.dtype).min)), 0)


def _drop(x, rate, key):
    return x if key is None else jnp.where(jax.random.bernoulli(key, 1 - rate, x.shape), x / (1 - rate), 0)


def _mean(weights, value):
    value = jnp.repeat(value, weights.shape[-3] // value.shape[-2], axis=-2)
    return jnp.einsum("...hqk,...khd->...qhd", weights, value)


def root_forgotten(query, key, value, *, mask=None, is_causal=False, dropout_rate=0.0, dropout_key=None):
    _check(key, value)
    weights = _weights(query, key, mask, is_causal, root=1.0)
    return _mean(_drop(weights, dropout_rate, dropout_key), value)


def sums_over_the_queries(query, key, value, *, mask=None, is_causal=False, dropout_rate=0.0, dropout_key=None):
    _check(key, value)
    weights = _drop(_weights(query, key, mask, is_causal), dropout_rate, dropout_key)
    if weights.shape[-1] == weights.shape[-2]:
        weights = jnp.swapaxes(weights, -1, -2)
    return _mean(weights, value)


def heads_left_in_front(query, key, value, *, mask=None, is_causal=False, dropout_rate=0.0, dropout_key=None):
    _check(key, value)
    weights = _drop(_weights(query, key, mask, is_causal), dropout_rate, dropout_key)
    return jnp.swapaxes(_mean(weights, value), -2, -3)


def every_head_alike(query, key, value, *, mask=None, is_causal=False, dropout_rate=0.0, dropout_key=None):
    _check(key, value)
    weights = _drop(_weights(query, key, mask, is_causal), dropout_rate, dropout_key)
    return _mean(jnp.broadcast_to(weights.mean(-3, keepdims=True), weights.shape), value)


def keys_for_values(query, key, value, *, mask=None, is_causal=False, dropout_rate=0.0, dropout_key=None):
    _check(key, value)
    return _mean(_drop(_weights(query, key, mask, is_causal), dropout_rate, dropout_key), key)


def mask_after_the_softmax(query, key, value, *, mask=None, is_causal=False, dropout_rate=0.0, dropout_key=None):
    _check(key, value)
    weights = _weights(query, key, None, is_causal)
    weights = weights if mask is None else weights * mask
    return _mean(_drop(weights, dropout_rate, dropout_key), value)


def hides_values_instead_of_scores(query, key, value, *, mask=None, is_causal=False, dropout_rate=0.0, dropout_key=None):
    _check(key, value)
    if mask is not None:
        value = value * mask[..., 0, 0, :, None, None]
    return _mean(_drop(_weights(query, key, None, is_causal), dropout_rate, dropout_key), value)


def causality_forgotten(query, key, value, *, mask=None, is_causal=False, dropout_rate=0.0, dropout_key=None):
    _check(key, value)
    return _mean(_drop(_weights(query, key, mask), dropout_rate, dropout_key), value)


def drops_from_the_result(query, key, value, *, mask=None, is_causal=False, dropout_rate=0.0, dropout_key=None):
    _check(key, value)
    out = _mean(_weights(query, key, mask, is_causal), value)
    if dropout_key is None:
        return out
    return jnp.where(
        jax.random.bernoulli(dropout_key, 1 - dropout_rate, out.shape[:-1])[..., None], out / (1 - dropout_rate), 0
    )


def dropout_not_made_up_for(query, key, value, *, mask=None, is_causal=False, dropout_rate=0.0, dropout_key=None):
    _check(key, value)
    weights = _weights(query, key, mask, is_causal)
    if dropout_key is not None:
        weights = jnp.where(jax.random.bernoulli(dropout_key, 1 - dropout_rate, weights.shape), weights, 0)
    return _mean(weights, value)


def dropout_before_the_softmax(query, key, value, *, mask=None, is_causal=False, dropout_rate=0.0, dropout_key=None):
    _check(key, value)
    weights = _weights(query, key, mask, is_causal)
    if dropout_key is not None:
        kept = jax.random.bernoulli(dropout_key, 1 - dropout_rate, weights.shape)
        weights = jnp.where(kept, weights, 0)
        weights = weights / jnp.maximum(weights.sum(-1, keepdims=True), 1e-9)
    return _mean(weights, value)


def always_drops(query, key, value, *, mask=None, is_causal=False, dropout_rate=0.0, dropout_key=None):
    _check(key, value)
    dropout_key = jax.random.key(0) if dropout_key is None else dropout_key
    return _mean(_drop(_weights(query, key, mask, is_causal), dropout_rate, dropout_key), value)


def key_of_its_own(query, key, value, *, mask=None, is_causal=False, dropout_rate=0.0, dropout_key=None):
    _check(key, value)
    dropout_key = None if dropout_key is None else jax.random.key(0)
    return _mean(_drop(_weights(query, key, mask, is_causal), dropout_rate, dropout_key), value)


def heads_dealt_out_in_turn(query, key, value, *, mask=None, is_causal=False, dropout_rate=0.0, dropout_key=None):
    _check(key, value)
    value = jnp.concatenate([value] * (query.shape[-2] // value.shape[-2]), axis=-2)
    return _mean(_drop(_weights(query, key, mask, is_causal), dropout_rate, dropout_key), value)


def one_value_for_all_keys(query, key, value, *, mask=None, is_causal=False, dropout_rate=0.0, dropout_key=None):
    if value.shape[-3] != key.shape[-3]:
        value = jnp.broadcast_to(value, (*value.shape[:-3], key.shape[-3], *value.shape[-2:]))
    return _mean(_drop(_weights(query, key, mask, is_causal), dropout_rate, dropout_key), value)
