"""Kernels on several devices: each device runs the kernel on its own part of the batch.

XLA splits equations by itself. A Pallas kernel is a closed box to it: Mosaic's it refuses to split, and for Triton's it gathers
the whole batch on every device. So is a loop over the batch. Here is how a kernel finds out, and what it does then.

An array's type names the mesh that the array is spread over, also while a program is traced: nobody has to say it, and JAX
traces anew where the mesh is another.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
from jax.sharding import AbstractMesh, AxisType, PartitionSpec
from jaxtyping import Array

BATCH_AXIS = "data"
"""The axis of a mesh that batches are split over, as `nn.training.device_mesh` names it."""


def mesh_of(*arrays: Array) -> AbstractMesh | None:
    """The mesh over which XLA would split a program of these arrays: that of `jax.set_mesh`, or the one they are on.

    None on one device, and inside of `jax.shard_map`, where a program is each device's own. (With gradients of their own the
    kernels ask for its `check_vma=False`: they do not say over which axes of the mesh their arrays vary.)
    """
    for mesh in (jax.sharding.get_abstract_mesh(), *(jax.typeof(array).sharding.mesh for array in arrays)):
        left = [size for size, kind in zip(mesh.axis_sizes, mesh.axis_types, strict=True) if kind != AxisType.Manual]
        if any(size > 1 for size in left):
            return mesh
    return None


def why_not_per_device(examples: int, *arrays: Array) -> str | None:
    """Why so many examples cannot be split among the devices of these arrays; None if they can."""
    mesh = mesh_of(*arrays)
    if mesh is None:
        return None
    if dict(zip(mesh.axis_names, mesh.axis_types, strict=True)).get(BATCH_AXIS) != AxisType.Auto:
        return f"XLA cannot split it over a mesh without an automatic axis '{BATCH_AXIS}', got {mesh}"
    if examples % mesh.shape[BATCH_AXIS]:
        return f"each device takes an equal part of the batch, and {mesh.shape[BATCH_AXIS]} do not divide {examples}"
    return None


def parts_for(examples: int, *arrays: Array) -> int:
    """Into how many parts `per_device` would cut so many examples of these arrays: 1 on one device; 0 where it would not do.

    That is where devices do not divide them, and where some devices would repeat the work of others.
    """
    mesh = mesh_of(*arrays)
    if mesh is None:
        return 1
    alike = why_not_per_device(examples, *arrays) is None and mesh.shape[BATCH_AXIS] == mesh.size
    return mesh.size if alike else 0


def per_device(kernel: Callable[..., Any], split: Sequence[Any], whole: Sequence[Any] = ()) -> Any:
    """kernel(*split, *whole), computed by each device for its own part of the batch.

    Along the other axes of a mesh devices have the same part, and each computes it whole.

    Args:
      kernel: gives an array, or a tree of them, with the batch on the first axis, each example on its own.
      split: arrays, or trees of them, with the batch on their first axis; on several devices the kernel is called with a part
        of each.
      whole: arrays, or trees of them, that each device needs whole. Their gradients are summed over the devices.
    """
    mesh = mesh_of(*jax.tree.leaves((split, whole)))
    if mesh is None:
        return kernel(*split, *whole)
    parts, all_of_it = PartitionSpec(BATCH_AXIS), PartitionSpec()
    specs = (parts,) * len(split) + (all_of_it,) * len(whole)
    # Unchecked: a Pallas kernel does not say along which axes of the mesh its results differ.
    return jax.shard_map(kernel, mesh=mesh, in_specs=specs, out_specs=parts, check_vma=False)(*split, *whole)
