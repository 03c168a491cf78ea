"""Adapters begin as the identity, train alone, and leave without a trace."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from nn.data import Dataset
from nn.layers import RNN, Linear, OptimizedLSTMCell
from nn.models import GPT, MLP, GPTConfig, MLPConfig
from nn.training import fit
from transfer.adapters import LoRALinear, apply_bottlenecks, apply_lora, bottleneck, lora, merge_lora, unmerge_lora
from transfer.freezing import trainable_filter

ADAMW = optax.adamw(1e-2, weight_decay=0.1)
random = np.random.default_rng(0)
X = jnp.asarray(random.normal(size=(5, 6)), jnp.float32)
APPLY: dict[str, Any] = {
    "lora": lambda model, patterns="hidden": apply_lora(model, patterns, rank=2, alpha=3.0, rngs=nnx.Rngs(7)),
    "bottleneck": lambda model, patterns="hidden": apply_bottlenecks(model, patterns, features=3, rngs=nnx.Rngs(7)),
}
either = pytest.mark.parametrize("name", APPLY)


def network(seed=0):
    return MLP(MLPConfig(in_features=6, hidden=(8, 7), out_features=3), rngs=nnx.Rngs(seed))


def leaves(model):
    flat = nnx.to_flat_state(nnx.state(model, nnx.Param))
    return {".".join(map(str, path)): np.array(variable[...]) for path, variable in flat}


def train(model, wrt, steps=4):
    images = random.normal(size=(32, 6)).astype(np.float32)
    data = Dataset.from_arrays({"image": images, "label": np.arange(32, dtype=np.int32) % 3})
    fit(model, data.batches(16, seed=0), optimizer=ADAMW, steps=steps, wrt=wrt)


def test_lora_and_bottleneck_are_their_equations_in_float64():
    x, a, b = random.normal(size=(5, 6)), random.normal(size=(6, 2)), random.normal(size=(2, 4))
    single = [jnp.asarray(array, jnp.float32) for array in (x, a, b)]
    np.testing.assert_allclose(lora(*single, alpha=3.0), 3 / 2 * x @ (a @ b), rtol=1e-4, atol=1e-5)
    down, up = random.normal(size=(6, 2)), random.normal(size=(2, 6))
    got = bottleneck(single[0], jnp.asarray(down, jnp.float32), jnp.asarray(up, jnp.float32))
    np.testing.assert_allclose(got, x + np.maximum(x @ down, 0) @ up, rtol=1e-4, atol=1e-5)


def test_at_the_rank_as_alpha_a_twice_as_wide_pair_that_says_the_same_twice_counts_the_same():
    """Why α is divided by the rank."""
    a, b = (jnp.asarray(random.normal(size=shape), jnp.float32) for shape in ((6, 2), (2, 4)))
    twice = lora(X, jnp.concatenate([a, a], axis=1), jnp.concatenate([b, b]), alpha=3.0)
    np.testing.assert_allclose(twice, lora(X, a, b, alpha=3.0), rtol=1e-5, atol=1e-5)


@either
def test_an_adapted_model_starts_as_the_identity_on_what_was_pretrained(name):
    model, before = network(), network()
    APPLY[name](model)
    np.testing.assert_array_equal(model(X), before(X))
    assert set(leaves(before)) < set(leaves(model)), "pretrained weights keep their names"


@either
def test_only_what_was_added_trains_and_the_base_stays_bit_for_bit(name):
    """Under weight decay, which needs no gradient to move a weight."""
    model = network()
    added = APPLY[name](model)
    before = leaves(model)
    train(model, nnx.Any(added, trainable_filter(model, include="head.bias")))
    after = leaves(model)
    new = {n for n in before if n.rsplit(".")[-1] in ("lora_a", "lora_b", "down", "up")}
    assert len(new) == 4
    assert {n for n in before if not np.array_equal(before[n], after[n])} == new | {"head.bias"}


@either
def test_no_gradient_reaches_an_adapted_layers_own_weights_even_with_everything_selected(name):
    model = network()
    APPLY[name](model)
    gradients = dict(nnx.to_flat_state(nnx.grad(lambda model: (model(X) ** 2).sum())(model)))
    silent = {".".join(map(str, path)) for path, leaf in gradients.items() if not np.asarray(leaf[...]).any()}
    own = {f"hidden.{i}.{part}" for i in (0, 1) for part in ("kernel", "bias")}
    assert silent >= own and not silent & {"head.kernel", "head.bias"}


def test_merged_is_unmerged_to_rounding_and_unmerging_is_exact():
    model = network()
    train(model, apply_lora(model, ("hidden.1", "head"), rank=2, rngs=nnx.Rngs(7)))
    before, expected = leaves(model), model(X)
    merge_lora(model)
    merge_lora(model)  # once is enough
    assert not np.array_equal(leaves(model)["head.kernel"], before["head.kernel"])
    np.testing.assert_allclose(model(X), expected, rtol=1e-4, atol=1e-5)
    unmerge_lora(model)
    unmerge_lora(model)
    np.testing.assert_equal(leaves(model), before)
    np.testing.assert_array_equal(model(X), expected)


def test_a_merged_kernel_is_another_of_low_rank():
    model, before = network(), network()
    train(model, apply_lora(model, "hidden.0", rank=2, rngs=nnx.Rngs(7)))
    merge_lora(model)
    change = np.asarray(model.hidden[0].kernel[...] - before.hidden[0].kernel[...], np.float64)
    assert np.linalg.matrix_rank(change, tol=1e-6) == 2


def test_a_merged_model_runs_under_jit_and_learns_nothing():
    model = network()
    apply_lora(model, "hidden", rank=2, rngs=nnx.Rngs(7))
    merge_lora(model)
    np.testing.assert_allclose(nnx.jit(lambda model: model(X))(model), model(X), rtol=1e-5, atol=1e-6)
    gradients = nnx.grad(lambda model: (model(X) ** 2).sum())(model)
    assert not np.asarray(gradients["hidden"][0]["lora_a"][...]).any()


def test_a_gpt_takes_lora_in_its_attention_alone():
    config = GPTConfig(vocabulary=11, length=8, features=8, layers=2, heads=2)
    model, tokens = GPT(config, rngs=nnx.Rngs(0)), jnp.arange(6)[None]
    expected = model(tokens)
    added = apply_lora(model, "h.*.attn.c_attn", rank=2, rngs=nnx.Rngs(1))
    np.testing.assert_array_equal(model(tokens), expected)
    sizes = [variable[...].size for _, variable in nnx.to_flat_state(nnx.state(model, added))]
    assert sum(sizes) == 2 * (8 * 2 + 2 * 24)
    assert sum(isinstance(node, LoRALinear) for _, node in nnx.iter_graph(model)) == 2


@either
def test_what_cannot_be_adapted_is_named_and_nothing_is(name, without_type_checks):
    model = network()
    for patterns, message in (
        (("hidden", "hiden"), r"expects patterns that match something; \['hiden'\] match none of"),
        ("hidden.0.kernel", r"\['hidden.0.kernel'\] match none of"),
    ):
        with pytest.raises(ValueError, match=message):
            APPLY[name](model, patterns)
    assert all(type(layer) is Linear for layer in model.hidden)
    APPLY[name](model)
    with pytest.raises(ValueError, match=r"expects layers that are not adapted yet; hidden\.0 is a "):
        APPLY[name](model, "*")
    assert type(model.head) is Linear


def test_bad_sizes_are_named(without_type_checks):
    layer = Linear(6, 3, rngs=nnx.Rngs(0))
    with pytest.raises(ValueError, match=r"LoRALinear expects a rank from 1 to 3 for 6 inputs and 3 outputs, got 4\."):
        LoRALinear(layer, rank=4, alpha=1.0, rngs=nnx.Rngs(0))
    with pytest.raises(ValueError, match=r"BottleneckLinear expects at least 1 feature, got 0\."):
        apply_bottlenecks(network(), "hidden", features=0, rngs=nnx.Rngs(0))
    with pytest.raises(ValueError, match=r"lora expects x .*, got \(5, 6\), \(5, 2\) and \(2, 4\)\."):
        lora(X, jnp.ones((5, 2)), jnp.ones((2, 4)), alpha=1.0)
    for function in (merge_lora, unmerge_lora):
        with pytest.raises(
            ValueError, match=rf"{function.__name__} expects a model with layers of apply_lora; this MLP has none"
        ):
            function(network())


def test_adapted_models_of_one_kind_are_compiled_once():
    traces = []

    def counted(model, batch):
        traces.append(1)
        return (model(batch["image"]) ** 2).mean()

    images = np.ones((8, 6), np.float32)
    for seed in (0, 1):
        model = network(seed)
        added = apply_lora(model, "hidden", rank=2, rngs=nnx.Rngs(seed))
        fit(model, Dataset.from_arrays({"image": images}).batches(4, seed=0), optimizer=ADAMW, steps=2, loss=counted, wrt=added)
    assert len(traces) == 1
    assert jax.tree.leaves(nnx.state(model, added))


@pytest.mark.parametrize("function", [apply_lora, apply_bottlenecks])
def test_a_layer_whose_weights_a_recurrent_cell_reads_by_itself_is_refused(function):
    model = RNN(OptimizedLSTMCell(3, 4, rngs=nnx.Rngs(0)))
    size = {"rank": 2} if function is apply_lora else {"features": 2}
    with pytest.raises(ValueError, match=r"cell\.dense_i belongs to a OptimizedLSTMCell, which reads its weights"):
        function(model, "*dense_i", rngs=nnx.Rngs(1), **size)
    assert type(model.cell.dense_i) is Linear
