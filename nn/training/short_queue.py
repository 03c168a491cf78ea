"""How far Python may run ahead of the device: far enough to keep it busy, and no farther."""

from collections import deque
from typing import Any, TypeVar

import jax

Result = TypeVar("Result")


class ShortQueue:
    """Passes results on as they come, and waits where Python is too far ahead of the device.

    A few calls keep any device busy. With many, batches pile up in its memory; and of calls that need several devices XLA
    takes no more than 32 at a time (see `cores_as_devices`), and a call may be two or three of those.

    Args:
      size: the most calls that may be queued or running when it returns.
    """

    def __init__(self, size: int = 8):
        self.size, self.results = size, deque[Any]()

    def __call__(self, result: Result) -> Result:
        """The result of one more call, itself, once no more than `size` calls are left to do."""
        self.results.append(result)
        if len(self.results) > self.size:
            jax.block_until_ready(self.results.popleft())
        return result
