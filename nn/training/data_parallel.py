"""A training step on several devices, with what they send each other written out, to be read.

`fit(mesh=...)` leaves this to XLA, which finds the same sum by itself. Here one sees it: split the batch, take gradients, mean.
"""

from collections.abc import Callable
from typing import Any

import jax
from jax.sharding import Mesh, PartitionSpec
from jaxtyping import Array, Float


def data_parallel_step(
    loss: Callable[[Any, Any], Any], params: Any, batch: Any, *, mesh: Mesh, learning_rate: float
) -> tuple[Any, Float[Array, ""]]:
    """One step of gradient descent: each device takes its part of the batch, and all of them the mean of the gradients.

    Equal parts make the mean of the parts' gradients the gradient of the whole batch. What is sent has the size of the
    parameters, whatever the size of the batch.

    Args:
      loss: maps (params, batch) to the mean loss over the batch's examples. Each device calls it on its part of the batch.
      params: a tree of arrays, whole on every device.
      batch: a tree of arrays, (batch, *shape) each.
      mesh: devices with an axis `data`, along which the batch is split.
      learning_rate: how far to go against the gradient.

    Returns:
      The new parameters, the same on every device, and the loss of the whole batch before the step.

    Raises:
      ValueError: if the axis `data` does not divide the batch; its first line names both numbers.

    Reference: Goyal et al. 2017, "Accurate, Large Minibatch SGD: Training ImageNet in 1 Hour", section 2; the mean over devices
      is an all-reduce.
    """
    devices = mesh.shape["data"]
    for array in jax.tree.leaves(batch):
        if array.shape[0] % devices:
            raise ValueError(
                f"data_parallel_step expects a batch that {devices} devices divide, got {array.shape[0]} examples."
            )

    def step(params, part):
        value, gradient = jax.value_and_grad(loss)(params, part)
        value, gradient = jax.lax.pmean((value, gradient), "data")  # here, and only here, devices talk
        return jax.tree.map(lambda weight, slope: weight - learning_rate * slope, params, gradient), value

    whole, split = PartitionSpec(), PartitionSpec("data")
    # Unchecked: JAX's check would sum the gradients of whole parameters by itself, and the mean above would come on top.
    return jax.shard_map(step, mesh=mesh, in_specs=(whole, split), out_specs=whole, check_vma=False)(params, batch)
