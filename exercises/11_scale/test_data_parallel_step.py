"""What `data_parallel_step` must do, on four devices: those that are there, or a CPU that stands for them."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, Mesh

from exercises.runner.expectations import expect, expect_refusal, expect_that

CALL = "data_parallel_step(loss, params, batch, mesh=mesh, learning_rate=0.1)"
X = np.sin(1.3 * np.arange(24, dtype=np.float32)).reshape(8, 3)
PARAMS = {
    "hidden": np.cos(2.1 * np.arange(12, dtype=np.float32)).reshape(3, 4),
    "out": np.sin(0.7 * np.arange(4, dtype=np.float32)),
}


@pytest.fixture(scope="module")
def data_parallel_step(answer):
    return answer


@pytest.fixture(scope="module")
def mesh():
    devices = (jax.devices() if jax.device_count() >= 4 else jax.devices("cpu"))[:4]
    if len(devices) < 4:
        command = "JAX_PLATFORMS=cpu python -m pytest exercises/11_scale/test_data_parallel_step.py"
        pytest.skip(f"these tests need four devices, and JAX, in use already, has {len(devices)} here: {command}")
    return jax.make_mesh((4,), ("data",), axis_types=(AxisType.Auto,), devices=devices)


def squared(params, batch):
    return ((params["w"] - batch["x"]) ** 2).mean()


def network(params, batch):
    return ((jnp.tanh(batch["x"] @ params["hidden"]) @ params["out"] - batch["y"]) ** 2).mean()


def whole_step(params, batch, learning_rate=0.1):
    value, gradient = jax.value_and_grad(network)(params, batch)
    return {name: params[name] - learning_rate * gradient[name] for name in params}, value


def expect_pair(got, call):
    two = isinstance(got, tuple) and len(got) == 2
    expect_that(two, call, got, "two things: the new params, and the loss", "the loss is what one watches while it trains")
    return got


def test_four_examples_by_hand(data_parallel_step, mesh):
    batch = {"x": np.array([2.0, 4.0, 6.0, 8.0], np.float32)}
    step = data_parallel_step(squared, {"w": np.float32(0)}, batch, mesh=mesh, learning_rate=0.1)
    call = f"{CALL} with loss = mean of (w − x)², w = 0 and x = [2, 4, 6, 8], one example on each device"
    params, value = expect_pair(step, call)
    because = "the devices' gradients are −4, −8, −12 and −16: their mean is −10, and 0 − 0.1 · (−10) = 1"
    because += " (4 would be their sum: psum, or JAX's own sum, which check_vma=False turns off)"
    expect(params["w"], 1.0, f"{call}, and looked at w", because)
    because = "the devices' losses are 4, 16, 36 and 64: of the whole batch their mean"
    expect(value, 30.0, f"{call}, and looked at the loss", because)


def test_it_is_the_step_of_the_whole_batch(data_parallel_step, mesh):
    batch = {"x": X, "y": np.arange(8, dtype=np.float32) / 8}
    call = f"{CALL} with a network of 3, 4 and 1 units and 8 examples"
    params, value = expect_pair(data_parallel_step(network, PARAMS, batch, mesh=mesh, learning_rate=0.1), call)
    expected, loss = whole_step(PARAMS, batch)
    because = "parts of one size: the mean of their means is the mean of all"
    expect(value, loss, f"{call}, and looked at the loss", because)
    for name in PARAMS:
        expect(params[name], expected[name], f"{call}, and looked at {name!r}", because)


def test_each_device_sees_its_part_of_the_batch_only(data_parallel_step, mesh):
    seen = set()

    def loss(params, batch):
        seen.add(batch["x"].shape)
        return network(params, batch)

    batch = {"x": X, "y": np.zeros(8, np.float32)}
    data_parallel_step(loss, PARAMS, batch, mesh=mesh, learning_rate=0.1)
    because = "8 examples for 4 devices. With the whole batch on each, four devices take as long as one, and as much memory."
    because += " (Under jit alone XLA may cut it; here you do: jax.shard_map calls a function on each device's part)"
    expect_that(
        seen == {(2, 3)}, f"{CALL} and looked at x inside of the loss", f"shapes {sorted(seen)}", "shape (2, 3)", because
    )


def test_every_device_ends_with_the_same_params(data_parallel_step, mesh):
    batch = {"x": X, "y": np.arange(8, dtype=np.float32)}
    params, _ = expect_pair(data_parallel_step(network, PARAMS, batch, mesh=mesh, learning_rate=0.1), CALL)
    copies = [np.asarray(shard.data) for shard in params["out"].addressable_shards]
    call = f"{CALL} and looked at the copies of params['out']"
    expect_that(len(copies) == 4, call, f"{len(copies)} of them", "one on each of 4 devices", "the next step needs them there")
    because = "each device stepped by its own gradient: from here on they train four different networks"
    for copy in copies[1:]:
        expect(copy, copies[0], call, because)


def test_the_axis_data_alone_splits_the_batch(data_parallel_step, mesh):
    grid = Mesh(mesh.devices.reshape(2, 2), ("data", "model"))
    batch = {"x": X[:6], "y": np.arange(6, dtype=np.float32) / 8}
    call = f"{CALL} with 6 examples and a mesh of 2 (data) × 2 (model) devices"
    because = "two parts of three examples; what another axis of the mesh is there for is not this step's business"
    try:
        step = data_parallel_step(network, PARAMS, batch, mesh=grid, learning_rate=0.1)
    except ValueError as error:
        expect_that(False, call, f"a ValueError: {str(error).partition(chr(10))[0]}", "the step", because)
    params, value = expect_pair(step, call)
    expected, loss = whole_step(PARAMS, batch)
    expect(value, loss, f"{call}, and looked at the loss", because)
    expect(params["out"], expected["out"], f"{call}, and looked at params['out']", because)


@pytest.mark.parametrize("examples", [6, 1])
def test_a_batch_that_the_devices_do_not_divide_is_refused(data_parallel_step, mesh, examples):
    batch = {"x": X[:examples], "y": np.zeros(examples, np.float32)}
    because = f"{examples} examples do not make four equal parts, and of unequal ones the mean of means is not the mean"
    call = f"{CALL} with {examples} examples and 4 devices"

    def attempt():
        return data_parallel_step(network, PARAMS, batch, mesh=mesh, learning_rate=0.1)

    first = expect_refusal(attempt, call, because).partition("\n")[0]
    because = "who reads it wants to know what to change; shard_map refuses such a batch, too, and says the numbers far below"
    both = {examples, 4} <= {int(number) for number in re.findall(r"\d+", first)}
    expect_that(both, call, f"a ValueError that begins: {first}", f"one whose first line names {examples} and 4", because)


def test_ten_steps_in_one_program(data_parallel_step, mesh):
    batch = {"x": X, "y": np.arange(8, dtype=np.float32) / 8}

    @jax.jit
    def ten(params):
        def step(params, _):
            return data_parallel_step(network, params, batch, mesh=mesh, learning_rate=0.1)

        return jax.lax.scan(step, params, length=10)

    expected, losses = {name: jnp.array(array) for name, array in PARAMS.items()}, []
    for _ in range(10):
        expected, value = whole_step(expected, batch)
        losses.append(value)
    call = "jax.jit of a jax.lax.scan over data_parallel_step(loss, params, batch, mesh=mesh, learning_rate=0.1), ten steps"
    params, values = ten({name: jnp.array(array) for name, array in PARAMS.items()})
    expect(values, losses, f"{call}, and looked at the losses", "the same curve as on one device", rtol=1e-4)
    expect(params["out"], expected["out"], f"{call}, and looked at params['out']", "and the same end", rtol=1e-4)
