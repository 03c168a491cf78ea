"""A training loop that never waits for the device before it has to, to be read.

JAX answers before it is done: a call of a compiled function only queues it. Whoever reads a loss at each step, to print or to
compare it, waits for the device at each step, and then the device waits for Python. `fit` keeps its losses in the same way.
"""

from collections.abc import Callable, Iterable
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float


def training_loop(
    step: Callable[[Any, Any], tuple[Any, Float[Array, ""]]], state: Any, batches: Iterable[Any], *, log_every: int = 50
) -> tuple[Any, Float[np.ndarray, " steps"]]:
    """Runs a compiled step over batches; its losses stay on the device, and are fetched together every so many steps.

    Args:
      step: maps (state, batch) to (state, loss). It may give the old state's memory away.
      state: what the first step begins with.
      batches: each is taken when its step is queued.
      log_every: after how many steps the losses since the last time are fetched, all at once; and after the last step. This
        is also how far Python can run ahead of the device.

    Returns:
      The last state, and the loss of each step in order, float32.

    Raises:
      ValueError: for a log_every below 1.
    """
    if log_every < 1:
        raise ValueError(f"training_loop expects log_every of at least 1, got {log_every}.")
    fetched, waiting = [], []
    for batch in batches:
        state, loss = step(state, batch)
        waiting.append(loss)
        if len(waiting) == log_every:
            fetched += jax.device_get(waiting)  # the one place that waits for the device
            waiting = []
    fetched += jax.device_get(waiting)
    return state, np.array(fetched, np.float32)
