"""Layers that learn at their own rate, and from their own step on."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from nn.data import Dataset
from nn.models import MLP, MLPConfig
from nn.training import classification_loss, fit
from transfer.freezing import freeze
from transfer.schedules import gradual_unfreezing, layerwise_lr_decay

LAYERS = ("hidden.0", "hidden.1", "head")
SGD, ADAMW = optax.sgd(0.1), optax.adamw(1e-2, weight_decay=0.1)
random = np.random.default_rng(0)
DATA = Dataset.from_arrays(
    {"image": random.normal(size=(32, 4)).astype(np.float32), "label": np.arange(32, dtype=np.int32) % 3}
)


def network(seed=0):
    return MLP(MLPConfig(in_features=4, hidden=(5, 6), out_features=3), rngs=nnx.Rngs(seed))


def leaves(model):
    flat = nnx.to_flat_state(nnx.state(model, nnx.Param))
    return {".".join(map(str, path)): np.array(variable[...]) for path, variable in flat}


def train(model, optimizer, steps, wrt: Any = nnx.Param):
    fit(model, DATA.batches(8, seed=0), optimizer=optimizer, steps=steps, wrt=wrt)
    return leaves(model)


def moved(before, after):
    return {name for name in before if not np.array_equal(before[name], after[name])}


def test_each_layer_further_from_the_output_makes_steps_smaller_by_the_factor():
    before = leaves(network())
    plain, decayed = train(network(), ADAMW, 1), train(network(), layerwise_lr_decay(network(), ADAMW, LAYERS, decay=0.5), 1)
    for name in before:
        layer = next(i for i, pattern in enumerate(LAYERS) if name.startswith(pattern))
        step = decayed[name] - before[name]
        np.testing.assert_allclose(step, 0.5 ** (2 - layer) * (plain[name] - before[name]), rtol=1e-3, atol=1e-7)


@pytest.mark.parametrize(("decay", "same_as"), [(1.0, None), (0.0, "hidden")])
def test_at_1_all_move_alike_and_at_0_the_head_alone(decay, same_as):
    model = network()
    wrt = nnx.Param if same_as is None else freeze(model, same_as)
    got = train(network(), layerwise_lr_decay(network(), SGD, LAYERS, decay=decay), 3)
    expected = train(model, SGD, 3, wrt)
    for name in got:
        np.testing.assert_allclose(got[name], expected[name], rtol=1e-5, atol=1e-7)


def test_a_frozen_part_needs_no_other_optimizer():
    model = network()
    before = leaves(model)
    after = train(model, layerwise_lr_decay(model, SGD, LAYERS, decay=0.5), 2, freeze(model, "hidden.0"))
    assert moved(before, after) == {n for n in before if not n.startswith("hidden.0")}


def test_until_its_step_a_layer_stays_bit_for_bit():
    starts = {"head": 0, "hidden.1": 2, "hidden.0": 3}
    before = leaves(network())
    for steps in (1, 2, 3, 4):
        after = train(network(), gradual_unfreezing(network(), ADAMW, starts), steps)
        assert {n.rsplit(".", 1)[0] for n in moved(before, after)} == {
            layer for layer, start in starts.items() if start < steps
        }


def test_unfreezing_is_freezing_first_and_the_memory_of_the_head_is_carried_on():
    """As Adam in two stages by hand, whose state for the head goes on while that for the rest begins."""
    got = train(network(), gradual_unfreezing(network(), ADAMW, {"head": 0, "hidden": 2}), 5)

    model = network()
    graph, parameters = nnx.split(model, nnx.Param)
    memory = {part: ADAMW.init(parameters[part]) for part in ("head", "hidden")}
    batches = iter(DATA.batches(8, seed=0))
    for step in range(5):
        batch = {name: jnp.asarray(array) for name, array in next(batches).items()}
        gradients = jax.grad(lambda p, batch=batch: classification_loss(nnx.merge(graph, p), batch)[0])(parameters)
        for part in ("head", "hidden") if step >= 2 else ("head",):
            updates, memory[part] = ADAMW.update(gradients[part], memory[part], parameters[part])
            parameters[part] = optax.apply_updates(parameters[part], updates)
    nnx.update(model, parameters)
    for name, array in leaves(model).items():
        np.testing.assert_allclose(got[name], array, rtol=1e-4, atol=1e-6, err_msg=name)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: layerwise_lr_decay(m, SGD, LAYERS, decay=1.5), r"layerwise_lr_decay expects decay from 0 to 1, got 1\.5\."),
        (lambda m: layerwise_lr_decay(m, SGD, ("hidden", "heed"), decay=0.5), r"\['heed'\] match none of"),
        (lambda m: layerwise_lr_decay(m, SGD, ("hidden.0", "head"), decay=0.5), r"exactly one layer; \['hidden\.1\.bias'"),
        (lambda m: layerwise_lr_decay(m, SGD, ("*", "head"), decay=0.5), r"exactly one layer; \['head\.bias'"),
        (lambda m: gradual_unfreezing(m, SGD, {"head": 1, "hidden": 2}), r"expects starts from 0 on, one of them 0, got"),
        (lambda m: gradual_unfreezing(m, SGD, {}), r"expects starts from 0 on, one of them 0, got \{\}"),
        (lambda m: gradual_unfreezing(m, SGD, {"head": 0}), r"gradual_unfreezing expects each parameter in exactly one layer"),
    ],
)
def test_a_parameter_in_no_layer_or_in_two_and_other_mistakes_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call(network())
