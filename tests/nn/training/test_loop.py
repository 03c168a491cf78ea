"""The loop against the same loop written by hand, and against everything that can end it early."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from nn.data import Dataset
from nn.layers import Linear
from nn.models import MLP, MLPConfig
from nn.training import (
    NonFiniteLossError,
    accuracy,
    classification_loss,
    evaluate,
    fit,
    mean_squared_error,
    predict,
    softmax_cross_entropy,
)
from nn.training.checkpoints import TrainingCheckpoints
from nn.training.loop import run_steps
from nn.training.short_queue import ShortQueue

ADAMW = optax.adamw(1e-2, weight_decay=0.1)  # one object, so that the networks of this page share compiled steps
HEAD = nnx.All(nnx.Param, nnx.PathContains("head"))


def network(seed=0, **choices):
    return MLP(MLPConfig(in_features=4, hidden=(8,), out_features=3, **choices), rngs=nnx.Rngs(seed))


def restless():
    """A network with all that a forward pass moves."""
    return network(normalization="batch", dropout=0.3)


def examples(count=64, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, 4)).astype(np.float32)
    return {"image": x, "label": (x @ rng.normal(size=(4, 3))).argmax(1).astype(np.int32)}


def batches(seed=0, epochs=None, **columns):
    return Dataset.from_arrays({**examples(), **columns}).batches(8, seed=seed, epochs=epochs)


def leaves(model, *filters):
    """Every array of a model by its path, random keys as the numbers inside them."""
    flat = jax.tree_util.tree_flatten_with_path(nnx.to_pure_dict(nnx.state(model, *filters)))[0]
    return {
        jax.tree_util.keystr(path): np.array(
            jax.random.key_data(leaf) if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf
        )
        for path, leaf in flat
    }


def assert_same_bits(ours, theirs):
    assert ours.keys() == theirs.keys()
    for name in ours:
        np.testing.assert_array_equal(ours[name], theirs[name], err_msg=name)


def moved(before, after):
    return {name for name in before if not np.array_equal(before[name], after[name])}


@dataclasses.dataclass
class Broken:
    """Batches that raise an exception where batch number `at` would be."""

    whole: object
    at: int
    exception: type[BaseException]

    def from_step(self, step):
        for number, batch in enumerate(self.whole.from_step(step), start=step):
            if number == self.at:
                raise self.exception
            yield batch


def test_fit_is_the_loop_written_by_hand():
    model, data = network(), batches()
    parameters = {
        "W1": model.hidden[0].kernel[...],
        "b1": model.hidden[0].bias[...],
        "W2": model.head.kernel[...],
        "b2": model.head.bias[...],
    }

    def loss_and_accuracy(p, batch):
        logits = jnp.maximum(batch["image"] @ p["W1"] + p["b1"][None], 0) @ p["W2"] + p["b2"][None]
        right = jnp.take_along_axis(jax.nn.log_softmax(logits), batch["label"][:, None], axis=1)
        return -right.mean(), (logits.argmax(1) == batch["label"]).mean()

    @jax.jit
    def step(p, state, batch):
        (loss, right), gradients = jax.value_and_grad(loss_and_accuracy, has_aux=True)(p, batch)
        updates, state = ADAMW.update(gradients, state, p)
        return optax.apply_updates(p, updates), state, loss, right

    state, losses, right = ADAMW.init(parameters), [], []
    for _, batch in zip(range(10), data, strict=False):
        parameters, state, loss, share = step(parameters, state, batch)
        losses.append(float(loss))
        right.append(float(share))

    history = fit(model, data, optimizer=ADAMW, steps=10, log_every=4)
    windows = [slice(0, 4), slice(4, 8), slice(8, 10)]
    assert history["step"] == [4, 8, 10]
    np.testing.assert_allclose(history["loss"], [np.mean(losses[w]) for w in windows], rtol=1e-5)
    np.testing.assert_allclose(history["accuracy"], [np.mean(right[w]) for w in windows], rtol=1e-6)
    for name, leaf in zip(("W1", "b1", "W2", "b2"), (*_pair(model.hidden[0]), *_pair(model.head)), strict=True):
        np.testing.assert_allclose(leaf, parameters[name], rtol=1e-5, atol=1e-6, err_msg=name)


def _pair(layer):
    return layer.kernel[...], layer.bias[...]


class Waited:
    """A number on a device that writes down at which step somebody waits for it."""

    def __init__(self, events, step):
        self.events, self.step = events, step

    def __array__(self, dtype=None, copy=None):
        self.events.append(f"wait for {self.step}")
        return np.array(1.0, dtype or np.float32)


@pytest.mark.parametrize("progress", [False, True])
def test_the_loop_waits_for_the_device_only_where_it_records(progress, without_type_checks):
    events = []

    def run_step(leaves, _):
        events.append("step")
        return {"loss": Waited(events, events.count("step"))}

    still = (jnp.zeros(2), (), ())
    choices = dict(put_back=lambda *state: None, checkpoint_directory=None, checkpoint_every=500, progress=progress)
    run_steps(run_step, still, batches(), steps=7, log_every=3, **choices)
    windows = [(1, 2, 3), (4, 5, 6), (7,)]
    assert events == [event for window in windows for event in ["step"] * len(window) + [f"wait for {i}" for i in window]]


def test_gradient_descent_on_a_layer_of_flax_reaches_least_squares():
    """Any NNX module will do, and any loss of (model, batch), with nothing to record beside it."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(64, 3)).astype(np.float32), rng.normal(size=(64, 2)).astype(np.float32)

    def squared_error(model, batch):
        return mean_squared_error(model(batch["x"]), batch["y"]).mean()

    model, whole = nnx.Linear(3, 2, rngs=nnx.Rngs(0)), Dataset.from_arrays({"x": x, "y": y}).batches(64, seed=None)
    history = fit(model, whole, optimizer=optax.sgd(0.3), steps=300, loss=squared_error)
    best, residual, *_ = np.linalg.lstsq(np.c_[x, np.ones(64)], y, rcond=None)
    np.testing.assert_allclose(np.r_[model.kernel[...], model.bias[...][None]], best, atol=1e-4)
    assert history.keys() == {"step", "loss"}
    assert history["loss"][-1] == pytest.approx(residual.sum() / 128, rel=1e-4)


def test_the_same_seed_gives_the_same_bits():
    def trained(data_seed):
        model = restless()
        return fit(model, batches(data_seed), optimizer=ADAMW, steps=6, log_every=2), leaves(model)

    (history, first), (again, second), (other, third) = trained(0), trained(0), trained(1)
    assert history == again and history != other
    assert_same_bits(first, second)
    assert moved(first, third) >= {name for name in first if "kernel" in name}


@pytest.mark.parametrize("how", ["data", "label"])
def test_a_loss_that_is_not_finite_is_named_with_its_step(how, tmp_path):
    x, y = examples()["image"].copy(), examples()["label"].copy()
    if how == "data":
        x[8 * 6 + 3] = np.nan  # in the stored order, batches of 8: the seventh
    else:
        y[8 * 6 + 3] = 3  # of the classes 0, 1, 2
    model = network()
    with pytest.raises(NonFiniteLossError, match=r"nan at step 7; the step before it was \d"):
        fit(
            model,
            batches(seed=None, image=x, label=y),
            optimizer=ADAMW,
            steps=40,
            log_every=50,
            checkpoint_directory=tmp_path,
            checkpoint_every=4,
        )
    kept = network()
    fit(kept, batches(seed=None), optimizer=ADAMW, steps=4, checkpoint_directory=tmp_path)  # what the folder holds
    assert all(np.isfinite(leaf).all() for leaf in leaves(kept, nnx.Param).values())
    leaves(model)  # its arrays are there, and not given away


def test_the_first_step_too_is_named():
    y = np.full(64, 3, np.int32)
    with pytest.raises(NonFiniteLossError, match=r"nan at step 1\. Lower the learning rate"):
        fit(network(), batches(label=y), optimizer=ADAMW, steps=40)


def test_parameters_that_are_not_finite_are_not_checkpointed(tmp_path):
    """The loss of step 4 is finite and its gradient is not: √ at 0. Only the step after it would have a loss to tell."""

    def root(model, batch):
        return jnp.sqrt((model(batch["image"]) ** 2).sum())

    x = examples()["image"].copy()
    x[8 * 3 : 8 * 4] = 0
    data, model = batches(seed=None, image=x), Linear(4, 3, rngs=nnx.Rngs(0), use_bias=False)
    with pytest.raises(NonFiniteLossError, match=r"at step [45]"):
        fit(model, data, optimizer=ADAMW, steps=8, loss=root, checkpoint_directory=tmp_path, checkpoint_every=2)
    checkpoints = TrainingCheckpoints(tmp_path)
    assert checkpoints.latest_step() == 2
    checkpoints.close()


def test_frozen_leaves_are_bit_identical_after_training():
    """Under AdamW, whose weight decay would move them without any gradient."""
    model = network(normalization="layer")
    before = leaves(model)
    fit(model, batches(), optimizer=ADAMW, steps=5, wrt=HEAD)
    assert moved(before, leaves(model)) == {"['head']['kernel']", "['head']['bias']"}


def test_the_forward_pass_moves_running_averages_and_dropout_in_training_mode_alone():
    model = restless()
    before, inputs = leaves(model), next(iter(batches()))["image"]
    mean = (inputs @ before["['hidden'][0]['kernel']"]).mean(0)
    fit(model, batches(), optimizer=ADAMW, steps=1, wrt=HEAD)
    after = leaves(model)
    np.testing.assert_allclose(after["['norms'][0]['mean']"], 0.01 * mean, atol=1e-6)
    draws = [name for name in before if name.endswith("['count']") and "dropouts" in name]
    assert len(draws) == 1 and after[draws[0]] == before[draws[0]] + 1

    model.eval()
    fit(model, batches(), optimizer=ADAMW, steps=3)
    still = {name for name in before if "count" in name or "key" in name.split("[")[-1] or "mean" in name or "var" in name}
    assert moved(after, leaves(model)) == set(before) - still


def test_training_destroys_no_array_of_a_model_that_shares_it():
    model, twin = restless(), restless()
    nnx.update(twin, nnx.state(model))
    before = leaves(twin)
    fit(model, batches(), optimizer=ADAMW, steps=3)
    assert_same_bits(before, leaves(twin))
    assert moved(before, leaves(model)) >= set(leaves(model, nnx.Param))


def test_networks_of_one_kind_are_compiled_once():
    traces = []

    def counted(model, batch):
        traces.append(model)
        return classification_loss(model, batch)

    for seed in (0, 1, 2):
        model = network(seed, normalization="batch", dropout=0.3)
        fit(model, batches(seed), optimizer=ADAMW, steps=3, loss=counted)
        fit(model, batches(seed), optimizer=ADAMW, steps=3, loss=counted)
    assert len(traces) == 1
    fit(model, batches(), optimizer=ADAMW, steps=3, loss=counted, wrt=HEAD)
    assert len(traces) == 2


@pytest.mark.parametrize("steps_done", [0, 5])
def test_an_interrupt_leaves_the_weights_trained_so_far(steps_done):
    model, expected = restless(), restless()
    with pytest.raises(KeyboardInterrupt):
        fit(model, Broken(batches(), steps_done, KeyboardInterrupt), optimizer=ADAMW, steps=20)
    if steps_done:
        fit(expected, batches(), optimizer=ADAMW, steps=steps_done)
    assert_same_bits(leaves(model), leaves(expected))


def test_so_does_one_that_comes_while_the_loop_waits_for_the_device(monkeypatch):
    """Where it is most of the time, with steps under way whose input is given away."""
    model, expected = restless(), restless()
    waits, wait = [], jax.block_until_ready

    def interrupted(results):
        waits.append(results)
        if len(waits) == 5:
            raise KeyboardInterrupt
        return wait(results)

    monkeypatch.setattr(jax, "block_until_ready", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fit(model, batches(), optimizer=ADAMW, steps=20)
    fit(expected, batches(), optimizer=ADAMW, steps=ShortQueue().size + 5)
    assert_same_bits(leaves(model), leaves(expected))


def test_an_interrupt_behind_a_broken_step_leaves_the_model_as_before():
    """Between two records nobody has looked at the loss yet."""
    x = examples()["image"].copy()
    x[8 * 2] = np.nan
    model, before = network(), leaves(network())
    data = Broken(batches(seed=None, image=x), 5, KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        fit(model, data, optimizer=ADAMW, steps=20)
    assert_same_bits(leaves(model), before)


def test_data_that_ends_too_soon_is_named_and_nothing_learned_is_lost():
    model, expected = network(), network()
    with pytest.raises(ValueError, match="asked for 20 steps, and the data ended after 16"):
        fit(model, batches(epochs=2), optimizer=ADAMW, steps=20)
    fit(expected, batches(epochs=2), optimizer=ADAMW, steps=16)
    assert_same_bits(leaves(model), leaves(expected))


@pytest.mark.parametrize("name", ["steps", "log_every", "checkpoint_every"])
def test_a_count_below_one_is_refused(name):
    with pytest.raises(ValueError, match=f"fit expects {name} of at least 1, got {name}=0"):
        fit(network(), batches(), optimizer=ADAMW, **{"steps": 5, name: 0})


def test_data_that_cannot_begin_anywhere_is_refused(without_type_checks):
    with pytest.raises(ValueError, match=r"begin at any step, such as dataset\.batches.*got list"):
        fit(network(), list(batches(epochs=1)), optimizer=ADAMW, steps=5)


def test_a_filter_that_selects_nothing_is_refused():
    with pytest.raises(ValueError, match="wrt to select something to train; in MLP"):
        fit(network(), batches(), optimizer=ADAMW, steps=5, wrt=nnx.PathContains("haed"))


def test_the_bar_ends_full_and_changes_nothing(capsys):
    quiet, loud = network(), network()
    expected = fit(quiet, batches(), optimizer=ADAMW, steps=7)
    assert capsys.readouterr().out == ""
    assert fit(loud, batches(), optimizer=ADAMW, steps=7, progress=True) == expected
    assert "7/7" in capsys.readouterr().out
    assert_same_bits(leaves(quiet), leaves(loud))


@pytest.mark.parametrize("batch_size", [1, 5, 64, 1000])
def test_the_size_of_the_batches_changes_no_prediction(batch_size):
    model, x = restless(), jnp.asarray(examples()["image"])
    outputs = predict(model, x, batch_size=batch_size)
    model.eval()
    np.testing.assert_allclose(outputs, model(x), atol=1e-6)
    np.testing.assert_allclose(predict(model, x, batch_size=batch_size, method="features"), model.features(x), atol=1e-6)


def test_a_method_may_predict_several_things():
    class Two(nnx.Module):
        def __call__(self, x):
            return {"sum": x.sum(1), "twice": 2 * x}

    x = np.arange(14, dtype=np.float32).reshape(7, 2)
    both = predict(Two(), x, batch_size=3)
    np.testing.assert_array_equal(both["sum"], x.sum(1))
    np.testing.assert_array_equal(both["twice"], 2 * x)


@pytest.mark.parametrize("mode", ["train", "eval"])
def test_prediction_leaves_the_model_as_it_is(mode):
    model = restless()
    getattr(model, mode)()
    before, graph = leaves(model), nnx.graphdef(model)
    predict(model, examples()["image"])
    evaluate(model, examples()["image"], examples()["label"])
    assert_same_bits(before, leaves(model))
    assert nnx.graphdef(model) == graph  # the modes of its layers among it


class Masked(nnx.Module):
    """A model of two inputs: numbers, and how many of them count."""

    def __call__(self, x, lengths):
        mask = jnp.arange(x.shape[1])[None] < lengths[:, None]
        return jnp.where(mask, x, 0).sum(1, keepdims=True)


def test_a_tuple_of_inputs_becomes_the_arguments_of_the_model():
    x, lengths = np.ones((5, 4), np.float32), np.array([0, 1, 2, 3, 4])
    np.testing.assert_array_equal(predict(Masked(), (x, lengths), batch_size=2), lengths[:, None])
    assert evaluate(Masked(), (x, lengths), lengths, metric=lambda sums, labels: sums[:, 0] == labels) == 1
    with pytest.raises(ValueError, match="as many of each input, got 5 and 4"):
        predict(Masked(), (x, lengths[:4]))
    with pytest.raises(ValueError, match="a label for each input, got 5 inputs and 4 labels"):
        evaluate(Masked(), (x, lengths), lengths[:4])


def test_evaluate_is_the_mean_over_examples():
    model, x, y = network(), *examples().values()
    logits = model(jnp.asarray(x))
    assert evaluate(model, x, y) == pytest.approx(np.mean(logits.argmax(1) == y))
    surprise = softmax_cross_entropy(logits, jnp.asarray(y))
    assert evaluate(model, x, y, batch_size=7, metric=softmax_cross_entropy) == pytest.approx(float(surprise.mean()), rel=1e-5)
    assert evaluate(model, x, np.asarray(logits.argmax(1)), metric=accuracy) == 1


def test_what_cannot_be_predicted_is_refused():
    model, x = network(), examples()["image"]
    with pytest.raises(ValueError, match="expects inputs and a batch_size of at least 1, got 0 and 1024"):
        predict(model, x[:0])
    with pytest.raises(ValueError, match="batch_size of at least 1, got 64 and 0"):
        predict(model, x, batch_size=0)
    with pytest.raises(ValueError, match="expects a method of MLP, got 'feature'"):
        predict(model, x, method="feature")
    with pytest.raises(ValueError, match="a label for each input, got 64 inputs and 63 labels"):
        evaluate(model, x, examples()["label"][:63])


@pytest.mark.parametrize("name", ["loss", "step"])
def test_a_loss_cannot_record_under_a_name_that_the_history_keeps(name):
    def records(model, batch):
        value = model(batch["image"]).sum()
        return value, {name: value}

    with pytest.raises(ValueError, match=rf"keeps \['{name}'\] itself"):
        fit(network(), batches(), optimizer=ADAMW, steps=1, loss=records)


def test_a_last_step_that_breaks_the_parameters_is_not_returned_as_trained():
    def root(model, batch):
        return jnp.sqrt((model(batch["image"]) ** 2).sum())

    data = batches(seed=None, image=jnp.zeros_like(examples()["image"]))
    model = Linear(4, 3, rngs=nnx.Rngs(0), use_bias=False)
    with pytest.raises(NonFiniteLossError, match="at step 1 "):
        fit(model, data, optimizer=ADAMW, steps=1, loss=root)


def test_infinity_outside_the_parameters_is_honest():
    """A causal mask holds −∞, and an optimizer that waits for the best loss begins at ∞."""

    class Masked(nnx.Module):
        def __init__(self):
            self.linear = Linear(4, 3, rngs=nnx.Rngs(0))
            self.mask = nnx.Variable(jnp.array([0.0, 0.0, -jnp.inf]))

        def __call__(self, x):
            return self.linear(x) + jnp.broadcast_to(self.mask[...], (len(x), 3))

    optimizer = optax.chain(optax.adam(1e-3), optax.contrib.reduce_on_plateau())
    labels = jnp.asarray(examples()["label"]) % 2
    history = fit(Masked(), batches(label=np.asarray(labels)), optimizer=optimizer, steps=3)
    assert np.isfinite(history["loss"]).all()


def test_after_a_loss_that_is_not_finite_the_model_is_as_before_and_can_be_trained_more_gently():
    model = network()
    before = leaves(model)
    with pytest.raises(NonFiniteLossError):
        fit(model, batches(), optimizer=optax.sgd(1e30), steps=10)
    assert not moved(before, leaves(model))
    assert np.isfinite(fit(model, batches(), optimizer=optax.sgd(1e-3), steps=10)["loss"]).all()


def test_a_list_of_filters_is_any_of_them():
    model = network()
    before = leaves(model)
    fit(model, batches(), optimizer=ADAMW, steps=2, wrt=[nnx.PathContains("head")])
    assert moved(before, leaves(model)) == {"['head']['kernel']", "['head']['bias']"}
