"""The mesh: what is refused in words, and `on_eight_devices.py`, run where there are eight."""

import os
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import optax
import pytest
from flax import nnx
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from nn.data import Dataset
from nn.models import MLP, MLPConfig
from nn.training import (
    cores_as_devices,
    current_mesh,
    device_mesh,
    evaluate,
    fit,
    fit_adversarial,
    on_mesh,
    partition,
    predict,
    shard_batch,
    virtual_cpu_devices,
)
from nn.training.sharding import mesh_to_use, replicate

ROOT = Path(__file__).parents[3]


def test_more_devices_than_there_are_is_refused_with_the_way_to_more():
    there = jax.device_count()
    for count, possible in ((0, 1), (there + 1, there + 1), (10**6, 64)):
        with pytest.raises(
            ValueError,
            match=rf"from 1 to {there} devices.*got {count}\..*up to 64.*devices\({possible}\) before JAX is first used\.",
        ):
            device_mesh(count)
    with pytest.raises(ValueError, match=rf"expects model to divide the {there} devices, got model={there + 1}"):
        device_mesh(model=there + 1)


def test_on_a_gpu_the_way_to_more_devices_goes_by_the_cpu(monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    with pytest.raises(ValueError, match=r"that JAX has here \(gpu\).*virtual_cpu_devices\(64\).*with JAX_PLATFORMS=cpu set"):
        device_mesh(100)


def test_virtual_devices_come_before_the_first_use_or_not_at_all(monkeypatch):
    monkeypatch.delenv("PJRT_NPROC", raising=False)
    there = jax.device_count()
    with pytest.raises(ValueError, match=rf"before JAX is first used; JAX has {there} devices"):
        virtual_cpu_devices(there + 1)
    for count in (0, 65):
        with pytest.raises(ValueError, match=f"a count from 1 to 64, got {count}"):
            virtual_cpu_devices(count)
    with pytest.raises(ValueError, match="cores_as_devices expects to be called before JAX is first used"):
        cores_as_devices()
    assert "PJRT_NPROC" not in os.environ and jax.device_count() == there


def test_a_mesh_holds_within_its_block_and_an_inner_one_before_it():
    outer, inner = device_mesh(1), None
    assert current_mesh() is None
    with on_mesh(outer):
        with on_mesh(inner):
            assert current_mesh() is None
        assert current_mesh() is outer
    assert current_mesh() is None


def network():
    return MLP(MLPConfig(in_features=4, hidden=(6,), out_features=2), rngs=nnx.Rngs(0))


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"hidden.0.bias": PartitionSpec(None, "model")}, r"split hidden\.0\.bias, shape \(6,\), by .*: the array has 1 axes"),
        ({"hidden.0.kernel": PartitionSpec("modle")}, r"split hidden\.0\.kernel.*: the mesh has no axis 'modle'"),
        ({"*.kernel": PartitionSpec("model", "model")}, "an axis of the mesh can split one axis of the array"),
        ({"hidden.0.kernle": PartitionSpec()}, r"none fits hidden\.0\.kernle.*share goes by the first of its names"),
        (
            {"*": PartitionSpec(), "head.*": PartitionSpec("model"), "*.bias": PartitionSpec()},
            r"first pattern that fits, and what head\.\*, \*\.bias would fit has one before it",
        ),
    ],
)
def test_rules_that_cannot_be_meant_are_refused_in_words(rules, message):
    model = network()
    before = [leaf.sharding for leaf in jax.tree.leaves(nnx.state(model))]
    with pytest.raises(ValueError, match=message):
        partition(model, rules, device_mesh(1))
    assert [leaf.sharding for leaf in jax.tree.leaves(nnx.state(model))] == before


def test_a_shared_variable_goes_by_the_first_of_its_names():
    class Tied(nnx.Module):
        def __init__(self):
            self.reading = nnx.Linear(3, 3, rngs=nnx.Rngs(0))
            self.writing = nnx.Linear(3, 3, rngs=nnx.Rngs(0))
            self.writing.kernel = self.reading.kernel

    model, mesh = Tied(), device_mesh(1)
    partition(model, {"reading.kernel": PartitionSpec("model")}, mesh)
    assert model.writing.kernel[...].sharding == NamedSharding(mesh, PartitionSpec("model"))
    with pytest.raises(ValueError, match=r"none fits writing\.kernel\. A variable that two layers share"):
        partition(model, {"writing.kernel": PartitionSpec("model")}, mesh)


def test_a_mesh_without_an_axis_for_batches_is_refused_by_all_who_take_one():
    mesh = jax.make_mesh((1,), ("batch",), axis_types=(AxisType.Auto,))
    x, y = np.ones((4, 4), np.float32), np.zeros(4, np.int32)
    data, adam = Dataset.from_arrays({"image": x, "label": y}).batches(4, seed=0), optax.adam(1e-3)
    sides = dict(generator_optimizer=adam, discriminator_optimizer=adam, latent_features=4)
    calls = {
        "fit": lambda: fit(network(), data, optimizer=adam, steps=1, mesh=mesh),
        "predict": lambda: predict(network(), x, mesh=mesh),
        "fit_adversarial": lambda: fit_adversarial(network(), network(), data, steps=1, mesh=mesh, **sides),
        "shard_batch": lambda: shard_batch({"image": x}, mesh),
    }
    for name, call in calls.items():
        with pytest.raises(ValueError, match=rf"^{name} expects a mesh with an axis 'data' .*got \{{'batch': 1\}}\."):
            call()
    with pytest.raises(ValueError, match="predict expects a mesh with an axis 'data'"):
        evaluate(network(), x, y, mesh=mesh)


def test_without_a_mesh_a_model_is_used_on_the_one_that_it_is_on():
    model, mesh = network(), device_mesh(1)
    state = nnx.state(model)
    assert mesh_to_use("fit", None, state) is None
    nnx.update(model, replicate(state, mesh))
    assert mesh_to_use("fit", None, nnx.state(model)) == mesh


@pytest.mark.slow
@pytest.mark.parametrize("name", ["on_eight_devices.py", "on_each_core.py"])
def test_what_several_devices_compute(name):
    page = Path(__file__).with_name(name)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(page)]
    child = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert child.returncode == 0, child.stdout + child.stderr
