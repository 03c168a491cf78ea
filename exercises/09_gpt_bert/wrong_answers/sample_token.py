"""Wrong answers to `sample_token` that a student writes; exercises.toml says what is wrong with each."""

import jax
import jax.numpy as jnp
from jax.core import Tracer


def _require_temperature(temperature):
    if not isinstance(temperature, Tracer) and not temperature >= 0:
        raise ValueError(f"a temperature of at least 0, got {temperature}")


def _ranks(scores):
    return jnp.argsort(jnp.argsort(-scores, axis=-1), axis=-1)


def _top_k(scores, k):
    return scores if k is None else jnp.where(_ranks(scores) < k, scores, -jnp.inf)


def _top_p(scores, p):
    if p is None:
        return scores
    falling = jnp.sort(jax.nn.softmax(scores), axis=-1)[..., ::-1]
    needed = (jnp.cumsum(falling, axis=-1) - falling < p).at[..., 0].set(True)
    return jnp.where(jnp.take_along_axis(needed, _ranks(scores), axis=-1), scores, -jnp.inf)


def _scores(logits, temperature):
    return (logits - logits.max(-1, keepdims=True)) / jnp.where(temperature == 0, 1, temperature)


def _draw(key, logits, scores, temperature):
    return jnp.where(temperature == 0, logits.argmax(-1), jax.random.categorical(key, scores))


def temperature_multiplied(key, logits, *, temperature=1.0, top_k=None, top_p=None):
    _require_temperature(temperature)
    return _draw(key, logits, _top_p(_top_k(logits * temperature, top_k), top_p), temperature)


def temperature_after_the_filters(key, logits, *, temperature=1.0, top_k=None, top_p=None):
    _require_temperature(temperature)
    return _draw(key, logits, _scores(_top_p(_top_k(logits, top_k), top_p), temperature), temperature)


def chances_divided(key, logits, *, temperature=1.0, top_k=None, top_p=None):
    _require_temperature(temperature)
    chances = jax.nn.softmax(logits) / jnp.where(temperature == 0, 1, temperature)
    return _draw(key, logits, _top_p(_top_k(jnp.log(chances), top_k), top_p), temperature)


def not_made_whole_after_the_filter(key, logits, *, temperature=1.0, top_k=None, top_p=None):
    _require_temperature(temperature)
    scores = _scores(logits, temperature)
    chances = jnp.where(jnp.isfinite(_top_p(_top_k(scores, top_k), top_p)), jax.nn.softmax(scores), 0)
    drawn = (jnp.cumsum(chances, axis=-1) < jax.random.uniform(key, (*logits.shape[:-1], 1))).sum(-1)
    return jnp.where(temperature == 0, logits.argmax(-1), jnp.minimum(drawn, logits.shape[-1] - 1))


def chances_taken_for_scores(key, logits, *, temperature=1.0, top_k=None, top_p=None):
    _require_temperature(temperature)
    scores = _top_p(_top_k(_scores(logits, temperature), top_k), top_p)
    return _draw(key, logits, jax.nn.softmax(scores), temperature)


def top_p_before_top_k(key, logits, *, temperature=1.0, top_k=None, top_p=None):
    _require_temperature(temperature)
    return _draw(key, logits, _top_k(_top_p(_scores(logits, temperature), top_p), top_k), temperature)


def top_p_forgotten_beside_top_k(key, logits, *, temperature=1.0, top_k=None, top_p=None):
    _require_temperature(temperature)
    scores = _scores(logits, temperature)
    return _draw(key, logits, _top_p(scores, top_p) if top_k is None else _top_k(scores, top_k), temperature)


def divided_by_zero(key, logits, *, temperature=1.0, top_k=None, top_p=None):
    _require_temperature(temperature)
    return jax.random.categorical(key, _top_p(_top_k(jnp.divide(logits, temperature), top_k), top_p))


def always_the_likeliest(key, logits, *, temperature=1.0, top_k=None, top_p=None):
    _require_temperature(temperature)
    return logits.argmax(-1)


def one_draw_for_all_rows(key, logits, *, temperature=1.0, top_k=None, top_p=None):
    _require_temperature(temperature)
    scores = _top_p(_top_k(_scores(logits, temperature), top_k), top_p)
    noise = jnp.broadcast_to(jax.random.gumbel(key, logits.shape[-1:]), scores.shape)
    return jnp.where(temperature == 0, logits.argmax(-1), (scores + noise).argmax(-1))


def key_of_its_own(key, logits, *, temperature=1.0, top_k=None, top_p=None):
    _require_temperature(temperature)
    scores = _top_p(_top_k(_scores(logits, temperature), top_k), top_p)
    return _draw(jax.random.key(0), logits, scores, temperature)


def any_temperature_accepted(key, logits, *, temperature=1.0, top_k=None, top_p=None):
    return _draw(key, logits, _top_p(_top_k(_scores(logits, temperature), top_k), top_p), temperature)
