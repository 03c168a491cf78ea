"""Training over several devices: a mesh, and which part of each array lies where.

No model and no loss knows of it. JAX compiles one program for all devices from where its arguments lie, and XLA adds what
they have to send each other: with batches split and weights whole (data parallel), a sum of the gradients in each step.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from fnmatch import fnmatchcase
from typing import Any

import jax
import numpy as np
from flax import nnx
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

_current: ContextVar[Mesh | None] = ContextVar("mesh", default=None)


def device_mesh(devices: int | None = None, *, model: int = 1) -> Mesh:
    """The devices in rows and columns: axis `data` splits batches, axis `model` splits what `partition` says.

    Args:
      devices: how many of those that JAX has, the first ones; None for all.
      model: how many columns; they divide the devices. With 1, each device has the whole model.

    Raises:
      ValueError: if there are not as many devices, or the columns do not divide them.
    """
    there = jax.device_count()
    devices = there if devices is None else devices
    if not 1 <= devices <= there:
        raise ValueError(
            f"device_mesh expects from 1 to {there} devices, those that JAX has here ({jax.default_backend()}), got {devices}. "
            f"A CPU can stand for several: call nn.training.virtual_cpu_devices({max(devices, 1)}) before JAX is first used."
        )
    if model < 1 or devices % model:
        raise ValueError(f"device_mesh expects model to divide the {devices} devices, got model={model}.")
    # Auto: XLA works out the shardings in between. JAX's newer default, Explicit, would have each layer name its own.
    kinds = (AxisType.Auto, AxisType.Auto)
    return jax.make_mesh((devices // model, model), ("data", "model"), axis_types=kinds, devices=jax.devices()[:devices])


def virtual_cpu_devices(count: int) -> None:
    """Has the CPU stand for several devices, to try on one machine what is meant for many. Call it before JAX is first used.

    It makes nothing faster, for the same cores do the work. GPUs and TPUs stay as many as they are.

    Raises:
      ValueError: for a count below 1, or if JAX is in use already.
    """
    if count < 1:
        raise ValueError(f"virtual_cpu_devices expects a count of at least 1, got {count}.")
    try:
        jax.config.update("jax_num_cpu_devices", count)
    except RuntimeError:
        raise ValueError(
            f"virtual_cpu_devices expects to be called before JAX is first used; JAX has {jax.device_count()} devices by now."
        ) from None
    # XLA makes a thread for each core or device, and a device that waits for the others in a sum keeps its thread. With none
    # left for the work that the sum is waiting for, it would wait for ever: seen with 8 devices on 2 cores.
    os.environ.setdefault("PJRT_NPROC", str(max(os.cpu_count() or 1, 4 * count)))


@contextmanager
def on_mesh(mesh: Mesh | None) -> Iterator[None]:
    """Within it, `fit` and `predict` use this mesh where they are given none: for code that calls them from within."""
    token = _current.set(mesh)
    try:
        yield
    finally:
        _current.reset(token)


def current_mesh() -> Mesh | None:
    """The mesh of the innermost `on_mesh`; None outside of any."""
    return _current.get()


def replicate(tree: Any, mesh: Mesh | None) -> Any:
    """Puts a tree of arrays on every device of a mesh, whole. What lies on this mesh already stays as it is, split or not.

    Without a mesh nothing is moved.
    """
    if mesh is None:
        return tree

    def put(leaf):
        there = isinstance(leaf, jax.Array) and isinstance(leaf.sharding, NamedSharding) and leaf.sharding.mesh == mesh
        return leaf if there else jax.device_put(leaf, NamedSharding(mesh, PartitionSpec()))

    return jax.tree.map(put, tree)


def shard_batch(batch: Any, mesh: Mesh | None) -> Any:
    """Splits each array of a batch along its first axis over the axis `data` of a mesh.

    An array that it does not divide, and a number, goes whole to every device. Each then does the work of all: no faster than
    one device, and the numbers are the same. A training that is to be fast takes batches that the devices divide.

    Args:
      batch: a tree of arrays, (batch, *shape) each.
      mesh: from `device_mesh`; None: the batch is given back as it is.
    """
    if mesh is None:
        return batch

    def put(leaf):
        shape = np.shape(leaf)
        divides = shape and shape[0] % mesh.shape["data"] == 0
        return jax.device_put(leaf, NamedSharding(mesh, PartitionSpec("data") if divides else PartitionSpec()))

    return jax.tree.map(put, batch)


def partition(model: nnx.Module, rules: Mapping[str, PartitionSpec], mesh: Mesh) -> None:
    """Splits some of a model's variables over a mesh, in place, and puts the others whole on each of its devices.

    Of two dense layers in a row, split the first by its outputs and the second by its inputs: between them each device needs
    nothing of the others, and behind them one sum is sent. `fit` keeps the split, also of the optimizer's memory.

        rules = {
            "*.c_fc.kernel": PartitionSpec(None, "model"),
            "*.c_fc.bias": PartitionSpec("model"),
            "*.c_proj.kernel": PartitionSpec("model", None),
        }

    Args:
      model: any NNX module.
      rules: pattern of names such as `hidden.0.kernel` → which axis of the array is split over which axis of the mesh. `*`
        stands for anything, dots too; of several that fit the first counts.
      mesh: from `device_mesh`.

    Raises:
      ValueError: if a pattern fits no variable, or an array cannot be split so; the model is then as before.

    Reference: Shoeybi et al. 2019, "Megatron-LM: Training Multi-Billion Parameter Language Models Using Model Parallelism",
      section 3.
    """
    state = nnx.state(model)
    paths, names = jax.tree_util.tree_flatten_with_path(nnx.to_pure_dict(state))[0], []
    for path, _ in paths:
        names.append(".".join(str(getattr(key, "key", key)) for key in path))
    if unused := [pattern for pattern in rules if not any(fnmatchcase(name, pattern) for name in names)]:
        raise ValueError(f"partition expects patterns of names in {type(model).__name__}; none fits {', '.join(unused)}.")

    def put(name, leaf):
        spec = next((spec for pattern, spec in rules.items() if fnmatchcase(name, pattern)), PartitionSpec())
        sharding = NamedSharding(mesh, spec)
        try:
            sharding.shard_shape(leaf.shape)
        except ValueError:
            raise ValueError(
                f"partition cannot split {name}, shape {leaf.shape}, by {spec} over a mesh of {dict(mesh.shape)}: "
                "the devices must divide the axis."
            ) from None
        return jax.device_put(leaf, sharding)

    leaves, structure = jax.tree.flatten(state)
    nnx.update(model, jax.tree.unflatten(structure, map(put, names, leaves)))
