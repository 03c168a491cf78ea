"""Wrong answers to `data_parallel_step` that a student writes; exercises.toml says what is wrong with each."""

import jax
import numpy as np
from jax.sharding import PartitionSpec

SPLIT = PartitionSpec("data")


def _descend(params, gradient, learning_rate):
    return jax.tree.map(lambda weight, slope: weight - learning_rate * slope, params, gradient)


def _checked(batch, mesh):
    for array in jax.tree.leaves(batch):
        if array.shape[0] % mesh.shape["data"]:
            raise ValueError("does not fit")


def _on_devices(step, params, batch, mesh, split=SPLIT, check=False):
    whole = PartitionSpec()
    return jax.shard_map(step, mesh=mesh, in_specs=(whole, split), out_specs=whole, check_vma=check)(params, batch)


def nothing_sent(loss, params, batch, *, mesh, learning_rate):
    _checked(batch, mesh)

    def step(params, part):
        value, gradient = jax.value_and_grad(loss)(params, part)
        return _descend(params, gradient, learning_rate), value

    return _on_devices(step, params, batch, mesh)


def gradients_summed(loss, params, batch, *, mesh, learning_rate):
    _checked(batch, mesh)

    def step(params, part):
        value, gradient = jax.value_and_grad(loss)(params, part)
        return _descend(params, jax.lax.psum(gradient, "data"), learning_rate), jax.lax.pmean(value, "data")

    return _on_devices(step, params, batch, mesh)


def loss_of_one_device(loss, params, batch, *, mesh, learning_rate):
    _checked(batch, mesh)

    def step(params, part):
        value, gradient = jax.value_and_grad(loss)(params, part)
        return _descend(params, jax.lax.pmean(gradient, "data"), learning_rate), value

    return _on_devices(step, params, batch, mesh)


def gradients_of_one_device(loss, params, batch, *, mesh, learning_rate):
    _checked(batch, mesh)

    def step(params, part):
        value, gradient = jax.value_and_grad(loss)(params, part)
        return _descend(params, gradient, learning_rate), jax.lax.pmean(value, "data")

    return _on_devices(step, params, batch, mesh)


def summed_twice(loss, params, batch, *, mesh, learning_rate):
    _checked(batch, mesh)

    def step(params, part):
        value, gradient = jax.value_and_grad(loss)(params, part)
        value, gradient = jax.lax.pmean((value, gradient), "data")
        return _descend(params, gradient, learning_rate), value

    return _on_devices(step, params, batch, mesh, check=True)


def whole_batch_on_each(loss, params, batch, *, mesh, learning_rate):
    _checked(batch, mesh)

    def step(params, batch):
        value, gradient = jax.value_and_grad(loss)(params, batch)
        value, gradient = jax.lax.pmean((value, gradient), "data")
        return _descend(params, gradient, learning_rate), value

    return _on_devices(step, params, batch, mesh, split=PartitionSpec())


def one_device_does_all(loss, params, batch, *, mesh, learning_rate):
    _checked(batch, mesh)
    value, gradient = jax.value_and_grad(loss)(params, batch)
    return _descend(params, gradient, learning_rate), value


def batch_gathered(loss, params, batch, *, mesh, learning_rate):
    _checked(batch, mesh)

    def step(params, part):
        batch = jax.tree.map(lambda array: jax.lax.all_gather(array, "data", tiled=True), part)
        value, gradient = jax.value_and_grad(loss)(params, batch)
        return _descend(params, gradient, learning_rate), value

    return _on_devices(step, params, batch, mesh)


def uphill(loss, params, batch, *, mesh, learning_rate):
    _checked(batch, mesh)

    def step(params, part):
        value, gradient = jax.lax.pmean(jax.value_and_grad(loss)(params, part), "data")
        return _descend(params, gradient, -learning_rate), value

    return _on_devices(step, params, batch, mesh)


def refusal_left_to_shard_map(loss, params, batch, *, mesh, learning_rate):
    def step(params, part):
        value, gradient = jax.lax.pmean(jax.value_and_grad(loss)(params, part), "data")
        return _descend(params, gradient, learning_rate), value

    return _on_devices(step, params, batch, mesh)


def rest_of_the_batch_dropped(loss, params, batch, *, mesh, learning_rate):
    devices = mesh.shape["data"]
    batch = jax.tree.map(lambda array: np.resize(array, (max(len(array) // devices, 1) * devices, *array.shape[1:])), batch)

    def step(params, part):
        value, gradient = jax.lax.pmean(jax.value_and_grad(loss)(params, part), "data")
        return _descend(params, gradient, learning_rate), value

    return _on_devices(step, params, batch, mesh)


def all_devices_counted(loss, params, batch, *, mesh, learning_rate):
    for array in jax.tree.leaves(batch):
        if array.shape[0] % mesh.size:
            raise ValueError(f"{mesh.size} devices do not divide {array.shape[0]} examples")

    def step(params, part):
        value, gradient = jax.lax.pmean(jax.value_and_grad(loss)(params, part), "data")
        return _descend(params, gradient, learning_rate), value

    return _on_devices(step, params, batch, mesh)
