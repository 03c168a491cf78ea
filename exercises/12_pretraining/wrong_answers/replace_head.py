"""Wrong answers to `replace_head` that a student writes; exercises.toml says what is wrong with each."""

import copy
import dataclasses

import jax.numpy as jnp
from flax import nnx


def _with_head(model, head):
    model.head = head
    model.config = dataclasses.replace(model.config, out_features=head.out_features)
    return model


def _fresh(model, classes, rngs):
    return nnx.Linear(model.head.in_features, classes, rngs=rngs)


def changes_the_model_itself(model, classes, *, rngs):
    return _with_head(model, _fresh(model, classes, rngs))


def shares_the_layers(model, classes, *, rngs):
    return _with_head(copy.copy(model), _fresh(model, classes, rngs))


def everything_fresh(model, classes, *, rngs):
    return type(model)(dataclasses.replace(model.config, out_features=classes), rngs=rngs)


def parameters_alone(model, classes, *, rngs):
    new = type(model)(model.config, rngs=rngs)
    nnx.update(new, nnx.state(model, nnx.Param))
    return _with_head(new, _fresh(model, classes, rngs))


def old_head_if_it_fits(model, classes, *, rngs):
    if classes == model.head.out_features:
        return nnx.clone(model)
    return _with_head(nnx.clone(model), _fresh(model, classes, rngs))


def old_weights_cut_to_size(model, classes, *, rngs):
    head, old = _fresh(model, classes, rngs), model.head
    common = min(classes, old.out_features)
    head.kernel[...] = head.kernel[...].at[:, :common].set(old.kernel[...][:, :common])
    return _with_head(nnx.clone(model), head)


def head_of_zeros(model, classes, *, rngs):
    head = _fresh(model, classes, rngs)
    head.kernel[...] = jnp.zeros_like(head.kernel[...])
    return _with_head(nnx.clone(model), head)


def key_of_its_own(model, classes, *, rngs):
    return _with_head(nnx.clone(model), _fresh(model, classes, nnx.Rngs(42)))


def config_forgotten(model, classes, *, rngs):
    new = nnx.clone(model)
    new.head = _fresh(model, classes, rngs)
    return new


def behind_the_old_head(model, classes, *, rngs):
    new = nnx.clone(model)
    new.head = nnx.Sequential(new.head, nnx.Linear(model.head.out_features, classes, rngs=rngs))
    new.config = dataclasses.replace(model.config, out_features=classes)
    return new
