"""Exercise: a training loop that does not wait."""

from collections.abc import Callable, Iterable
from typing import Any

import jax  # noqa: F401 (for your answer)
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
    raise NotImplementedError("TODO: when is a loss looked at for the first time, and what has been queued by then?")
