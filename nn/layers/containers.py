"""Many layers: a list that every supported version of Flax accepts as an attribute, and three ways to go through it.

Depth costs memory and time to compile; both can be had back without a word in the layers themselves.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

# Flax 0.12 refuses a plain list of modules and has nnx.List for it; Flax 0.11 takes the plain list and has no nnx.List.
List = getattr(nnx, "List", list)


def in_turn(
    layers: Sequence[nnx.Module], x: Any, *inputs: Any, rematerialize: bool = False, scan: bool = False, **options: Any
) -> Any:
    """layers[n − 1](… layers[1](layers[0](x, *inputs, **options), *inputs, **options) …, *inputs, **options).

    Outputs, gradients, random masks and all that the layers change in themselves are the same in each way of going through
    them, but for rounding.

    Args:
      layers: modules, each called with what the one before it gave.
      x: what the first one gets: an array, or a tree of them.
      inputs: what each one gets besides: trees of arrays.
      options: what each one gets by keyword, fixed when a program is traced.
      rematerialize: whether a gradient keeps only what goes from layer to layer, and computes what is inside of each once more
        when it comes by. It takes the memory of one layer in place of n, for about a third more of the work. On a CPU it needs
        scan, too: there XLA finds two equal computations outside of a loop, and makes them one again.
      scan: whether the layers are one loop in the compiled program, which hardly grows with their number, and is compiled the
        sooner. Their weights are stacked for each call, which takes their memory a second time. The layers must be alike: of
        one kind and one shape, in one mode, and each with an output like its input.

    Raises:
      ValueError: with scan, for layers that are not alike, one that is in the list twice, or layers that share something that
        a call moves, such as one `nnx.Rngs` for all: in a loop each would begin with the same.

    Reference: Chen et al. 2016, "Training Deep Nets with Sublinear Memory Cost", section 4.1.
    """
    if scan and len(layers) > 0:
        return _scanned(layers, x, inputs, options, rematerialize)
    for layer in layers:
        if rematerialize:
            graphdef, weights, moving = nnx.split(layer, nnx.Param, ...)
            x, moved = jax.checkpoint(_function(graphdef, options))(weights, moving, x, inputs)
            _put_back(layer, moved)
        else:
            x = layer(x, *inputs, **options)
    return x


def _function(graphdef, options):
    """A layer as a function of arrays, which gives back what it changes in itself beside what it gives.

    Of all that it could change, in the order of the leaves, what it did change; None for the rest: a layer in evaluation mode
    is then left alone, as it has to be where somebody else's transformation holds it.
    """

    def call(weights, moving, x, inputs):
        # A copy: NNX lets only variables made inside a transformation be moved inside it.
        layer = nnx.merge(graphdef, weights, moving, copy=True)
        y = layer(x, *inputs, **options)
        before, after = jax.tree.leaves(moving), jax.tree.leaves(nnx.split(layer, nnx.Param, ...)[2])
        return y, [None if new is old else new for old, new in zip(before, after, strict=True)]

    return call


def _put_back(layer, moved):
    """Sets those of a layer's variables that a call of `_function` moved."""
    if all(leaf is None for leaf in moved):
        return
    state = nnx.split(layer, nnx.Param, ...)[2]
    leaves, structure = jax.tree.flatten(state)
    leaves = [old if new is None else new for old, new in zip(leaves, moved, strict=True)]
    nnx.update(layer, jax.tree.unflatten(structure, leaves))


def _scanned(layers, x, inputs, options, rematerialize):
    graphdefs, *states = zip(*(nnx.split(layer, nnx.Param, ...) for layer in layers), strict=True)
    _require_alike(layers, graphdefs, list(zip(*states, strict=True)))
    function = _function(graphdefs[0], options)
    if rematerialize:
        function = jax.checkpoint(function, prevent_cse=False)  # a loop keeps its rounds apart as it is

    def call(x, state):
        weights, moving = state
        y, moved = function(weights, moving, x, inputs)
        if _form(y) != _form(x):
            raise ValueError(
                f"in_turn(scan=True) expects layers whose output is like their input, got {_described(y)} from {_described(x)} "
                f"out of {type(layers[0]).__name__}."
            )
        return y, moved

    stacked = [jax.tree.map(lambda *leaves: jnp.stack(leaves), *state) for state in states]
    x, moved = jax.lax.scan(call, x, stacked)
    for i, layer in enumerate(layers):
        _put_back(layer, [None if leaf is None else leaf[i] for leaf in moved])
    return x


def _require_alike(layers, graphdefs, states):
    if len({id(layer) for layer in layers}) < len(layers):
        raise ValueError("in_turn(scan=True) expects each layer once; one that is in the list twice goes without scan.")
    moving = [id(part) for layer in layers for _, part in nnx.iter_graph(layer) if _moves(part)]
    if len(set(moving)) < len(moving):
        raise ValueError(
            "in_turn(scan=True) expects each layer with its own random numbers and running averages; "
            f"these layers of {type(layers[0]).__name__} share some. They go without scan."
        )
    for i in range(1, len(layers)):
        if graphdefs[i] != graphdefs[0] or _form(states[i]) != _form(states[0]):
            raise ValueError(
                "in_turn(scan=True) expects layers of one kind, shape and mode, and "
                f"{type(layers[i]).__name__} {i} is not like {type(layers[0]).__name__} 0. They go without scan."
            )


def _moves(part):
    return isinstance(part, nnx.Variable) and not isinstance(part, nnx.Param)


def _form(tree):
    leaves, structure = jax.tree.flatten(tree)
    return structure, [(leaf.shape, leaf.dtype) for leaf in leaves]


def _described(tree):
    return ", ".join(f"{leaf.dtype}{leaf.shape}" for leaf in jax.tree.leaves(tree))
