"""What training asks of batches: that they can begin at any step, and, for checkpoints, that they say what decides them.

Any object with these names will do; `nn.data.Dataset.batches` makes such ones, and so does `transfer`.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Protocol, runtime_checkable

from nn.training.step import Batch


@runtime_checkable
class RestartableBatches(Protocol):
    """Batches that can begin anywhere, as `nn.data.Dataset.batches` gives them: all that training asks for."""

    def from_step(self, step: int) -> Iterable[Batch]:
        """The batches from number `step` on, the same ones each time."""
        ...


@runtime_checkable
class DescribedBatches(RestartableBatches, Protocol):
    """Batches that also say what decides them, so that a resumed run is refused on others. Those without a word are trusted."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """What JSON can hold: sizes, seeds and names. Equal settings stand for equal batches; tuples count as lists."""
        ...


def settings_of(data: Any) -> Any:
    """The settings of batches as they come back from a checkpoint's JSON, which turns tuples into lists; None without any.

    Raises:
      ValueError: for settings that JSON cannot hold.
    """
    if not isinstance(data, DescribedBatches):
        return None
    try:
        return json.loads(json.dumps(data.settings, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"Checkpoints expect settings of batches that JSON can hold, such as int(seed) of a NumPy number, got those of "
            f"{type(data).__name__}: {data.settings} ({error})."
        ) from None
