"""A run that was stopped, however rudely, against one that was not; and weights that come back as they went."""

import dataclasses
import os
import signal
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from nn.data import Dataset
from nn.models import MLP, MLPConfig
from nn.training import CheckpointMismatchError, TrainingCheckpoints, fit, load_weights, save_weights

ROOT = Path(__file__).parents[3]
ADAM = optax.adam(1e-2)
PLAIN, RESTLESS = {}, {"normalization": "batch", "dropout": 0.3}


def network(seed=0, out_features=3, **choices):
    return MLP(MLPConfig(in_features=4, hidden=(8,), out_features=out_features, **choices), rngs=nnx.Rngs(seed))


def batches(seed=0):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(64, 4)).astype(np.float32)
    y = (x @ rng.normal(size=(4, 3))).argmax(1).astype(np.int32)
    return Dataset.from_arrays({"image": x, "label": y}).batches(8, seed=seed)


@dataclasses.dataclass
class Broken:
    """Batches that end the process, or this call of `fit`, where batch number `at` would be."""

    whole: object
    at: int

    @property
    def settings(self):
        return self.whole.settings

    def from_step(self, step):
        for number, batch in enumerate(self.whole.from_step(step), start=step):
            if number == self.at:
                raise KeyboardInterrupt
            yield batch


def trained(folder, *, model=None, data=None, steps=20, optimizer=ADAM, choices=PLAIN):
    """A model and its history after training with checkpoints at 6, 12, 18 and the end, records at 4, 6, 8, 12, …"""
    model = network(**choices) if model is None else model
    history = fit(
        model,
        batches() if data is None else data,
        optimizer=optimizer,
        steps=steps,
        log_every=4,
        checkpoint_directory=folder,
        checkpoint_every=6,
    )
    return model, history


def leaves(tree):
    """Every array of a model or a tree by its path, random keys as the numbers inside them."""
    tree = nnx.to_pure_dict(nnx.state(tree)) if isinstance(tree, nnx.Module) else tree
    return {
        jax.tree_util.keystr(path): np.array(
            jax.random.key_data(leaf) if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf
        )
        for path, leaf in jax.tree_util.tree_flatten_with_path(tree)[0]
    }


def assert_same_bits(ours, theirs):
    ours, theirs = leaves(ours), leaves(theirs)
    assert ours.keys() == theirs.keys()
    for name in ours:
        assert ours[name].dtype == theirs[name].dtype, name
        np.testing.assert_array_equal(ours[name], theirs[name], err_msg=name)


@pytest.mark.parametrize("choices", [PLAIN, RESTLESS], ids=["plain", "batch norm and dropout"])
@pytest.mark.parametrize("stops", [(3,), (6, 13)], ids=str)
def test_a_run_that_was_interrupted_ends_with_the_same_bits(choices, stops, tmp_path):
    for stop in stops:
        with pytest.raises(KeyboardInterrupt):
            trained(tmp_path / "stopped", data=Broken(batches(), stop), choices=choices)
    # What the resumed model was made with counts for nothing: all comes from the checkpoint, if there is one.
    model, history = trained(tmp_path / "stopped", model=network(seed=0 if stops == (3,) else 7, **choices))
    expected, whole = trained(tmp_path / "whole", choices=choices)
    assert history == whole and history["step"] == [4, 6, 8, 12, 16, 18, 20]
    assert_same_bits(model, expected)


CHILD = """
import sys
sys.path.insert(0, {tests!r})
import test_checkpoints as page

class Announced:
    def __init__(self, whole):
        self.whole, self.settings = whole, whole.settings
    def from_step(self, step):
        for number, batch in enumerate(self.whole.from_step(step), start=step):
            print(number, flush=True)
            yield batch

page.fit(page.network(**page.RESTLESS), Announced(page.batches()), optimizer=page.ADAM, steps=24, log_every=4,
         checkpoint_directory=sys.argv[1], checkpoint_every=int(sys.argv[2]))
"""


@pytest.mark.slow
@pytest.mark.parametrize(("every", "victims"), [(7, (5, 16)), (1, (8,))], ids=["between", "while saving"])
def test_a_run_that_was_killed_ends_with_the_same_bits(every, victims, tmp_path):
    """kill -9 as soon as a step is announced, or when half of the next checkpoint is seen in the folder."""
    program = CHILD.format(tests=str(Path(__file__).parent))
    for step in victims:
        command = [sys.executable, "-W", "ignore", "-c", program, str(tmp_path / "killed"), str(every)]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=_environment()) as child:
            for line in child.stdout:
                if int(line) == step:
                    while every == 1 and all(path.name.isdigit() for path in (tmp_path / "killed").iterdir()):
                        assert child.poll() is None
                    child.send_signal(signal.SIGKILL)
        assert child.returncode == -signal.SIGKILL

    def finished(folder):
        model = network(**RESTLESS)
        plan = dict(steps=24, log_every=4, checkpoint_directory=tmp_path / folder, checkpoint_every=every)
        return model, fit(model, batches(), optimizer=ADAM, **plan)

    (model, history), (expected, whole) = finished("killed"), finished("whole")
    assert history == whole and history["step"][-1] == 24
    assert_same_bits(model, expected)


def _environment():
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def test_a_run_that_is_complete_returns_at_once(tmp_path):
    expected, whole = trained(tmp_path)
    model, history = trained(tmp_path, model=network(seed=7), data=Broken(batches(), 20))  # nothing is asked of it
    assert history == whole
    assert_same_bits(model, expected)


def test_more_steps_go_on_where_the_run_ended(tmp_path):
    trained(tmp_path / "extended", steps=12)
    model, history = trained(tmp_path / "extended", steps=20)
    expected, whole = trained(tmp_path / "whole", steps=20)
    assert history == whole
    assert_same_bits(model, expected)


@dataclasses.dataclass
class Described:
    """Batches that say of themselves what they are told to."""

    whole: object
    settings: object

    def from_step(self, step):
        return self.whole.from_step(step)


def test_settings_are_compared_as_json_holds_them(tmp_path):
    """Tuples come back from a file as lists, and numbers that name something as words; neither makes other data of it."""
    same = {"shape": (8, 8), "parts": {0: ("digits", None), 1: (0.1, True)}}
    trained(tmp_path, steps=12, data=Described(batches(), same))
    _, history = trained(tmp_path, data=Described(batches(), same))
    assert history["step"][-1] == 20
    with pytest.raises(ValueError, match=r"a run on other data: .*'shape': \[8, 8\].*now it is .*'shape': \[8, 9\]"):
        trained(tmp_path, steps=24, data=Described(batches(), same | {"shape": (8, 9)}))


@pytest.mark.parametrize("value", [np.int64(3), float("nan"), {1, 2}])
def test_settings_that_json_cannot_hold_are_refused_before_training(value, tmp_path):
    data = Described(Broken(batches(), 0), {"seed": value})
    with pytest.raises(ValueError, match=r"settings of batches that JSON can hold, .* got those of Described: \{'seed': "):
        trained(tmp_path, data=data)


def test_a_checkpoint_of_other_data_is_refused_and_nothing_is_lost(tmp_path):
    saved, _ = trained(tmp_path, steps=12)
    model = network(seed=7)
    with pytest.raises(ValueError, match=r"a run on other data: .*'seed': 0.*now it is .*'seed': 1"):
        trained(tmp_path, model=model, data=batches(seed=1))
    assert_same_bits(model, network(seed=7))
    assert_same_bits(trained(tmp_path, steps=12)[0], saved)


def test_a_checkpoint_of_another_model_is_refused_with_every_difference(tmp_path):
    saved, _ = trained(tmp_path, steps=12)
    model = network(out_features=5, normalization="layer")
    with pytest.raises(CheckpointMismatchError) as refusal:
        trained(tmp_path, model=model)
    lines = str(refusal.value).splitlines()
    assert lines[0] == f"The checkpoint of step 12 in {tmp_path} does not fit the model:"
    for parts in (("head", "kernel", "float32[8, 3]", "expected float32[8, 5]"), ("head", "bias", "[3]", "[5]")):
        # The parameter itself, and Adam's two averages of its gradient.
        assert sum(line.startswith("  different: ") and all(part in line for part in parts) for line in lines) == 3
    for name in ("scale", "bias"):
        assert sum(line.startswith("  missing: ") and "norms" in line and name in line for line in lines) == 3
    assert len(lines) == 1 + 4 * 3
    assert_same_bits(model, network(out_features=5, normalization="layer"))
    assert_same_bits(trained(tmp_path, steps=12)[0], saved)


def test_a_checkpoint_of_another_optimizer_is_refused(tmp_path):
    trained(tmp_path, steps=6)
    with pytest.raises(CheckpointMismatchError, match=r"unexpected: .*mu"):
        trained(tmp_path, optimizer=optax.sgd(0.1))


def test_the_newest_checkpoints_are_kept(tmp_path):
    checkpoints = TrainingCheckpoints(tmp_path, keep=2)
    assert checkpoints.latest_step() is None
    for step in (3, 5, 8):
        checkpoints.save(step, {"weight": jnp.full(2, step)}, {"step": step})
    assert checkpoints.latest_step() == 8
    state, record = checkpoints.restore(5, {"weight": jnp.zeros(2, int)})
    assert state["weight"].tolist() == [5, 5] and record == {"step": 5}
    checkpoints.close()
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.isdigit()) == ["5", "8"]


def test_arrays_of_every_type_come_back_bit_by_bit(tmp_path):
    state = {
        "float32": jnp.array([0.1, -0.0, 1e-45, 3e38], jnp.float32),
        "bfloat16": jnp.array([0.1, 3e38], jnp.bfloat16),
        "count": jnp.uint32(7),
        "key": jax.random.key(3),
        "keys": (jax.random.split(jax.random.key(4), 5),),
    }
    record = {"loss": [0.1, 1 / 3], "data": None}
    checkpoints = TrainingCheckpoints(tmp_path)
    checkpoints.save(1, state, record)
    restored, same_record = checkpoints.restore(1, jax.tree.map(jnp.zeros_like, {**state, "key": 0, "keys": 0}) | _other_keys())
    checkpoints.close()
    assert same_record == record
    assert_same_bits(restored, state)
    assert jax.random.bits(restored["key"]) == jax.random.bits(state["key"])


def _other_keys():
    return {"key": jax.random.key(0), "keys": (jax.random.split(jax.random.key(0), 5),)}


@pytest.mark.parametrize("normalization", [None, "batch", "layer", "rms"])
def test_weights_come_back_bit_by_bit(normalization, tmp_path):
    model, other = (network(seed, normalization=normalization) for seed in (0, 1))
    fit(model, batches(), optimizer=ADAM, steps=3)  # the running averages, too, have left where they began
    save_weights(model, tmp_path / "weights.safetensors")
    load_weights(other, tmp_path / "weights.safetensors")
    assert_same_bits(model, other)
    assert [path.name for path in tmp_path.iterdir()] == ["weights.safetensors"]


def test_the_names_in_the_file_are_paths(tmp_path):
    from safetensors.numpy import load_file

    model = network(normalization="batch")
    save_weights(model, tmp_path / "weights.safetensors")
    norms = {f"norms.0.{name}" for name in ("scale", "bias", "mean", "var")}
    found = load_file(tmp_path / "weights.safetensors")
    assert set(found) == {"hidden.0.kernel", "hidden.0.bias", "head.kernel", "head.bias"} | norms
    np.testing.assert_array_equal(found["head.kernel"], model.head.kernel[...])


def test_weights_that_do_not_fit_are_refused_with_every_difference(tmp_path):
    save_weights(network(normalization="batch"), tmp_path / "weights.safetensors")
    model = network(seed=1, out_features=5, normalization="layer")
    before = leaves(model)
    with pytest.raises(CheckpointMismatchError) as refusal:
        load_weights(model, tmp_path / "weights.safetensors")
    assert sorted(str(refusal.value).splitlines()[1:]) == [
        "  different: head.bias is float32[3], expected float32[5]",
        "  different: head.kernel is float32[8, 3], expected float32[8, 5]",
        "  unexpected: norms.0.mean float32[8]",
        "  unexpected: norms.0.var float32[8]",
    ]
    assert_same_bits(leaves(model), before)
    save_weights(model, tmp_path / "layer.safetensors")
    with pytest.raises(CheckpointMismatchError, match=r"missing: norms\.0\.mean float32\[8\]"):
        load_weights(network(out_features=5, normalization="batch"), tmp_path / "layer.safetensors")


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.safetensors"):
        load_weights(network(), tmp_path / "nowhere.safetensors")


def test_a_directory_of_a_longer_run_is_refused(tmp_path):
    trained(tmp_path)
    with pytest.raises(ValueError, match=r"asked for 5 steps, and .* holds a run of 20"):
        trained(tmp_path, steps=5)
