"""How fast each layer learns, and from when on: the first layers are general, the last specific, so let them move unalike."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jaxtyping import Array, Int

from transfer.freezing import dotted, matches, patterns_of, require_matches
from transfer.parameters import dotted_keys


def layerwise_lr_decay(
    model: nnx.Module, optimizer: optax.GradientTransformation, layers: Sequence[str], *, decay: float
) -> optax.GradientTransformation:
    """An optimizer whose steps are smaller, the further a layer is from the output: by the factor `decay` for each layer.

    Args:
      model: whose parameters the patterns are held against.
      optimizer: makes the steps, weight decay included.
      layers: a pattern for each layer as for `trainable_filter`, from the first to the last, such as ("hidden.0", "hidden.1",
        "head"). The last learns at the full rate. Every parameter has to be in one of them.
      decay: from 0 (only the last moves) to 1 (all move alike).

    Raises:
      ValueError: if decay is not from 0 to 1, a pattern matches nothing, or a parameter is in no layer or in two.

    References:
      Howard and Ruder 2018, "Universal Language Model Fine-tuning for Text Classification", section 3.2.
      Clark et al. 2020, "ELECTRA", section A.2.
    """
    if not 0 <= decay <= 1:
        raise ValueError(f"layerwise_lr_decay expects decay from 0 to 1, got {decay}.")
    layers = patterns_of(layers)
    layer_of = _layer_of("layerwise_lr_decay", model, layers)
    factor = {name: decay ** (len(layers) - 1 - layer) for name, layer in layer_of.items()}

    def scale(updates, state, params=None):
        del params
        return jax.tree_util.tree_map_with_path(lambda path, update: factor[dotted_keys(path)] * update, updates), state

    return optax.chain(optimizer, optax.GradientTransformation(optax.init_empty_state, scale))


def gradual_unfreezing(
    model: nnx.Module, optimizer: optax.GradientTransformation, starts: Mapping[str, int]
) -> optax.GradientTransformation:
    """An optimizer that lets each layer join at its own step, usually the head first and the first layer last.

    Until its step a layer stays bit for bit as it is, and its memory in the optimizer is not touched; from then on it goes as
    if training had begun there, and the memory of those before it is carried on. (Running averages and dropout are not the
    optimizer's: `freeze` holds those.)

    Args:
      model: whose parameters the patterns are held against.
      optimizer: for every layer on its own: what it counts, as Adam does its steps, counts from the layer's start.
      starts: pattern → the step from which on it trains; 0 is the first. Every parameter has to be in one of them.

    Raises:
      ValueError: if a start is below 0, none is 0, a pattern matches nothing, or a parameter is in no layer or in two.

    Reference: Howard and Ruder 2018, section 3.3.
    """
    if not starts or min(starts.values()) != 0:
        raise ValueError(f"gradual_unfreezing expects starts from 0 on, one of them 0, got {dict(starts)}.")
    patterns = patterns_of(tuple(starts))
    layer_of = _layer_of("gradual_unfreezing", model, patterns)
    groups: Any = {str(layer): _delayed(optimizer, start) for layer, start in enumerate(starts.values())}

    def labels(parameters):
        return jax.tree_util.tree_map_with_path(lambda path, _: str(layer_of[dotted_keys(path)]), parameters)

    return optax.multi_transform(groups, labels)


class _DelayedState(NamedTuple):
    step: Int[Array, ""]
    inner: Any


def _delayed(optimizer: optax.GradientTransformation, start: int) -> optax.GradientTransformation:
    def init(params):
        return _DelayedState(jnp.array(0), optimizer.init(params))

    def update(updates, state, params=None):
        new, inner = optimizer.update(updates, state.inner, params)
        begun = state.step >= start
        new = jax.tree.map(lambda update: jnp.where(begun, update, jnp.zeros_like(update)), new)
        inner = jax.tree.map(lambda new, old: jnp.where(begun, new, old), inner, state.inner)
        return new, _DelayedState(state.step + 1, inner)

    return optax.GradientTransformation(init, update)


def _layer_of(function: str, model: nnx.Module, patterns: tuple[str, ...]) -> dict[str, int]:
    """The layer that each parameter is in."""
    names = [dotted(path) for path, _ in nnx.to_flat_state(nnx.state(model, nnx.Param))]
    require_matches(function, patterns, names)
    layers = {name: [i for i, pattern in enumerate(patterns) if matches(name, pattern)] for name in names}
    wrong = [name for name, found in layers.items() if len(found) != 1]
    if wrong:
        raise ValueError(f"{function} expects each parameter in exactly one layer; {wrong} are in none or in several.")
    return {name: found[0] for name, found in layers.items()}
