"""Wrong answers to `top_k_filter` that a student writes; exercises.toml says what is wrong with each."""

import jax
import jax.numpy as jnp
from jax.core import Tracer


def _ranks(logits):
    return jnp.argsort(jnp.argsort(-logits, axis=-1), axis=-1)


def _require_one(k):
    if not isinstance(k, Tracer) and k < 1:
        raise ValueError(f"k of at least 1, got {k}")


def one_too_many(logits, k):
    _require_one(k)
    return jnp.where(_ranks(logits) <= k, logits, -jnp.inf)


def keeps_the_smallest(logits, k):
    _require_one(k)
    return jnp.where(_ranks(-logits) < k, logits, -jnp.inf)


def order_for_rank(logits, k):
    _require_one(k)
    return jnp.where(jnp.argsort(-logits, axis=-1) < k, logits, -jnp.inf)


def keeps_all_that_are_equal(logits, k):
    _require_one(k)
    least = jnp.sort(logits, axis=-1)[..., ::-1][..., jnp.minimum(k, logits.shape[-1]) - 1]
    return jnp.where(logits >= least[..., None], logits, -jnp.inf)


def zero_for_hidden(logits, k):
    _require_one(k)
    return jnp.where(_ranks(logits) < k, logits, 0)


def chances_for_scores(logits, k):
    _require_one(k)
    return jnp.where(_ranks(logits) < k, jax.nn.softmax(logits), 0)


def over_the_whole_batch(logits, k):
    _require_one(k)
    return jnp.where(_ranks(logits.reshape(-1)).reshape(logits.shape) < k, logits, -jnp.inf)


def only_what_is_kept(logits, k):
    _require_one(k)
    return jnp.sort(logits, axis=-1)[..., ::-1][..., :k]


def any_k_accepted(logits, k):
    return jnp.where(_ranks(logits) < k, logits, -jnp.inf)
