"""The truth test of every layer: with the state of the Flax class of its name it is that class, value by value.

A new layer is a new line in PAIRS.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from nn.layers import BatchNorm, Dropout, LayerNorm, Linear, RMSNorm

FEATURES = 3
WEIGHTS = nnx.Any(nnx.Param, nnx.BatchStat)
# name: our class, Flax's class, arguments of both
PAIRS = {
    "Linear": (Linear, nnx.Linear, (FEATURES, 4), {}),
    "Linear without bias": (Linear, nnx.Linear, (FEATURES, 4), {"use_bias": False}),
    "LayerNorm": (LayerNorm, nnx.LayerNorm, (FEATURES,), {}),
    "LayerNorm, only scale": (LayerNorm, nnx.LayerNorm, (FEATURES,), {"use_bias": False, "epsilon": 0.1}),
    "RMSNorm": (RMSNorm, nnx.RMSNorm, (FEATURES,), {"epsilon": 0.1}),
    "RMSNorm without scale": (RMSNorm, nnx.RMSNorm, (FEATURES,), {"use_scale": False}),
    "BatchNorm": (BatchNorm, nnx.BatchNorm, (FEATURES,), {}),
    "BatchNorm, bare": (
        BatchNorm,
        nnx.BatchNorm,
        (FEATURES,),
        {"use_bias": False, "use_scale": False, "momentum": 0.5, "epsilon": 0.1},
    ),
    "BatchNorm, evaluated": (BatchNorm, nnx.BatchNorm, (FEATURES,), {"use_running_average": True}),
    "Dropout": (Dropout, nnx.Dropout, (0.4,), {}),
    "Dropout of everything": (Dropout, nnx.Dropout, (1.0,), {}),
    "Dropout, evaluated": (Dropout, nnx.Dropout, (0.4,), {"deterministic": True}),
}
MIXING_OR_RANDOM = ("BatchNorm", "BatchNorm, bare", "Dropout", "Dropout of everything")

every_pair = pytest.mark.parametrize("name", PAIRS)


def build(name):
    ours, theirs, arguments, options = PAIRS[name]
    return tuple(cls(*arguments, **options, rngs=nnx.Rngs(params=3, dropout=7)) for cls in (ours, theirs))


@every_pair
def test_from_the_same_keys_it_begins_as_flax_does_and_leaves_the_next_layer_the_same_keys(name):
    ours, theirs, arguments, options = PAIRS[name]
    begun = []
    for cls in (ours, theirs):
        rngs = nnx.Rngs(params=3, dropout=7)
        begun.append((by_name(nnx.state(cls(*arguments, **options, rngs=rngs), WEIGHTS)), int(rngs.params.count[...])))
    (own, own_keys), (flax, flax_keys) = begun
    assert own.keys() == flax.keys() and own_keys == flax_keys
    for key, value in own.items():
        np.testing.assert_allclose(value, flax[key], rtol=1e-6)


def randomize(module, seed=0):
    """Gives every weight a value of its own, all positive since one of them may be a variance."""
    random = np.random.default_rng(seed)
    state = nnx.state(module, WEIGHTS)
    nnx.update(module, jax.tree.map(lambda leaf: jnp.asarray(random.uniform(0.5, 2, leaf.shape), leaf.dtype), state))


def inputs(*batch, seed=1, dtype=jnp.float32):
    return jnp.asarray(np.random.default_rng(seed).normal(0.5, 2, (*batch, FEATURES)), dtype)


def by_name(tree):
    return {jax.tree_util.keystr(path): np.asarray(leaf) for path, leaf in jax.tree_util.tree_leaves_with_path(tree)}


def assert_same(ours, theirs, **tolerance):
    ours, theirs = by_name(ours), by_name(theirs)
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        np.testing.assert_allclose(value, theirs[name], err_msg=name, **tolerance)
        assert value.dtype == theirs[name].dtype, name


def functional(module):
    """The module as a function of (parameters, all its other state, input), which gives (output, state after the call)."""
    graphdef, parameters, rest = nnx.split(module, nnx.Param, ...)

    def apply(parameters, rest, x):
        module = nnx.merge(graphdef, parameters, rest, copy=True)  # the call moves its own copy of the state
        y = module(x)
        return y, nnx.split(module, nnx.Param, ...)[2]

    return apply, parameters, rest


def outcome(module, x):
    """Output, running averages after the call, and the gradients by the input and by every parameter."""
    apply, parameters, rest = functional(module)

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
    assert_same(nnx.state(ours, WEIGHTS), nnx.state(theirs, WEIGHTS), rtol=1e-6)


@every_pair
def test_with_flax_state_the_outputs_and_all_gradients_are_those_of_flax(name):
    ours, theirs = build(name)
    randomize(theirs)
    nnx.update(ours, nnx.state(theirs, WEIGHTS))
    assert_same(outcome(ours, inputs(4)), outcome(theirs, inputs(4)), rtol=1e-4, atol=1e-5)


@every_pair
def test_flax_takes_our_state_and_after_three_calls_both_have_the_same(name):
    """Outputs on the way too: from the same rngs a Dropout draws Flax's masks, call after call."""
    ours, theirs = build(name)
    randomize(ours)
    nnx.update(theirs, nnx.state(ours, WEIGHTS))
    for seed in range(3):
        x = inputs(4, seed=seed)
        assert_same(ours(x), theirs(x), rtol=1e-4, atol=1e-5)
    assert_same(nnx.state(ours, WEIGHTS), nnx.state(theirs, WEIGHTS), rtol=1e-4)


@every_pair
def test_train_and_eval_switch_both_the_same_way(name):
    ours, theirs = build(name)
    for layer in (ours, theirs):
        randomize(layer)
        layer.eval()
    assert_same(ours(inputs(4)), theirs(inputs(4)), rtol=1e-5, atol=1e-6)
    for layer in (ours, theirs):
        layer.train()
    assert_same(ours(inputs(4)), theirs(inputs(4)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["Linear", "LayerNorm", "RMSNorm", "BatchNorm", "BatchNorm, evaluated"])
def test_with_more_leading_axes_it_is_flax_still_and_no_axis_is_added_silently(name):
    ours, theirs = build(name)
    randomize(theirs)
    nnx.update(ours, nnx.state(theirs, WEIGHTS))
    with jax.numpy_rank_promotion("raise"):
        assert_same(ours(inputs(2, 1, 5)), theirs(inputs(2, 1, 5)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", [name for name in PAIRS if name not in MIXING_OR_RANDOM])
def test_a_batch_is_its_examples_one_by_one_and_vmap_is_the_loop(name):
    layer, _ = build(name)
    randomize(layer)
    x = inputs(4)
    loop = jnp.stack([layer(example) for example in x])
    np.testing.assert_allclose(layer(x), loop, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(jax.vmap(layer)(x), loop, rtol=1e-5, atol=1e-6)


@every_pair
def test_compiled_is_the_same_and_compiles_once_per_shape_however_often_the_state_moves(name):
    layer, _ = build(name)
    apply, parameters, rest = functional(layer)
    traced = []

    @jax.jit
    def compiled(parameters, rest, x):
        traced.append(x.shape)
        return apply(parameters, rest, x)

    for seed in range(3):
        x = inputs(4, seed=seed)
        y, rest = compiled(parameters, rest, x)
        np.testing.assert_allclose(y, layer(x), rtol=1e-5, atol=1e-6)
    assert_same(nnx.filter_state(rest, nnx.BatchStat), nnx.state(layer, nnx.BatchStat), rtol=1e-5)
    assert traced == [(4, FEATURES)]
    compiled.lower(parameters, rest, inputs(5))
    assert traced == [(4, FEATURES), (5, FEATURES)]


@pytest.mark.parametrize("name", [name for name in PAIRS if not name.startswith("Dropout")])
def test_bfloat16_in_is_near_float32_and_only_float32_parameters_widen_the_output(name):
    """bfloat16 keeps 8 bits, so that one rounding of an output near 4 is off by at most 4 · 2⁻⁸."""
    layer, _ = build(name)
    randomize(layer)
    x = inputs(4, dtype=jnp.bfloat16)
    narrow = jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), nnx.state(layer, nnx.Param))
    nnx.update(layer, jax.tree.map(lambda leaf: leaf.astype(jnp.float32), narrow))
    exact = layer(x.astype(jnp.float32))
    y = layer(x)
    assert y.dtype == (jnp.float32 if jax.tree.leaves(narrow) else jnp.bfloat16)
    np.testing.assert_allclose(y.astype(jnp.float32), exact, rtol=2**-7, atol=2**-6)

    nnx.update(layer, narrow)
    y = layer(x)
    assert y.dtype == jnp.bfloat16
    np.testing.assert_allclose(y.astype(jnp.float32), exact, rtol=2**-7, atol=2**-6)
