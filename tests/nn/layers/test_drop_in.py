"""The truth test of every layer: with the state of the Flax class of its name it is that class, value by value.

A new layer is a new line in PAIRS.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from nn import layers
from nn.layers import BatchNorm, Dropout, GroupNorm, InstanceNorm, LayerNorm, Linear, RMSNorm

FEATURES = 3
WEIGHTS = nnx.Any(nnx.Param, nnx.BatchStat)


@dataclass
class Pair:
    """A class of ours, Flax's of the same name, and how both are made and called.

    Attributes:
      example: the shape of one example; a batch has leading axes before it.
      call: how a module is called on an input.
      mixes: whether an example's output depends on the others in its batch, or on chance.
    """

    ours: Callable
    theirs: Callable
    arguments: tuple = (FEATURES,)
    options: dict[str, Any] = field(default_factory=dict)
    example: tuple[int, ...] = (FEATURES,)
    call: Callable = lambda module, x: module(x)
    mixes: bool = False


def on_a_batch(module, x):
    """For layers whose first axis is always the batch: a lone image is made a batch of one."""
    return module(x) if x.ndim == 4 else module(x[None])[0]


def step(cell, x):
    """All that a cell remembers after one step, from a memory that is not zero."""
    memory = jnp.linspace(-1, 1, cell.hidden_features, dtype=x.dtype)
    memory = jnp.broadcast_to(memory, (*x.shape[:-1], cell.hidden_features))
    carry, _ = cell((memory, -memory) if "LSTM" in type(cell).__name__ else memory, x)
    return jnp.concatenate(jax.tree.leaves(carry), axis=-1)


def walking(package, walks, hidden=4):
    """A maker of `package`'s RNN over a GRU, or of two of them in both directions."""

    def make(inputs, rngs):
        rnns = [package.RNN(package.GRUCell(inputs, hidden, rngs=rngs)) for _ in range(walks)]
        return rnns[0] if walks == 1 else package.Bidirectional(*rnns)

    return make


def small_and_causal(attention, x):
    """Small inputs, so that no softmax is all for one key; a mask, since the oldest Flax has no `is_causal`."""
    mask = np.tri(x.shape[-2], dtype=bool).reshape(*(1,) * (x.ndim - 1), x.shape[-2], x.shape[-2])
    return attention(x / 8, mask=mask)


PAIRS = {
    "Linear": Pair(Linear, nnx.Linear, (FEATURES, 4)),
    "Linear without bias": Pair(Linear, nnx.Linear, (FEATURES, 4), {"use_bias": False}),
    "LinearGeneral": Pair(layers.LinearGeneral, nnx.LinearGeneral, (FEATURES, (2, 4))),
    "LinearGeneral from two axes": Pair(
        layers.LinearGeneral,
        nnx.LinearGeneral,
        ((2, FEATURES), 4),
        {"axis": (-2, -1), "use_bias": False},
        example=(2, FEATURES),
    ),
    "LayerNorm": Pair(LayerNorm, nnx.LayerNorm),
    "LayerNorm, only scale": Pair(LayerNorm, nnx.LayerNorm, options={"use_bias": False, "epsilon": 0.1}),
    "RMSNorm": Pair(RMSNorm, nnx.RMSNorm, options={"epsilon": 0.1}),
    "RMSNorm without scale": Pair(RMSNorm, nnx.RMSNorm, options={"use_scale": False}),
    "BatchNorm": Pair(BatchNorm, nnx.BatchNorm, mixes=True),
    "BatchNorm, bare": Pair(
        BatchNorm,
        nnx.BatchNorm,
        options={"use_bias": False, "use_scale": False, "momentum": 0.5, "epsilon": 0.1},
        mixes=True,
    ),
    "BatchNorm, evaluated": Pair(BatchNorm, nnx.BatchNorm, options={"use_running_average": True}),
    "GroupNorm": Pair(GroupNorm, nnx.GroupNorm, (6, 3), example=(2, 3, 6), call=on_a_batch),
    "GroupNorm, bare": Pair(
        GroupNorm,
        nnx.GroupNorm,
        (6,),
        {"num_groups": 2, "use_bias": False, "use_scale": False, "epsilon": 0.1},
        example=(2, 3, 6),
        call=on_a_batch,
    ),
    "Conv": Pair(layers.Conv, nnx.Conv, (2, 3, (3, 2)), {"strides": (2, 1), "kernel_dilation": (1, 2)}, example=(5, 4, 2)),
    "Conv of groups, 1 axis": Pair(
        layers.Conv,
        nnx.Conv,
        (2, 4, 3),
        {"feature_group_count": 2, "padding": ((2, 0),), "use_bias": False},
        example=(5, 2),
    ),
    "Conv, 3 axes": Pair(layers.Conv, nnx.Conv, (2, 3, (2, 1, 2)), {"padding": "VALID"}, example=(3, 2, 3, 2)),
    "ConvTranspose": Pair(layers.ConvTranspose, nnx.ConvTranspose, (2, 3, (3, 2)), {"strides": (2, 3)}, example=(3, 2, 2)),
    "ConvTranspose turned round, 1 axis": Pair(
        layers.ConvTranspose,
        nnx.ConvTranspose,
        (2, 3, 3),
        {"strides": 2, "padding": ((1, 3),), "kernel_dilation": 2, "transpose_kernel": True},
        example=(4, 2),
    ),
    "ConvTranspose, 3 axes": Pair(
        layers.ConvTranspose,
        nnx.ConvTranspose,
        (2, 3, (2, 1, 2)),
        {"strides": (1, 2, 3), "padding": "VALID", "use_bias": False},
        example=(2, 2, 2, 2),
    ),
    "SimpleCell": Pair(layers.SimpleCell, nnx.SimpleCell, (FEATURES, 4), call=step),
    "LSTMCell": Pair(layers.LSTMCell, nnx.LSTMCell, (FEATURES, 4), call=step),
    "OptimizedLSTMCell": Pair(layers.OptimizedLSTMCell, nnx.OptimizedLSTMCell, (FEATURES, 4), call=step),
    "GRUCell": Pair(layers.GRUCell, nnx.GRUCell, (FEATURES, 4), call=step),
    "RNN": Pair(walking(layers, 1), walking(nnx, 1), example=(3, FEATURES)),
    "Bidirectional": Pair(walking(layers, 2), walking(nnx, 2), example=(3, FEATURES)),
    "MultiHeadAttention": Pair(
        layers.MultiHeadAttention,
        nnx.MultiHeadAttention,
        (2, FEATURES, 8, 5),
        {"decode": False},
        example=(3, FEATURES),
        call=small_and_causal,
    ),
    "Dropout": Pair(Dropout, nnx.Dropout, (0.4,), mixes=True),
    "Dropout of everything": Pair(Dropout, nnx.Dropout, (1.0,), mixes=True),
    "Dropout, evaluated": Pair(Dropout, nnx.Dropout, (0.4,), {"deterministic": True}),
}
if hasattr(nnx, "InstanceNorm"):  # the oldest Flax has none
    PAIRS["InstanceNorm"] = Pair(InstanceNorm, nnx.InstanceNorm, (6,), {"use_bias": False}, example=(2, 3, 6), call=on_a_batch)

every_pair = pytest.mark.parametrize("name", PAIRS)


def build(name):
    pair = PAIRS[name]
    return tuple(cls(*pair.arguments, **pair.options, rngs=nnx.Rngs(params=3, dropout=7)) for cls in (pair.ours, pair.theirs))


@every_pair
def test_from_the_same_keys_it_begins_as_flax_does_and_leaves_the_next_layer_the_same_keys(name):
    pair = PAIRS[name]
    begun = []
    for cls in (pair.ours, pair.theirs):
        rngs = nnx.Rngs(params=3, dropout=7)
        layer = cls(*pair.arguments, **pair.options, rngs=rngs)
        begun.append((by_name(nnx.state(layer, WEIGHTS)), int(rngs.params.count[...])))
    (own, own_keys), (flax, flax_keys) = begun
    assert own.keys() == flax.keys() and own_keys == flax_keys
    for key, value in own.items():
        np.testing.assert_allclose(value, flax[key], rtol=1e-5, atol=1e-6)  # an orthogonal kernel enlarges a last bit


def randomize(module, seed=0):
    """Gives every weight a value of its own, all positive since one of them may be a variance."""
    random = np.random.default_rng(seed)
    state = nnx.state(module, WEIGHTS)
    nnx.update(module, jax.tree.map(lambda leaf: jnp.asarray(random.uniform(0.5, 2, leaf.shape), leaf.dtype), state))


def inputs(name, *batch, seed=1, dtype=jnp.float32):
    return jnp.asarray(np.random.default_rng(seed).normal(0.5, 2, (*batch, *PAIRS[name].example)), dtype)


def by_name(tree):
    return {jax.tree_util.keystr(path): np.asarray(leaf) for path, leaf in jax.tree_util.tree_leaves_with_path(tree)}


def assert_same(ours, theirs, **tolerance):
    ours, theirs = by_name(ours), by_name(theirs)
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        np.testing.assert_allclose(value, theirs[name], err_msg=name, **tolerance)
        assert value.dtype == theirs[name].dtype, name


def functional(module, call):
    """The module as a function of (parameters, all its other state, input), which gives (output, state after the call)."""
    graphdef, parameters, rest = nnx.split(module, nnx.Param, ...)

    def apply(parameters, rest, x):
        module = nnx.merge(graphdef, parameters, rest, copy=True)  # the call moves its own copy of the state
        y = call(module, x)
        return y, nnx.split(module, nnx.Param, ...)[2]

    return apply, parameters, rest


def outcome(module, call, x):
    """Output, running averages after the call, and the gradients by the input and by every parameter."""
    apply, parameters, rest = functional(module, call)

    @jax.jit
    def gradients(parameters, rest, x):
        def weighted_sum(parameters, x):
            y, after = apply(parameters, rest, x)
            weights = jnp.sin(jnp.arange(y.size, dtype=y.dtype)).reshape(y.shape)
            return (weights * y).sum(), (y, nnx.filter_state(after, nnx.BatchStat))

        return jax.grad(weighted_sum, argnums=(0, 1), has_aux=True)(parameters, x)

    (by_parameters, by_input), (y, averages) = gradients(parameters, rest, x)
    return {"by_parameters": by_parameters, "by_input": by_input, "y": y, "averages": averages}


@every_pair
def test_from_the_same_rngs_both_begin_with_the_same_weights(name):
    ours, theirs = build(name)
    assert_same(nnx.state(ours, WEIGHTS), nnx.state(theirs, WEIGHTS), rtol=1e-5, atol=1e-6)


@every_pair
def test_with_flax_state_the_outputs_and_all_gradients_are_those_of_flax(name):
    ours, theirs = build(name)
    randomize(theirs)
    nnx.update(ours, nnx.state(theirs, WEIGHTS))
    call, x = PAIRS[name].call, inputs(name, 4)
    assert_same(outcome(ours, call, x), outcome(theirs, call, x), rtol=1e-4, atol=1e-5)


@every_pair
def test_flax_takes_our_state_and_after_three_calls_both_have_the_same(name):
    """Outputs on the way too: from the same rngs a Dropout draws Flax's masks, call after call."""
    ours, theirs = build(name)
    randomize(ours)
    nnx.update(theirs, nnx.state(ours, WEIGHTS))
    for seed in range(3):
        x = inputs(name, 4, seed=seed)
        assert_same(PAIRS[name].call(ours, x), PAIRS[name].call(theirs, x), rtol=1e-4, atol=1e-5)
    assert_same(nnx.state(ours, WEIGHTS), nnx.state(theirs, WEIGHTS), rtol=1e-4)


@every_pair
def test_train_and_eval_switch_both_the_same_way(name):
    ours, theirs = build(name)
    for layer in (ours, theirs):
        randomize(layer)
        layer.eval()
    call, x = PAIRS[name].call, inputs(name, 4)
    assert_same(call(ours, x), call(theirs, x), rtol=1e-5, atol=1e-5)
    for layer in (ours, theirs):
        layer.train()
    assert_same(call(ours, x), call(theirs, x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["Linear", "LayerNorm", "RMSNorm", "BatchNorm", "BatchNorm, evaluated"])
def test_with_more_leading_axes_it_is_flax_still_and_no_axis_is_added_silently(name):
    ours, theirs = build(name)
    randomize(theirs)
    nnx.update(ours, nnx.state(theirs, WEIGHTS))
    with jax.numpy_rank_promotion("raise"):
        x = inputs(name, 2, 1, 5)
        assert_same(PAIRS[name].call(ours, x), PAIRS[name].call(theirs, x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", [name for name, pair in PAIRS.items() if not pair.mixes])
def test_a_batch_is_its_examples_one_by_one_and_vmap_is_the_loop(name):
    layer, _ = build(name)
    randomize(layer)
    call, x = partial(PAIRS[name].call, layer), inputs(name, 4)
    loop = jnp.stack([call(example) for example in x])
    np.testing.assert_allclose(call(x), loop, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(jax.vmap(call)(x), loop, rtol=1e-5, atol=1e-5)


@every_pair
def test_compiled_is_the_same_and_compiles_once_per_shape_however_often_the_state_moves(name):
    layer, _ = build(name)
    call, example = PAIRS[name].call, PAIRS[name].example
    apply, parameters, rest = functional(layer, call)
    traced = []

    @jax.jit
    def compiled(parameters, rest, x):
        traced.append(x.shape)
        return apply(parameters, rest, x)

    for seed in range(3):
        x = inputs(name, 4, seed=seed)
        y, rest = compiled(parameters, rest, x)
        np.testing.assert_allclose(y, call(layer, x), rtol=1e-5, atol=1e-5)
    assert_same(nnx.filter_state(rest, nnx.BatchStat), nnx.state(layer, nnx.BatchStat), rtol=1e-5)
    assert traced == [(4, *example)]
    compiled.lower(parameters, rest, inputs(name, 5))
    assert traced == [(4, *example), (5, *example)]


@pytest.mark.parametrize("name", [name for name in PAIRS if not name.startswith("Dropout")])
def test_bfloat16_in_is_near_float32_and_only_float32_parameters_widen_the_output(name):
    """bfloat16 keeps 8 bits, so that one rounding of an output near 4 is off by at most 4 · 2⁻⁸."""
    layer, _ = build(name)
    randomize(layer)
    call, x = partial(PAIRS[name].call, layer), inputs(name, 4, dtype=jnp.bfloat16)
    narrow = jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), nnx.state(layer, nnx.Param))
    nnx.update(layer, jax.tree.map(lambda leaf: leaf.astype(jnp.float32), narrow))
    exact = call(x.astype(jnp.float32))
    y = call(x)
    assert y.dtype == (jnp.float32 if jax.tree.leaves(narrow) else jnp.bfloat16)
    np.testing.assert_allclose(y.astype(jnp.float32), exact, rtol=2**-7, atol=2**-6)

    nnx.update(layer, narrow)
    y = call(x)
    assert y.dtype == jnp.bfloat16
    np.testing.assert_allclose(y.astype(jnp.float32), exact, rtol=2**-7, atol=2**-6)
