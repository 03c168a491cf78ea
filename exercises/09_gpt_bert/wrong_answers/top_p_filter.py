"""Wrong answers to `top_p_filter` that a student writes; exercises.toml says what is wrong with each."""

import jax
import jax.numpy as jnp
from jax.core import Tracer


def _require_chance(p):
    if not isinstance(p, Tracer) and not 0 <= p <= 1:
        raise ValueError(f"p from 0 to 1, got {p}")


def _ranks(logits):
    return jnp.argsort(jnp.argsort(-logits, axis=-1), axis=-1)


def _sums(chances):
    """Of each chance in falling order: the sum up to it, and what those before it hold."""
    falling = jnp.sort(chances, axis=-1)[..., ::-1]
    return jnp.cumsum(falling, axis=-1), jnp.cumsum(falling, axis=-1) - falling


def _keep(logits, needed):
    return jnp.where(jnp.take_along_axis(needed, _ranks(logits), axis=-1), logits, -jnp.inf)


def one_too_few(logits, p):
    _require_chance(p)
    upto, _ = _sums(jax.nn.softmax(logits))
    return _keep(logits, (upto <= p).at[..., 0].set(True))


def one_too_many(logits, p):
    _require_chance(p)
    _, before = _sums(jax.nn.softmax(logits))
    needed = before < p
    return _keep(logits, jnp.concatenate([jnp.ones_like(needed[..., :1]), needed[..., :-1]], axis=-1))


def none_for_p_of_0(logits, p):
    _require_chance(p)
    _, before = _sums(jax.nn.softmax(logits))
    return _keep(logits, before < p)


def not_put_back_in_order(logits, p):
    _require_chance(p)
    _, before = _sums(jax.nn.softmax(logits))
    return jnp.where((before < p).at[..., 0].set(True), logits, -jnp.inf)


def in_the_order_they_stand(logits, p):
    _require_chance(p)
    chances = jax.nn.softmax(logits)
    return jnp.where(jnp.cumsum(chances, axis=-1) - chances < p, logits, -jnp.inf)


def scores_summed_up(logits, p):
    _require_chance(p)
    _, before = _sums(logits)
    return _keep(logits, (before < p).at[..., 0].set(True))


def each_above_p(logits, p):
    _require_chance(p)
    return jnp.where((jax.nn.softmax(logits) >= p) | (_ranks(logits) == 0), logits, -jnp.inf)


def the_unlikely_ones(logits, p):
    _require_chance(p)
    chances = jax.nn.softmax(logits)
    rising = jnp.sort(chances, axis=-1)
    needed = jnp.cumsum(rising, axis=-1) - rising < p
    return jnp.where(jnp.take_along_axis(needed, _ranks(-logits), axis=-1), logits, -jnp.inf)


def zero_for_hidden(logits, p):
    _require_chance(p)
    _, before = _sums(jax.nn.softmax(logits))
    kept = _keep(logits, (before < p).at[..., 0].set(True))
    return jnp.where(jnp.isfinite(kept), kept, 0)


def any_p_accepted(logits, p):
    _, before = _sums(jax.nn.softmax(logits))
    return _keep(logits, (before < p).at[..., 0].set(True))
