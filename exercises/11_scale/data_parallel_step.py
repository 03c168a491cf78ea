"""Exercise: a training step on several devices."""

from collections.abc import Callable
from typing import Any

import jax  # noqa: F401 (for your answer)
from jax.sharding import Mesh, PartitionSpec  # noqa: F401 (for your answer)
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
    raise NotImplementedError(
        "TODO: what does each device have before the step, what must all have behind it, and what do they send for that?"
    )
