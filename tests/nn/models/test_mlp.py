import dataclasses
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from nn.layers import BatchNorm, LayerNorm, RMSNorm, elu, relu
from nn.layers.containers import List
from nn.models import MLP, MLPConfig

WEIGHTS = nnx.Any(nnx.Param, nnx.BatchStat)
X = jnp.asarray(np.random.default_rng(0).normal(size=(6, 3)), jnp.float32)
CONFIGS = {
    "plain": MLPConfig(in_features=3, hidden=(5, 4), out_features=2),
    "batch norm and dropout": MLPConfig(
        in_features=3, hidden=(5, 4), out_features=2, activation="tanh", normalization="batch", dropout=0.3
    ),
    "layer norm": MLPConfig(in_features=3, hidden=(5,), out_features=2, activation="gelu", normalization="layer"),
}


class FlaxMLP(nnx.Module):
    """The same network, of Flax's layers."""

    def __init__(self, config, *, rngs):
        self.config = config
        widths = (config.in_features, *config.hidden)
        norm = {"batch": nnx.BatchNorm, "layer": nnx.LayerNorm, "rms": nnx.RMSNorm}.get(config.normalization)
        he = nnx.initializers.he_normal()
        self.hidden = List([nnx.Linear(i, o, kernel_init=he, rngs=rngs) for i, o in pairwise(widths)])
        self.norms = List([norm(o, rngs=rngs) for o in config.hidden] if norm else [])
        self.dropouts = List([nnx.Dropout(config.dropout, rngs=rngs) for _ in config.hidden] if config.dropout else [])
        self.head = nnx.Linear(widths[-1], config.out_features, rngs=rngs)

    def __call__(self, x):
        for i, layer in enumerate(self.hidden):
            x = layer(x)
            x = self.norms[i](x) if self.norms else x
            x = getattr(nnx, self.config.activation)(x)
            x = self.dropouts[i](x) if self.dropouts else x
        return self.head(x)


def by_name(tree):
    return {jax.tree_util.keystr(path): np.asarray(leaf) for path, leaf in jax.tree_util.tree_leaves_with_path(tree)}


def assert_same(ours, theirs):
    ours, theirs = by_name(ours), by_name(theirs)
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        np.testing.assert_allclose(value, theirs[name], rtol=1e-4, atol=1e-5, err_msg=name)


def outcome(model, x):
    """Output, running averages after the call, and the gradients by the input and by every parameter."""
    graphdef, parameters, rest = nnx.split(model, nnx.Param, ...)

    @jax.jit
    def gradients(parameters, rest, x):
        def weighted_sum(parameters, x):
            model = nnx.merge(graphdef, parameters, rest, copy=True)
            y = model(x)
            return (jnp.sin(jnp.arange(y.size)).reshape(y.shape) * y).sum(), (y, nnx.state(model, nnx.BatchStat))

        return jax.grad(weighted_sum, argnums=(0, 1), has_aux=True)(parameters, x)

    return gradients(parameters, rest, x)


@pytest.mark.parametrize("name", CONFIGS)
def test_with_flax_state_it_is_the_network_of_flax_layers_in_value_and_every_gradient(name):
    ours, theirs = (cls(CONFIGS[name], rngs=nnx.Rngs(params=0, dropout=1)) for cls in (MLP, FlaxMLP))
    nnx.update(ours, nnx.state(theirs, WEIGHTS))
    assert_same(outcome(ours, X), outcome(theirs, X))


def test_from_the_same_rngs_it_begins_with_the_weights_of_the_flax_network():
    ours, theirs = (cls(CONFIGS["plain"], rngs=nnx.Rngs(0)) for cls in (MLP, FlaxMLP))
    assert_same(nnx.state(ours, WEIGHTS), nnx.state(theirs, WEIGHTS))


def test_the_model_is_its_head_on_its_features_which_are_as_wide_as_the_last_hidden_layer():
    model = MLP(CONFIGS["batch norm and dropout"], rngs=nnx.Rngs(0))
    model.eval()
    features = model.features(X)
    assert features.shape == (6, 4)
    np.testing.assert_array_equal(model(X), model.head(features))


@pytest.mark.parametrize(("name", "cls"), [("batch", BatchNorm), ("layer", LayerNorm), ("rms", RMSNorm)])
def test_a_hidden_layer_is_linear_then_norm_then_the_bend_of_that_name(name, cls):
    config = MLPConfig(in_features=3, hidden=(5, 5), out_features=2, normalization=name, activation="elu")
    model = MLP(config, rngs=nnx.Rngs(0))
    assert [type(norm) for norm in model.norms] == [cls, cls]
    x = X
    for linear, norm in zip(model.hidden, model.norms, strict=True):
        x = elu(norm(linear(x)))
    np.testing.assert_array_equal(model.features(X), x)


def test_without_hidden_layers_the_features_are_the_input():
    model = MLP(MLPConfig(in_features=3, hidden=(), out_features=2), rngs=nnx.Rngs(0))
    np.testing.assert_array_equal(model.features(X), X)
    np.testing.assert_array_equal(model(X), model.head(X))


def test_permuting_hidden_units_with_their_weights_leaves_the_function_unchanged():
    model = MLP(CONFIGS["plain"], rngs=nnx.Rngs(0))
    y = model(X)
    order = jnp.array([3, 0, 4, 1, 2])
    first, second = model.hidden[0], model.hidden[1]
    first.kernel[...], first.bias[...] = first.kernel[...][:, order], first.bias[...][order]
    assert np.abs(model(X) - y).max() > 0.01
    second.kernel[...] = second.kernel[...][order]
    np.testing.assert_allclose(model(X), y, rtol=1e-5, atol=1e-6)


def test_a_relu_network_scales_with_a_unit_whose_weights_are_scaled_up_before_and_down_behind():
    model = MLP(CONFIGS["plain"], rngs=nnx.Rngs(0))
    y = model(X)
    first, second = model.hidden[0], model.hidden[1]
    first.kernel[...] = 4 * first.kernel[...]
    second.kernel[...] = second.kernel[...] / 4
    np.testing.assert_allclose(model(X), y, rtol=1e-5, atol=1e-6)


def test_hidden_units_that_begin_alike_get_the_same_gradient_and_never_part():
    model = MLP(MLPConfig(in_features=3, hidden=(5,), out_features=2), rngs=nnx.Rngs(0))
    model.hidden[0].kernel[...] = jnp.full((3, 5), 0.3)
    model.head.kernel[...] = jnp.full((5, 2), 0.3)
    (gradients, _), _ = outcome(model, X)
    kernel = np.asarray(gradients["hidden"][0]["kernel"][...])
    assert np.abs(kernel).max() > 0.01
    np.testing.assert_allclose(kernel, kernel[:, :1] * np.ones((1, 5)), rtol=1e-5)


def test_a_relu_network_is_linear_between_its_corners():
    """Near a point where no unit is at its corner, the network is its own tangent plane."""
    model = MLP(CONFIGS["plain"], rngs=nnx.Rngs(0))
    x, step = X[0], 1e-3 * X[1]
    assert (jnp.abs(model.hidden[0](x)) > 0.01).all()
    assert (jnp.abs(model.hidden[1](relu(model.hidden[0](x)))) > 0.01).all()
    y, tangent = jax.jit(lambda x, step: jax.jvp(model, (x,), (step,)))(x, step)
    np.testing.assert_allclose(model(x + step), y + tangent, rtol=1e-5, atol=1e-6)


def test_train_and_eval_reach_every_layer():
    model = MLP(CONFIGS["batch norm and dropout"], rngs=nnx.Rngs(0))
    model.eval()
    np.testing.assert_array_equal(model(X), model(X))
    np.testing.assert_array_equal(model.norms[0].mean[...], jnp.zeros(5))
    model.train()
    assert not np.array_equal(model(X), model(X))
    for norm in model.norms:
        assert (norm.mean[...] != 0).all()


def test_frozen_layers_of_a_network_in_training_leave_it_as_in_evaluation():
    model = MLP(CONFIGS["batch norm and dropout"], rngs=nnx.Rngs(0))
    model.eval()
    y = model(X)
    for layer in (*model.norms, *model.dropouts):
        layer.frozen = True
    model.train()
    np.testing.assert_array_equal(model(X), y)


def test_a_batch_is_its_examples_in_evaluation_and_leading_axes_are_free():
    model = MLP(CONFIGS["batch norm and dropout"], rngs=nnx.Rngs(0))
    model.eval()
    y = model(X)
    np.testing.assert_allclose(jax.vmap(model)(X), y, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(model(X.reshape(2, 3, 3)), y.reshape(2, 3, 2), rtol=1e-5, atol=1e-6)


def test_training_calls_compile_once_per_shape():
    graphdef, state = nnx.split(MLP(CONFIGS["batch norm and dropout"], rngs=nnx.Rngs(0)))
    traced = []

    @jax.jit
    def call(state, x):
        traced.append(x.shape)
        model = nnx.merge(graphdef, state)
        y = model(x)
        return y, nnx.state(model)

    for _ in range(3):
        _, state = call(state, X)
    assert traced == [(6, 3)]
    call.lower(state, X[:2])
    assert traced == [(6, 3), (2, 3)]


def test_the_number_of_weights_is_the_one_counted_by_hand():
    parameters = nnx.state(MLP(CONFIGS["plain"], rngs=nnx.Rngs(0)), nnx.Param)
    assert sum(leaf.size for leaf in jax.tree.leaves(parameters)) == (3 * 5 + 5) + (5 * 4 + 4) + (4 * 2 + 2)


def test_a_wrong_width_is_named():
    model = MLP(CONFIGS["plain"], rngs=nnx.Rngs(0))
    with pytest.raises(ValueError, match=r"Linear expects 3 features on the last axis of x, got x\.shape=\(6, 2\)\."):
        model(X[:, :2])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"in_features": 0}, r"sizes of at least 1, got in_features=0, hidden=\(5,\), out_features=2\."),
        ({"hidden": (5, 0)}, r"sizes of at least 1, got in_features=3, hidden=\(5, 0\), out_features=2\."),
        ({"out_features": -1}, r"sizes of at least 1, got .*out_features=-1\."),
        ({"activation": "bend"}, r"activation relu, leaky_relu, elu, .* or gelu, got 'bend'\."),
        ({"normalization": "group"}, r"normalization batch, layer or rms or None, got 'group'\."),
        ({"dropout": 1.5}, r"dropout between 0 and 1, got 1\.5\."),
        ({"dropout": -0.5}, r"dropout between 0 and 1, got -0\.5\."),
    ],
)
def test_a_config_checks_itself(changes, message, without_type_checks):
    with pytest.raises(ValueError, match="MLPConfig expects " + message):
        MLPConfig(**({"in_features": 3, "hidden": (5,), "out_features": 2} | changes))


def test_a_config_is_a_constant_with_names():
    config = CONFIGS["plain"]
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.dropout = 0.5
    with pytest.raises(TypeError):
        MLPConfig(3, (5,), 2)
    assert len({config, dataclasses.replace(config), dataclasses.replace(config, dropout=0.5)}) == 2


def test_a_config_from_json_is_the_config(without_type_checks):
    assert MLPConfig(in_features=4, hidden=[8, 8], out_features=3) == MLPConfig(in_features=4, hidden=(8, 8), out_features=3)  # type: ignore[arg-type]
