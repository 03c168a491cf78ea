"""Wrong answers to `nt_xent` that a student writes; exercises.toml says what is wrong with each."""

import jax
import jax.numpy as jnp
from jax.core import Tracer


def _require(first, second, temperature):
    _require_views(first, second)
    _require_temperature(temperature)


def _require_views(first, second):
    if first.shape != second.shape or len(first) < 2:
        raise ValueError(f"two views of each of at least two pictures, got {first.shape} and {second.shape}")


def _require_temperature(temperature):
    if not isinstance(temperature, Tracer) and not temperature > 0:
        raise ValueError(f"a temperature above 0, got {temperature}")


def _directions(x):
    return x / jnp.linalg.norm(x, axis=1, keepdims=True)


def _scores(first, second, temperature):
    views = _directions(jnp.concatenate([first, second]))
    return views @ views.T / temperature


def _without_itself(scores):
    return jnp.where(jnp.eye(len(scores), dtype=bool), -jnp.inf, scores)


def _surprise(scores, partners):
    return -jax.nn.log_softmax(scores, axis=1)[jnp.arange(len(scores)), partners]


def _partners(first):
    return jnp.roll(jnp.arange(2 * len(first)), len(first))


def compared_with_itself(first, second, temperature=0.5):
    _require(first, second, temperature)
    return _surprise(_scores(first, second, temperature), _partners(first)).mean()


def itself_scores_zero(first, second, temperature=0.5):
    _require(first, second, temperature)
    scores = _scores(first, second, temperature)
    return _surprise(jnp.where(jnp.eye(len(scores), dtype=bool), 0.0, scores), _partners(first)).mean()


def only_the_other_list(first, second, temperature=0.5):
    _require(first, second, temperature)
    scores = _directions(first) @ _directions(second).T / temperature
    rows = jnp.arange(len(first))
    return (_surprise(scores, rows).mean() + _surprise(scores.T, rows).mean()) / 2


def only_the_first_asks(first, second, temperature=0.5):
    _require(first, second, temperature)
    scores = _without_itself(_scores(first, second, temperature))
    return _surprise(scores, _partners(first))[: len(first)].mean()


def lengths_count(first, second, temperature=0.5):
    _require(first, second, temperature)
    views = jnp.concatenate([first, second])
    return _surprise(_without_itself(views @ views.T / temperature), _partners(first)).mean()


def temperature_multiplied(first, second, temperature=0.5):
    _require(first, second, temperature)
    views = _directions(jnp.concatenate([first, second]))
    return _surprise(_without_itself(views @ views.T * temperature), _partners(first)).mean()


def neighbours_as_partners(first, second, temperature=0.5):
    _require(first, second, temperature)
    scores = _without_itself(_scores(first, second, temperature))
    return _surprise(scores, jnp.arange(len(scores)) ^ 1).mean()


def partner_not_below_the_line(first, second, temperature=0.5):
    _require(first, second, temperature)
    scores, partners = _without_itself(_scores(first, second, temperature)), _partners(first)
    rows = jnp.arange(len(scores))
    wrong_ones = scores.at[rows, partners].set(-jnp.inf)
    return (jax.nn.logsumexp(wrong_ones, axis=1) - scores[rows, partners]).mean()


def summed(first, second, temperature=0.5):
    _require(first, second, temperature)
    return _surprise(_without_itself(_scores(first, second, temperature)), _partners(first)).sum()


def overflows(first, second, temperature=0.5):
    _require(first, second, temperature)
    chances = jnp.exp(_without_itself(_scores(first, second, temperature)))
    rows = jnp.arange(len(chances))
    return -jnp.log(chances[rows, _partners(first)] / chances.sum(1)).mean()


def second_is_a_fixed_target(first, second, temperature=0.5):
    _require(first, second, temperature)
    scores = _without_itself(_scores(first, jax.lax.stop_gradient(second), temperature))
    return _surprise(scores, _partners(first)).mean()


def one_pair_accepted(first, second, temperature=0.5):
    if first.shape != second.shape:
        raise ValueError(f"views of one shape, got {first.shape} and {second.shape}")
    _require_temperature(temperature)
    return _surprise(_without_itself(_scores(first, second, temperature)), _partners(first)).mean()


def any_temperature_accepted(first, second, temperature=0.5):
    _require_views(first, second)
    return _surprise(_without_itself(_scores(first, second, temperature)), _partners(first)).mean()
