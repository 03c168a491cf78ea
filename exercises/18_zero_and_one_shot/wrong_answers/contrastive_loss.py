"""Wrong answers to `contrastive_loss` that a student writes; exercises.toml says what is wrong with each."""

import jax
import jax.numpy as jnp
from jax.core import Tracer


def _require(images, texts, temperature):
    if images.shape != texts.shape or not (isinstance(temperature, Tracer) or temperature > 0):
        raise ValueError("a text for each image, and a temperature above 0")


def _unit(x, axis=-1):
    return x / jnp.linalg.norm(x, axis=axis, keepdims=True)


def _surprise(scores, axis):
    return -jnp.diag(jax.nn.log_softmax(scores, axis=axis)).mean()


def images_only(image_embeddings, text_embeddings, temperature=0.1):
    _require(image_embeddings, text_embeddings, temperature)
    return _surprise(_unit(image_embeddings) @ _unit(text_embeddings).T / temperature, 1)


def texts_only(image_embeddings, text_embeddings, temperature=0.1):
    _require(image_embeddings, text_embeddings, temperature)
    return _surprise(_unit(image_embeddings) @ _unit(text_embeddings).T / temperature, 0)


def both_summed(image_embeddings, text_embeddings, temperature=0.1):
    _require(image_embeddings, text_embeddings, temperature)
    scores = _unit(image_embeddings) @ _unit(text_embeddings).T / temperature
    return _surprise(scores, 0) + _surprise(scores, 1)


def one_softmax_over_all(image_embeddings, text_embeddings, temperature=0.1):
    _require(image_embeddings, text_embeddings, temperature)
    scores = _unit(image_embeddings) @ _unit(text_embeddings).T / temperature
    return -jnp.diag(scores - jax.nn.logsumexp(scores)).mean()


def lengths_count(image_embeddings, text_embeddings, temperature=0.1):
    _require(image_embeddings, text_embeddings, temperature)
    scores = image_embeddings @ text_embeddings.T / temperature
    return (_surprise(scores, 0) + _surprise(scores, 1)) / 2


def normalized_over_the_batch(image_embeddings, text_embeddings, temperature=0.1):
    _require(image_embeddings, text_embeddings, temperature)
    scores = _unit(image_embeddings, axis=0) @ _unit(text_embeddings, axis=0).T / temperature
    return (_surprise(scores, 0) + _surprise(scores, 1)) / 2


def temperature_multiplied(image_embeddings, text_embeddings, temperature=0.1):
    _require(image_embeddings, text_embeddings, temperature)
    scores = _unit(image_embeddings) @ _unit(text_embeddings).T * temperature
    return (_surprise(scores, 0) + _surprise(scores, 1)) / 2


def partner_not_in_the_sum(image_embeddings, text_embeddings, temperature=0.1):
    _require(image_embeddings, text_embeddings, temperature)
    scores = _unit(image_embeddings) @ _unit(text_embeddings).T / temperature
    others = jnp.where(jnp.eye(len(scores), dtype=bool), -jnp.inf, scores)
    return ((jax.nn.logsumexp(others, axis=0) + jax.nn.logsumexp(others, axis=1)) / 2 - jnp.diag(scores)).mean()


def log_of_softmax(image_embeddings, text_embeddings, temperature=0.1):
    _require(image_embeddings, text_embeddings, temperature)
    scores = _unit(image_embeddings) @ _unit(text_embeddings).T / temperature
    chances = jnp.diag(jax.nn.softmax(scores, axis=0)), jnp.diag(jax.nn.softmax(scores, axis=1))
    return -(jnp.log(chances[0]).mean() + jnp.log(chances[1]).mean()) / 2


def sign_lost(image_embeddings, text_embeddings, temperature=0.1):
    _require(image_embeddings, text_embeddings, temperature)
    scores = _unit(image_embeddings) @ _unit(text_embeddings).T / temperature
    return -(_surprise(scores, 0) + _surprise(scores, 1)) / 2


def _right(images, texts, temperature):
    _require(images, texts, temperature)
    scores = _unit(images) @ _unit(texts).T / temperature
    return (_surprise(scores, 0) + _surprise(scores, 1)) / 2


def texts_held_fast(image_embeddings, text_embeddings, temperature=0.1):
    return _right(image_embeddings, jax.lax.stop_gradient(text_embeddings), temperature)


def temperature_held_fast(image_embeddings, text_embeddings, temperature=0.1):
    return _right(image_embeddings, text_embeddings, jax.lax.stop_gradient(temperature))


def temperature_of_1(image_embeddings, text_embeddings, temperature=1.0):
    return _right(image_embeddings, text_embeddings, temperature)


def any_number_of_texts(image_embeddings, text_embeddings, temperature=0.1):
    _require(image_embeddings, image_embeddings, temperature)
    scores = _unit(image_embeddings) @ _unit(text_embeddings).T / temperature
    return (_surprise(scores, 0) + _surprise(scores, 1)) / 2


def any_temperature(image_embeddings, text_embeddings, temperature=0.1):
    _require(image_embeddings, text_embeddings, 1)
    scores = _unit(image_embeddings) @ _unit(text_embeddings).T / temperature
    return (_surprise(scores, 0) + _surprise(scores, 1)) / 2
