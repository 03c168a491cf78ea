"""The step in its other forms: part by part it is the step of the whole batch, and in half precision it is near it."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import optax.contrib
import pytest
from flax import nnx

from nn.data import Dataset, as_vectors, load
from nn.models import GPT, MLP, GPTConfig, MLPConfig
from nn.training import classification_loss, evaluate, fit, next_token_loss
from nn.training.step import compiled_step, parts_of

ADAM = optax.adam(1e-2)
# Momentum divides by nothing; Adam makes whole steps of gradients that are zero but for rounding, as of the bias of the keys.
MOMENTUM = optax.sgd(0.05, momentum=0.9)


def network(**choices):
    return MLP(MLPConfig(in_features=4, hidden=(8,), out_features=3, **choices), rngs=nnx.Rngs(0))


def gpt():
    return GPT(GPTConfig(vocabulary=11, length=8, features=16, heads=2, layers=1), rngs=nnx.Rngs(0))


def batches(size=12):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(48, 4)).astype(np.float32)
    label = (x @ rng.normal(size=(4, 3))).argmax(1).astype(np.int32)
    tokens = rng.integers(0, 11, (48, 9)).astype(np.int32)
    return Dataset.from_arrays({"image": x, "label": label, "tokens": tokens}).batches(size, seed=0)


def trained(make, loss, **choices):
    model = make()
    return model, fit(model, batches(), loss=loss, optimizer=MOMENTUM, steps=4, log_every=1, **choices)


@pytest.mark.parametrize("parts", [2, 3, 12])
@pytest.mark.parametrize(("make", "loss"), [(network, classification_loss), (gpt, next_token_loss)])
def test_a_batch_in_parts_teaches_what_it_teaches_whole(make, loss, parts):
    (model, history), (whole, expected) = trained(make, loss, accumulate=parts), trained(make, loss)
    assert history.keys() == expected.keys()
    for name in history:
        np.testing.assert_allclose(history[name], expected[name], rtol=1e-5, atol=1e-5, err_msg=name)
    for one, other in zip(*(jax.tree.leaves(nnx.state(one, nnx.Param)) for one in (model, whole)), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


def test_running_averages_and_dropout_move_once_for_each_part():
    model = network(normalization="batch", dropout=0.3)
    fit(model, batches(), optimizer=ADAM, steps=4, accumulate=3)
    (count,) = jax.tree.leaves(nnx.state(model, nnx.RngCount))
    assert count == 4 * 3

    moved, x = network(normalization="batch"), next(iter(batches()))["image"]
    fit(moved, batches(), optimizer=optax.set_to_zero(), steps=1, accumulate=3)
    mean, fresh = np.zeros(8), network(normalization="batch")
    for part in (x[0::3], x[1::3], x[2::3]):
        mean = 0.99 * mean + 0.01 * np.asarray(fresh.hidden[0](jnp.asarray(part))).mean(0)
    np.testing.assert_allclose(moved.norms[0].mean[...], mean, rtol=1e-4, atol=1e-6)


def test_each_part_takes_its_share_of_every_stretch_of_the_batch():
    parts = parts_of({"x": jnp.arange(12), "y": np.arange(24).reshape(12, 2), "number": 2.0}, 3)
    np.testing.assert_array_equal(parts["x"], [[0, 3, 6, 9], [1, 4, 7, 10], [2, 5, 8, 11]])
    np.testing.assert_array_equal(parts["y"][1], [[2, 3], [8, 9], [14, 15], [20, 21]])
    np.testing.assert_array_equal(parts["number"], [2, 2, 2])


def test_in_parts_a_step_needs_less_memory():
    """Most of what a wide network keeps for its gradient is activations, one row for each example."""
    model = MLP(MLPConfig(in_features=4, hidden=(256, 256, 256), out_features=3), rngs=nnx.Rngs(0))
    graphdef, trainable, *rest = nnx.split(model, nnx.Param, nnx.Param, ...)
    leaves, structure = jax.tree.flatten((trainable, ADAM.init(trainable), rest))
    batch = {"image": np.zeros((4096, 4), np.float32), "label": np.zeros(4096, np.int32)}

    def memory(parts):
        step = compiled_step(graphdef, structure, nnx.Param, classification_loss, ADAM, None, parts)
        return step.lower(leaves, batch).compile().memory_analysis().temp_size_in_bytes

    assert memory(16) < memory(1) / 3


def test_a_batch_that_cannot_be_cut_into_equal_parts_is_refused_by_name():
    model = network()
    before = jax.tree.leaves(nnx.state(model, nnx.Param))
    with pytest.raises(ValueError, match=r"accumulate=5 expects batches that it divides, got 12 of image\."):
        fit(model, batches(), optimizer=ADAM, steps=1, accumulate=5)
    for one, other in zip(jax.tree.leaves(nnx.state(model, nnx.Param)), before, strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(ValueError, match="fit expects accumulate of at least 1, got accumulate=0"):
        fit(model, batches(), optimizer=ADAM, steps=1, accumulate=0)


def dtypes(model, *kinds):
    return {str(leaf.dtype) for leaf in jax.tree.leaves(nnx.state(model, *kinds))}


def test_in_half_precision_the_model_calculates_and_nothing_is_kept():
    seen, kept = {}, []

    def loss(model, batch):
        logits = model(batch["image"])
        seen.update(image=batch["image"], label=batch["label"], frozen=model.hidden[0].kernel[...], logits=logits)
        seen.update(head=model.head.kernel[...], mean=model.norms[0].mean[...])
        return classification_loss(model, batch)

    def init(params):
        kept.extend(jax.tree.leaves(state := ADAM.init(params)))
        return state

    model = network(normalization="batch")
    before = np.asarray(model.hidden[0].kernel[...])
    head = nnx.All(nnx.Param, nnx.PathContains("head"))
    optimizer = optax.GradientTransformation(init, ADAM.update)
    history = fit(model, batches(), loss=loss, optimizer=optimizer, steps=3, wrt=head, compute_dtype="bfloat16")
    narrow = {name: str(array.dtype) for name, array in seen.items()}
    half = dict.fromkeys(("image", "frozen", "head", "logits"), "bfloat16")
    assert narrow == half | {"label": "int32", "mean": "float32"}
    assert dtypes(model, nnx.Any(nnx.Param, nnx.BatchStat)) == {"float32"}
    assert {str(leaf.dtype) for leaf in kept} == {"float32", "int32"}
    np.testing.assert_array_equal(model.hidden[0].kernel[...], before)
    assert np.isfinite(history["loss"]).all()


def test_updates_too_small_for_half_precision_add_up():
    """1 + 1/1024 is 1 in bfloat16: kept in it, the weight would never leave 1."""

    class Scale(nnx.Module):
        def __init__(self):
            self.weight = nnx.Param(jnp.ones(()))

    def loss(model, batch):
        return -model.weight[...] * batch["image"].mean()

    data = Dataset.from_arrays({"image": np.ones((4, 1), np.float32)}).batches(4, seed=0)
    model = Scale()
    fit(model, data, loss=loss, optimizer=optax.sgd(2**-10), steps=512, compute_dtype=jnp.bfloat16)
    assert float(model.weight[...]) == 1.5


@pytest.mark.parametrize("choices", [{}, {"accumulate": 2}])
def test_in_half_precision_digits_are_learned_as_well(choices):
    digits = load("digits", "train").map(as_vectors)
    test = load("digits", "test").map(as_vectors).arrays()

    def right(**more):
        model = MLP(MLPConfig(in_features=64, hidden=(64,), out_features=10), rngs=nnx.Rngs(0))
        fit(model, digits.batches(64, seed=0), optimizer=ADAM, steps=120, **more)
        return evaluate(model, test["image"], test["label"])

    exact, rounded = right(), right(compute_dtype=jnp.bfloat16, **choices)
    assert exact > 0.9
    assert abs(rounded - exact) < 0.03


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.int32])
def test_a_precision_that_cannot_hold_small_gradients_is_refused(dtype):
    with pytest.raises(
        ValueError,
        match=rf"compute_dtype expects a type with the range of float32, such as jnp\.bfloat16, got {jnp.dtype(dtype)}",
    ):
        fit(network(), batches(), optimizer=ADAM, steps=1, compute_dtype=dtype)


def test_a_number_that_is_of_no_example_is_not_cut():
    """Six weights of classes beside twelve examples: two parts of three would be taken for the weights of three classes."""
    with pytest.raises(ValueError, match=r"accumulate=2 expects arrays with one number of examples .*, got 6 and 12\."):
        parts_of({"x": jnp.zeros(12), "weights": jnp.zeros(6)}, 2)


def test_a_forward_pass_that_adds_variables_is_refused():
    class Adding(nnx.Module):
        def __init__(self):
            self.weight = nnx.Param(jnp.ones(4))

        def __call__(self, x):
            y = x @ self.weight[...]
            self.seen = nnx.Intermediate(y)
            return y

    def loss(model, batch):
        return model(batch["image"]).mean()

    with pytest.raises(ValueError, match="keeps the variables of the model as they are; that of Adding adds or removes some"):
        fit(Adding(), batches(), loss=loss, optimizer=ADAM, steps=2)


def test_an_optimizer_may_remember_where_the_weights_began():
    model = network()
    history = fit(model, batches(), optimizer=optax.contrib.prodigy(), steps=3, log_every=1)
    assert np.isfinite(history["loss"]).all()
