"""Wrong answers to `mask_tokens` that a student writes; exercises.toml says what is wrong with each."""

import jax
import jax.numpy as jnp


def _require_chance(rate, vocabulary):
    if not 0 <= rate <= 1 or vocabulary < 1:
        raise ValueError(f"a rate from 0 to 1 and a vocabulary of at least 1, got {rate} and {vocabulary}")


def _draws(key, tokens, vocabulary, rate):
    keys = jax.random.split(key, 3)
    chosen = jax.random.bernoulli(keys[0], rate, tokens.shape)
    other = jax.random.randint(keys[2], tokens.shape, 0, vocabulary, tokens.dtype)
    return chosen, jax.random.uniform(keys[1], tokens.shape), other


def _spoiled(tokens, fate, other, mask_token):
    return jnp.where(fate < 0.8, mask_token, jnp.where(fate < 0.9, other, tokens))


def key_used_twice(key, tokens, *, mask_token, vocabulary, rate=0.15):
    _require_chance(rate, vocabulary)
    tokens = jnp.asarray(tokens)
    chosen = jax.random.uniform(key, tokens.shape) < rate
    fate = jax.random.uniform(key, tokens.shape)
    other = jax.random.randint(key, tokens.shape, 0, vocabulary, tokens.dtype)
    return jnp.where(chosen, _spoiled(tokens, fate, other, mask_token), tokens), chosen


def key_of_its_own(key, tokens, *, mask_token, vocabulary, rate=0.15):
    _require_chance(rate, vocabulary)
    tokens = jnp.asarray(tokens)
    chosen, fate, other = _draws(jax.random.key(0), tokens, vocabulary, rate)
    return jnp.where(chosen, _spoiled(tokens, fate, other, mask_token), tokens), chosen


def always_a_hole(key, tokens, *, mask_token, vocabulary, rate=0.15):
    _require_chance(rate, vocabulary)
    tokens = jnp.asarray(tokens)
    chosen, _, _ = _draws(key, tokens, vocabulary, rate)
    return jnp.where(chosen, mask_token, tokens), chosen


def never_random(key, tokens, *, mask_token, vocabulary, rate=0.15):
    _require_chance(rate, vocabulary)
    tokens = jnp.asarray(tokens)
    chosen, fate, _ = _draws(key, tokens, vocabulary, rate)
    return jnp.where(chosen & (fate < 0.9), mask_token, tokens), chosen


def counted_where_nothing_was_chosen(key, tokens, *, mask_token, vocabulary, rate=0.15):
    _require_chance(rate, vocabulary)
    tokens = jnp.asarray(tokens)
    chosen, fate, other = _draws(key, tokens, vocabulary, rate)
    return jnp.where(chosen, _spoiled(tokens, fate, other, mask_token), tokens), jnp.ones(tokens.shape, bool)


def only_what_changed_is_counted(key, tokens, *, mask_token, vocabulary, rate=0.15):
    _require_chance(rate, vocabulary)
    tokens = jnp.asarray(tokens)
    chosen, fate, other = _draws(key, tokens, vocabulary, rate)
    holes = jnp.where(chosen, _spoiled(tokens, fate, other, mask_token), tokens)
    return holes, holes != tokens


def only_holes_are_counted(key, tokens, *, mask_token, vocabulary, rate=0.15):
    _require_chance(rate, vocabulary)
    tokens = jnp.asarray(tokens)
    chosen, fate, other = _draws(key, tokens, vocabulary, rate)
    holes = jnp.where(chosen, _spoiled(tokens, fate, other, mask_token), tokens)
    return holes, holes == mask_token


def mask_inverted(key, tokens, *, mask_token, vocabulary, rate=0.15):
    _require_chance(rate, vocabulary)
    tokens = jnp.asarray(tokens)
    chosen, fate, other = _draws(key, tokens, vocabulary, rate)
    return jnp.where(chosen, _spoiled(tokens, fate, other, mask_token), tokens), ~chosen


def same_places_in_every_row(key, tokens, *, mask_token, vocabulary, rate=0.15):
    _require_chance(rate, vocabulary)
    tokens = jnp.asarray(tokens)
    _, fate, other = _draws(key, tokens, vocabulary, rate)
    chosen = jnp.broadcast_to(jax.random.bernoulli(key, rate, tokens.shape[-1:]), tokens.shape)
    return jnp.where(chosen, _spoiled(tokens, fate, other, mask_token), tokens), chosen


def one_random_token_for_all(key, tokens, *, mask_token, vocabulary, rate=0.15):
    _require_chance(rate, vocabulary)
    tokens = jnp.asarray(tokens)
    chosen, fate, other = _draws(key, tokens, vocabulary, rate)
    other = jnp.broadcast_to(other.reshape(-1)[0], tokens.shape)
    return jnp.where(chosen, _spoiled(tokens, fate, other, mask_token), tokens), chosen


def random_tokens_beyond_the_vocabulary(key, tokens, *, mask_token, vocabulary, rate=0.15):
    _require_chance(rate, vocabulary)
    tokens = jnp.asarray(tokens)
    chosen, fate, other = _draws(key, tokens, vocabulary + 1, rate)
    return jnp.where(chosen, _spoiled(tokens, fate, other, mask_token), tokens), chosen


def rate_ignored(key, tokens, *, mask_token, vocabulary, rate=0.15):
    _require_chance(rate, vocabulary)
    tokens = jnp.asarray(tokens)
    chosen, fate, other = _draws(key, tokens, vocabulary, 0.15)
    return jnp.where(chosen, _spoiled(tokens, fate, other, mask_token), tokens), chosen


def any_rate_accepted(key, tokens, *, mask_token, vocabulary, rate=0.15):
    tokens = jnp.asarray(tokens)
    chosen, fate, other = _draws(key, tokens, max(vocabulary, 1), rate)
    return jnp.where(chosen, _spoiled(tokens, fate, other, mask_token), tokens), chosen
