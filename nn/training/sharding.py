"""Training over several devices: a mesh, and which part of each array lies where.

No model and no loss knows of it. JAX compiles one program for all devices from where its arguments lie, and XLA adds what
they have to send each other: with batches split and weights whole (data parallel), a sum of the gradients in each step.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from fnmatch import fnmatchcase
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec, Sharding

from nn.kernels.devices import BATCH_AXIS
from nn.training.names import dotted_name

MOST_VIRTUAL_DEVICES = 64
"""More than a trial needs; each takes threads and memory of its own."""

_threads: str | None = None  # what was written into the environment here

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
        on_cpu = "" if jax.default_backend() == "cpu" else " with JAX_PLATFORMS=cpu set"
        raise ValueError(
            f"device_mesh expects from 1 to {there} devices, those that JAX has here ({jax.default_backend()}), got {devices}. "
            f"To try out several, a CPU can stand for up to {MOST_VIRTUAL_DEVICES}: call "
            f"nn.training.virtual_cpu_devices({min(max(devices, 1), MOST_VIRTUAL_DEVICES)}) before JAX is first used{on_cpu}."
        )
    if model < 1 or devices % model:
        raise ValueError(f"device_mesh expects model to divide the {devices} devices, got model={model}.")
    # Auto: XLA works out the shardings in between. JAX's newer default, Explicit, would have each layer name its own.
    kinds = (AxisType.Auto, AxisType.Auto)
    return jax.make_mesh((devices // model, model), (BATCH_AXIS, "model"), axis_types=kinds, devices=jax.devices()[:devices])


def virtual_cpu_devices(count: int) -> None:
    """Has the CPU stand for several devices, to try on one machine what is meant for many. Call it before JAX is first used.

    For a trial, not for speed, which is what `cores_as_devices` is for. GPUs and TPUs stay as many as they are.

    Raises:
      ValueError: for a count below 1 or above 64, or if JAX is in use already.
    """
    if not 1 <= count <= MOST_VIRTUAL_DEVICES:
        raise ValueError(f"virtual_cpu_devices expects a count from 1 to {MOST_VIRTUAL_DEVICES}, got {count}.")
    # Threads that wait for other devices are not there for the work that these are waiting for; with 8 for 8 devices a loop
    # that queues many steps has stopped for ever (see `cores_as_devices`).
    _as_devices("virtual_cpu_devices", count, threads=max(os.cpu_count() or 1, 4 * count))


def cores_as_devices() -> None:
    """Has each core of the CPU be a device, so that a mesh shares out a batch among them. Call it before JAX is first used.

    XLA shares out single operations among cores, and some not at all: the walk of an LSTM, gradients of a convolution. Devices
    share out the batch, and each goes through all of the program. `benchmarks/README.md` has both, measured.

    `fit`, `fit_adversarial` and `predict` see to it that few steps are queued. A loop of your own, `training_loop` too, should
    wait for a result every 8 steps or so. XLA lets 32 calls of a device wait; the next one holds a thread until there is room,
    and if all threads are held nothing goes on.

    It asks the system how many cores there are: a container's share of their time it does not see. A GPU or TPU stays the
    device that `device_mesh` takes.

    Raises:
      ValueError: if JAX is in use already.
    """
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    # More threads than cores would disturb each other: with four times the threads, a step took 1.1 to 1.5 times as long.
    _as_devices("cores_as_devices", min(count, MOST_VIRTUAL_DEVICES), threads=count)


def _as_devices(function: str, count: int, threads: int) -> None:
    try:
        jax.config.update("jax_num_cpu_devices", count)
    except RuntimeError:
        raise ValueError(
            f"{function} expects to be called before JAX is first used; JAX has {jax.device_count()} devices by now."
        ) from None
    global _threads
    if os.environ.get("PJRT_NPROC") == _threads:  # how many XLA starts: what somebody else has set is left alone
        _threads = os.environ["PJRT_NPROC"] = str(threads)


@contextmanager
def on_mesh(mesh: Mesh | None) -> Iterator[None]:
    """Within it, `fit`, `predict` and their like use this mesh where they are given none: for code that calls them from within.

    It does not reach into threads that are started within.
    """
    token = _current.set(mesh)
    try:
        yield
    finally:
        _current.reset(token)


def current_mesh() -> Mesh | None:
    """The mesh of the innermost `on_mesh`; None outside of any."""
    return _current.get()


def mesh_to_use(function: str, mesh: Mesh | None, state: Any) -> Mesh | None:
    """The mesh that a function was given, or else that of `on_mesh`, or else the one that a model's arrays are on.

    Args:
      function: its name, for the message.
      mesh: what it was given.
      state: the model's arrays.

    Raises:
      ValueError: if it was given a mesh without an axis `data`.
    """
    mesh = mesh or current_mesh()
    if mesh is None:
        shardings = [leaf.sharding for leaf in jax.tree.leaves(state) if isinstance(leaf, jax.Array)]
        meshes = [sharding.mesh for sharding in shardings if isinstance(sharding, NamedSharding)]
        return next((mesh for mesh in meshes if isinstance(mesh, Mesh) and BATCH_AXIS in mesh.shape), None)
    if BATCH_AXIS not in mesh.shape:
        raise ValueError(
            f"{function} expects a mesh with an axis '{BATCH_AXIS}' to split batches over, as device_mesh makes it, "
            f"got {dict(mesh.shape)}."
        )
    return mesh


def replicate(tree: Any, mesh: Mesh | None) -> Any:
    """Puts a tree of arrays on every device of a mesh, whole. What lies on this mesh already stays as it is, split or not.

    Without a mesh nothing is moved.

    Raises:
      ValueError: if an array is split over another mesh: it might not fit on a device whole.
    """
    if mesh is None:
        return tree

    def put(path, leaf):
        sharding = getattr(leaf, "sharding", None)
        if isinstance(sharding, NamedSharding) and sharding.mesh == mesh:
            return leaf
        if sharding is not None and not sharding.is_fully_replicated:
            raise ValueError(
                f"{dotted_name(path)} is split over another mesh than "
                f"{dict(mesh.shape)}. Use the mesh that the model was split over, or split it anew: "
                "partition(model, rules, mesh), which without rules puts it there whole."
            )
        return _put(leaf, NamedSharding(mesh, PartitionSpec()))

    return jax.tree_util.tree_map_with_path(put, tree)


def shard_batch(batch: Any, mesh: Mesh | None) -> Any:
    """Splits each array of a batch along its first axis over the axis `data` of a mesh.

    Where the mesh spans several processes, each is given the whole batch, and takes its own part.

    An array that it does not divide, and a number, goes whole to every device. Each then does the work of all: no faster than
    one device, and the numbers are the same. A training that is to be fast takes batches that the devices divide.

    Args:
      batch: a tree of arrays, (batch, *shape) each.
      mesh: from `device_mesh`; None: the batch is given back as it is.

    Raises:
      ValueError: if the mesh has no axis `data`.
    """
    mesh = mesh and mesh_to_use("shard_batch", mesh, ())
    if mesh is None:
        return batch

    def put(leaf):
        shape = np.shape(leaf)
        divides = shape and shape[0] % mesh.shape[BATCH_AXIS] == 0
        return _put(leaf, NamedSharding(mesh, PartitionSpec(BATCH_AXIS) if divides else PartitionSpec()))

    return jax.tree.map(put, batch)


def _put(array: Any, sharding: Sharding) -> jax.Array:
    """Puts an array on the devices of a sharding. Where other processes have some of them, each brings the same whole array."""
    spread = isinstance(array, jax.Array) and not array.is_fully_addressable
    if sharding.is_fully_addressable or (spread and not array.is_fully_replicated):
        return jax.device_put(array, sharding)
    if isinstance(array, jax.Array) and jnp.issubdtype(array.dtype, jax.dtypes.prng_key):
        return jax.random.wrap_key_data(_put(jax.random.key_data(array), sharding), impl=jax.random.key_impl(array))
    # Not by jax.device_put, which would have all processes compare what they bring, array by array.
    whole = np.asarray(array)
    whole = whole.astype(jax.dtypes.canonicalize_dtype(whole.dtype), copy=False)
    return jax.make_array_from_callback(whole.shape, sharding, lambda index: whole[index])


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
        stands for anything, dots too; of several that fit the first counts. A variable that two layers share goes by the
        first of its names.
      mesh: from `device_mesh`.

    Raises:
      ValueError: if a pattern counts for no variable, or an array cannot be split so; the model is then as before.

    Reference: Shoeybi et al. 2019, "Megatron-LM: Training Multi-Billion Parameter Language Models Using Model Parallelism",
      section 3.
    """
    state = nnx.state(model)
    paths, _ = jax.tree_util.tree_flatten_with_path(nnx.to_pure_dict(state))
    names = [dotted_name(path) for path, _ in paths]
    fitting = {name: [pattern for pattern in rules if fnmatchcase(name, pattern)] for name in names}
    unknown = set(rules).difference(*fitting.values())
    if unknown:
        raise ValueError(
            f"partition expects patterns of names in {type(model).__name__}; none fits {', '.join(sorted(unknown))}. "
            "A variable that two layers share goes by the first of its names; nnx.state(model) shows them."
        )
    if shadowed := [pattern for pattern in rules if not any(fits[:1] == [pattern] for fits in fitting.values())]:
        raise ValueError(
            f"partition goes by the first pattern that fits, and what {', '.join(shadowed)} would fit has one before it. "
            "Put the narrower pattern first."
        )
    leaves, structure = jax.tree.flatten(state)
    shardings = []
    for name, leaf in zip(names, leaves, strict=True):
        spec = rules[fitting[name][0]] if fitting[name] else PartitionSpec()
        if reason := _why_not_split(leaf.shape, spec, mesh):
            raise ValueError(
                f"partition cannot split {name}, shape {leaf.shape}, by {spec} over a mesh of {dict(mesh.shape)}: {reason}."
            )
        shardings.append(NamedSharding(mesh, spec))
    nnx.update(model, jax.tree.unflatten(structure, map(_put, leaves, shardings)))


def _why_not_split(shape: tuple[int, ...], spec: PartitionSpec, mesh: Mesh) -> str | None:
    parts = [() if part is None else part if isinstance(part, tuple) else (part,) for part in spec]
    axes = [axis for part in parts for axis in part]
    if len(parts) > len(shape):
        return f"the array has {len(shape)} axes"
    if unknown := [axis for axis in axes if axis not in mesh.shape]:
        return f"the mesh has no axis {', '.join(map(repr, unknown))}"
    if len(set(axes)) < len(axes):
        return "an axis of the mesh can split one axis of the array"
    if any(size % prod(mesh.shape[axis] for axis in part) for size, part in zip(shape, parts, strict=False)):
        return "the devices must divide the axis"
    return None
