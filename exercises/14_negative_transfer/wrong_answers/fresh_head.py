"""Wrong answers to `fresh_head` that a student writes; exercises.toml says what is wrong with each."""

import time

import jax
import jax.numpy as jnp
from flax import nnx

from transfer.fine_tuning import replace_head


def _own_key(seed):
    return nnx.Rngs(jax.random.fold_in(jax.random.key(seed), 1234))


def key_of_the_model(model, classes, *, seed):
    return replace_head(model, classes, rngs=nnx.Rngs(seed))


def source_head_kept(model, classes, *, seed):
    return nnx.clone(model) if model.head.out_features == classes else replace_head(model, classes, rngs=_own_key(seed))


def old_columns_first(model, classes, *, seed):
    new, common = replace_head(model, classes, rngs=_own_key(seed)), min(classes, model.head.out_features)
    new.head.kernel[...] = new.head.kernel[...].at[:, :common].set(model.head.kernel[...][:, :common])
    return new


def same_for_all_seeds(model, classes, *, seed):
    return replace_head(model, classes, rngs=_own_key(42))


def never_the_same(model, classes, *, seed):
    return replace_head(model, classes, rngs=_own_key(time.time_ns() % 2**31))


def key_from_the_model(model, classes, *, seed):
    numbers = int(abs(model.head.kernel[...]).sum() * 1e4)
    return replace_head(model, classes, rngs=_own_key(seed + numbers))


def head_of_the_next_seed(model, classes, *, seed):
    return replace_head(model, classes, rngs=nnx.Rngs(seed + 1))


def changes_the_model(model, classes, *, seed):
    model.head = replace_head(model, classes, rngs=_own_key(seed)).head
    return model


def zeros(model, classes, *, seed):
    new = replace_head(model, classes, rngs=_own_key(seed))
    new.head.kernel[...] = jnp.zeros_like(new.head.kernel[...])
    return new
