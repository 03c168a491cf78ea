"""What every model has to do: learn one batch by heart, come back from a file, and see each example alone.

A new model is a new line in EXAMPLES, tiny, since each one is compiled a few times here.
"""

import dataclasses
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from jax.sharding import NamedSharding, PartitionSpec

from nn.data import Dataset
from nn.models import (
    BERT,
    GPT,
    MLP,
    VGG,
    BERTConfig,
    Critic,
    Discriminator,
    DiscriminatorConfig,
    Forecaster,
    ForecasterConfig,
    Generator,
    GeneratorConfig,
    GPTConfig,
    LanguageModel,
    LanguageModelConfig,
    LeNet,
    LeNetConfig,
    MLPConfig,
    ResNet,
    ResNetConfig,
    SequenceClassifier,
    SequenceClassifierConfig,
    Transformer,
    TransformerConfig,
    UNet,
    UNetConfig,
    VGGConfig,
)
from nn.training import (
    classification_loss,
    fit,
    load_weights,
    masked_token_loss,
    mean_squared_error,
    next_token_loss,
    save_weights,
    sigmoid_cross_entropy,
    softmax_cross_entropy,
    translation_loss,
)
from nn.training.step import compiled_step

WEIGHTS = nnx.Any(nnx.Param, nnx.BatchStat)
ADAM = optax.adam(5e-3)


def noise(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


TEXT = np.array([[1, 2, 0, 4, 3, 3], [3, 3, 1, 0, 2, 4]], np.int32)


def images(*shape, classes=3):
    """A batch of noise with labels that only memory can know."""
    return {"image": noise(*shape), "label": np.arange(shape[0], dtype=np.int32) % classes}


def painting_loss(model, batch):
    return mean_squared_error(model(batch["image"]), batch["painting"]).mean()


def made_loss(model, batch):
    """A painting for each noise and label."""
    return mean_squared_error(model(batch["noise"], batch["label"]), batch["painting"]).mean()


def judging_loss(model, batch):
    """Yes for label 1, no for label 0."""
    return sigmoid_cross_entropy(model(batch["image"]), batch["label"].astype(jnp.float32)).mean()


def sequence_loss(model, batch):
    return softmax_cross_entropy(model(batch["tokens"], batch["lengths"]), batch["label"]).mean()


def forecasting_loss(model, batch):
    """How far what it expects at each step is from what comes."""
    return mean_squared_error(model(batch["series"][:, :-1]), batch["series"][:, 1:]).mean()


@dataclass(frozen=True, kw_only=True)
class Example:
    """A small model and one batch for it to learn by heart.

    Attributes:
      model: the class.
      config: its sizes; as small as will show every part.
      batch: what `loss` reads: at least two examples, stacked on the first axis.
      parameters: how many numbers it learns, counted by hand.
      loss: maps (model, batch) to a scalar, or to (scalar, dict), as `nn.training.fit` takes it.
      inputs: names of what the model itself is called with, in order.
      options: names of what it is called with by keyword.
      steps: how many steps it may take.
      optimizer: what it learns with.
      slow: whether it takes too long for every run of the tests.
      untrained: beginnings of names of parameters that this loss does not reach.
    """

    model: Callable[..., nnx.Module]
    config: Any
    batch: dict[str, np.ndarray]
    parameters: int
    loss: Callable[..., Any] = classification_loss
    inputs: tuple[str, ...] = ("image",)
    options: tuple[str, ...] = ()
    steps: int = 150
    optimizer: optax.GradientTransformation = ADAM
    slow: bool = False
    untrained: tuple[str, ...] = ()


EXAMPLES = {
    "MLP": Example(
        model=MLP,
        config=MLPConfig(in_features=4, hidden=(16, 16), out_features=3, normalization="batch"),
        batch=images(5, 4),
        parameters=(4 * 16 + 16) + (16 * 16 + 16) + 2 * (16 + 16) + (16 * 3 + 3),
    ),
    "LeNet": Example(
        model=LeNet,
        config=LeNetConfig(image_shape=(12, 14, 2), channels=(4, 6), hidden=(16, 12), out_features=3),
        batch=images(5, 12, 14, 2),
        parameters=(25 * 2 * 4 + 4) + (25 * 4 * 6 + 6) + (1 * 1 * 6 * 16 + 16) + (16 * 12 + 12) + (12 * 3 + 3),
    ),
    "VGG": Example(
        model=VGG,
        config=VGGConfig(image_shape=(4, 5, 2), blocks=((4,), (6,)), hidden=(8,), out_features=3, batch_norm=True, dropout=0.0),
        batch=images(5, 4, 5, 2),
        parameters=(9 * 2 * 4 + 4) + 2 * 4 + (9 * 4 * 6 + 6) + 2 * 6 + (6 * 8 + 8) + (8 * 3 + 3),
    ),
    "ResNet": Example(
        model=ResNet,
        config=ResNetConfig.small(widths=(4, 8), depths=(1, 1), out_features=3),
        batch=images(5, 6, 5, 1),
        parameters=(9 * 4 + 8) + 2 * (9 * 4 * 4 + 8) + (9 * 4 * 8 + 16) + (9 * 8 * 8 + 16) + (4 * 8 + 16) + (8 * 3 + 3),
    ),
    "ResNet of bottlenecks": Example(
        model=ResNet,
        config=ResNetConfig(in_features=2, block="bottleneck", depths=(1,), widths=(4,), out_features=3),
        batch=images(5, 9, 8, 2),
        parameters=(49 * 2 * 4 + 8) + (4 * 4 + 8) + (9 * 4 * 4 + 8) + (4 * 16 + 32) + (4 * 16 + 32) + (16 * 3 + 3),
        slow=True,
    ),
    "UNet": Example(
        model=UNet,
        config=UNetConfig(in_features=2, out_features=1, widths=(12, 16)),
        batch={"image": noise(2, 4, 6, 2), "painting": noise(2, 4, 6, 1, seed=1)},
        parameters=(9 * 2 * 12 + 9 * 12 * 12 + 48)
        + (9 * 12 * 16 + 9 * 16 * 16 + 64)
        + (4 * 16 * 12 + 12)
        + (9 * 24 * 12 + 9 * 12 * 12 + 48)
        + 13,
        loss=painting_loss,
    ),
    "Generator": Example(
        model=Generator,
        config=GeneratorConfig(latent_features=4, image_shape=(4, 8, 1), channels=(6, 5), classes=3),
        batch={**images(5, 1), "noise": noise(5, 4), "painting": np.tanh(noise(5, 4, 8, 1, seed=1))},
        parameters=3 * 4 + (8 * 1 * 2 * 6 + 1 * 2 * 6) + 2 * (6 + 5) + 16 * (6 * 5 + 5 * 1) + 1,
        loss=made_loss,
        inputs=("noise", "label"),
    ),
    "Discriminator": Example(
        model=Discriminator,
        config=DiscriminatorConfig(image_shape=(4, 8, 2), channels=(4, 6)),
        batch=images(5, 4, 8, 2, classes=2),
        parameters=(16 * 2 * 4 + 4) + (16 * 4 * 6 + 2 * 6) + (1 * 2 * 6 + 1),
        loss=judging_loss,
    ),
    "Critic": Example(
        model=Critic,
        config=DiscriminatorConfig(image_shape=(4, 8, 2), channels=(4, 6), batch_norm=False),
        batch=images(5, 4, 8, 2, classes=2),
        parameters=(16 * 2 * 4 + 4) + (16 * 4 * 6 + 6) + (1 * 2 * 6 + 1),
        loss=judging_loss,
    ),
    "SequenceClassifier": Example(
        model=SequenceClassifier,
        config=SequenceClassifierConfig(vocabulary=5, features=3, hidden=(4,), cell="lstm", bidirectional=True, out_features=3),
        batch={"tokens": TEXT, "lengths": np.array([4, 6], np.int32), "label": np.array([2, 0], np.int32)},
        loss=sequence_loss,
        inputs=("tokens", "lengths"),
        parameters=5 * 3 + 2 * 4 * (3 * 4 + 4 * 4 + 4) + (2 * 4 * 3 + 3),
    ),
    "Forecaster": Example(
        model=Forecaster,
        config=ForecasterConfig(features=2, hidden=(8,), cell="simple"),
        batch={"series": noise(2, 5, 2)},
        loss=forecasting_loss,
        inputs=("series",),
        parameters=(2 * 8 + 8 * 8 + 8) + (8 * 2 + 2),
    ),
    "LanguageModel": Example(
        model=LanguageModel,
        config=LanguageModelConfig(vocabulary=5, features=3, hidden=(6,), cell="gru"),
        batch={"tokens": TEXT},
        loss=next_token_loss,
        inputs=("tokens",),
        optimizer=optax.adam(2e-2),
        parameters=5 * 3 + 3 * (3 * 6 + 6 * 6 + 6) + (6 * 5 + 5),
    ),
    "Transformer": Example(
        model=Transformer,
        config=TransformerConfig(
            source_vocabulary=5, target_vocabulary=6, features=8, heads=2, layers=1, hidden=12, dropout=0.0, max_length=6
        ),
        batch={
            **{"source": TEXT[:, :4], "source_lengths": np.array([4, 2], np.int32)},
            **{"target": TEXT[::-1], "target_lengths": np.array([6, 4], np.int32)},
        },
        loss=translation_loss,
        inputs=("source", "target"),
        options=("source_lengths",),
        parameters=(5 + 6) * 8 + 3 * 4 * (8 * 8 + 8) + 2 * (8 * 12 + 12 + 12 * 8 + 8) + 7 * 16,
    ),
    "GPT": Example(
        model=GPT,
        config=GPTConfig(vocabulary=5, length=6, features=8, heads=2, layers=1),
        batch={"tokens": TEXT},
        loss=next_token_loss,
        inputs=("tokens",),
        optimizer=optax.adam(2e-2),
        parameters=(5 + 6) * 8 + (8 * 24 + 24) + (8 * 8 + 8) + (8 * 32 + 32) + (32 * 8 + 8) + 3 * 16,
    ),
    "BERT": Example(
        model=BERT,
        config=BERTConfig(vocabulary=5, length=6, features=8, heads=2, layers=1),
        batch={"tokens": np.where(TEXT == 3, 0, TEXT), "targets": TEXT, "mask": TEXT >= 2},
        loss=masked_token_loss,
        inputs=("tokens",),
        optimizer=optax.adam(2e-2),
        untrained=("pooler",),  # nobody asks for it
        parameters=(5 + 6 + 2) * 8
        + 4 * (8 * 8 + 8)
        + (8 * 32 + 32)
        + (32 * 8 + 8)
        + 2 * (8 * 8 + 8)  # the pooler, and the map before the predictions
        + 4 * 16
        + 5,
    ),
}

every_model = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if example.slow else []) for name, example in EXAMPLES.items()]
)


def build(name, seed=0):
    return EXAMPLES[name].model(EXAMPLES[name].config, rngs=nnx.Rngs(seed))


def by_name(model, kind=WEIGHTS):
    return {".".join(map(str, path)): np.asarray(leaf[...]) for path, leaf in nnx.to_flat_state(nnx.state(model, kind))}


@cache
def learned(name):
    """A model that has seen the same batch again and again: its weights before, how the loss fell, and itself."""
    example, model = EXAMPLES[name], build(name)
    before = by_name(model)
    size = len(next(iter(example.batch.values())))
    batches = Dataset.from_arrays(example.batch).batches(size, seed=0)
    history = fit(model, batches, loss=example.loss, optimizer=example.optimizer, steps=example.steps, log_every=1)
    model.eval()
    return before, history["loss"], model


def called(name, model, examples=slice(None)):
    example = EXAMPLES[name]
    batch = {key: jnp.asarray(value[examples]) for key, value in example.batch.items()}
    return model(*(batch[key] for key in example.inputs), **{key: batch[key] for key in example.options})


@cache
def compiled(name, graphdef):
    return jax.jit(lambda state: called(name, nnx.merge(graphdef, state)))


def output(name, model):
    graphdef, state = nnx.split(model)
    return np.asarray(compiled(name, graphdef)(state))


@every_model
def test_it_learns_one_batch_by_heart(name):
    _, losses, _ = learned(name)
    assert losses[-1] < losses[0] / 10


@every_model
def test_training_moves_every_parameter_and_every_running_average(name):
    """A part that no gradient reaches is a part that was forgotten in the call."""
    before, _, model = learned(name)
    after, untrained = by_name(model), EXAMPLES[name].untrained
    still = {key for key in before if np.array_equal(before[key], after[key])}
    assert still == {key for key in before if key.startswith(untrained)} if untrained else not still


def products(program):
    """The types of the numbers in every matrix product and every convolution of a program and its parts."""
    for equation in program.eqns:
        if equation.primitive.name in ("dot_general", "conv_general_dilated"):
            yield from (str(operand.aval.dtype) for operand in equation.invars)
        parts = jax.tree.leaves(list(equation.params.values()), is_leaf=lambda part: hasattr(part, "jaxpr"))
        for part in parts:
            yield from products(getattr(part, "jaxpr", part)) if hasattr(part, "eqns") or hasattr(part, "jaxpr") else ()


@every_model
def test_in_half_precision_it_calculates_and_learns_and_keeps_its_weights_in_float32(name):
    example, model = EXAMPLES[name], build(name)
    graphdef, trainable, *rest = nnx.split(model, nnx.Param, nnx.Param, ...)
    leaves, structure = jax.tree.flatten((trainable, example.optimizer.init(trainable), rest))
    how = (None, 1, jnp.dtype(jnp.bfloat16))
    step = compiled_step(graphdef, structure, nnx.Param, example.loss, example.optimizer, *how)
    assert set(products(jax.make_jaxpr(step)(leaves, example.batch))) == {"bfloat16"}

    batches = Dataset.from_arrays(example.batch).batches(len(next(iter(example.batch.values()))), seed=0)
    run = dict(steps=example.steps, log_every=1, compute_dtype=jnp.bfloat16)
    losses = fit(model, batches, loss=example.loss, optimizer=example.optimizer, **run)["loss"]
    assert losses[-1] < losses[0] / 2
    assert {str(leaf.dtype) for leaf in jax.tree.leaves(nnx.state(model, WEIGHTS))} == {"float32"}


@every_model
def test_its_weights_in_a_file_make_another_model_the_same(name, tmp_path):
    _, _, model = learned(name)
    save_weights(model, tmp_path / "weights.safetensors")
    other = build(name, seed=1)
    other.eval()
    assert not np.array_equal(output(name, other), output(name, model))
    load_weights(other, tmp_path / "weights.safetensors")
    np.testing.assert_array_equal(output(name, other), output(name, model))


@every_model
def test_compiled_and_in_a_batch_it_says_of_an_example_what_it_says_of_it_alone(name):
    _, _, model = learned(name)
    alone = called(name, model, slice(1, 2))
    np.testing.assert_allclose(output(name, model)[1:2], alone, rtol=1e-4, atol=1e-4)


@every_model
def test_it_has_as_many_parameters_as_are_counted_by_hand(name):
    abstract = nnx.eval_shape(lambda: build(name))
    assert sum(leaf.size for leaf in jax.tree.leaves(nnx.state(abstract, nnx.Param))) == EXAMPLES[name].parameters


@every_model
def test_its_config_is_a_constant_that_comes_back_from_json_the_same(name, without_type_checks):
    config = EXAMPLES[name].config
    back = type(config)(**json.loads(json.dumps(dataclasses.asdict(config))))
    assert back == config and hash(back) == hash(config)
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(config, dataclasses.fields(config)[0].name, None)


@pytest.mark.slow
def test_eight_devices_train_every_model_as_one():
    page = Path(__file__).with_name("on_eight_devices.py")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(page)]
    child = subprocess.run(command, cwd=page.parents[3], capture_output=True, text=True, timeout=900)
    assert child.returncode == 0, child.stdout + child.stderr


@pytest.mark.compile_check
@pytest.mark.parametrize("machine", ["v5e"], indirect=True)
@pytest.mark.parametrize("chips", [1, 4])
@every_model
def test_its_training_step_compiles_for_a_tpu(name, chips, machine):
    """On one chip, and with the batch split over four: then the gradients are summed over the chips."""
    example, mesh = EXAMPLES[name], machine.mesh(chips)
    model = nnx.eval_shape(lambda: build(name))
    graphdef, trainable, *rest = nnx.split(model, nnx.Param, nnx.Param, ...)
    state = trainable, jax.eval_shape(example.optimizer.init, trainable), rest

    def lying(tree, spec):
        sharding = NamedSharding(mesh, spec)
        return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding), tree)

    leaves, structure = jax.tree.flatten(lying(state, PartitionSpec()))
    batch = {key: np.repeat(value, chips, axis=0) for key, value in example.batch.items()}
    shardings = tuple(leaf.sharding for leaf in leaves)
    step = compiled_step(graphdef, structure, nnx.Param, example.loss, example.optimizer, shardings)
    text = machine.compile(step, leaves, lying(batch, PartitionSpec("data"))).as_text()
    assert ("all-reduce" in text) == (chips > 1)
