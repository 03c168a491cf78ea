"""A set of examples, and its batches in an order that a seed decides.

Training that can be repeated, and resumed in the middle, needs batches that are a function of (seed, step) and of
nothing else: then a run that starts at step 1,000 sees what the first run saw from there on.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np

IN_MEMORY = 2**30  # bytes: up to here `Batches` decodes a set once and keeps it; a larger one is read as it is needed


@runtime_checkable
class Examples(Protocol):
    """What a set is read from: TFDS's data sources, or a list of dicts."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Mapping[str, Any]: ...


class Dataset:
    """Examples by index; each a dict of arrays, such as `image` (height, width, channels) uint8 and `label` () int64.

    Attributes:
      info: the `tfds.core.DatasetInfo` (features, label names, citation, licence) or None.
    """

    def __init__(self, examples: Examples, *, info: Any = None):
        self.info = info
        self._examples = examples
        self._indices = np.arange(len(examples))  # which of the examples, in which order
        self._arrays: dict[str, np.ndarray] | None = None

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Any], info: Any = None) -> "Dataset":
        """A set from arrays whose first axis counts the examples. They are not copied.

        Raises:
          ValueError: there is no array, one is a scalar, or their lengths differ.
        """
        columns = {name: np.asarray(array) for name, array in arrays.items()}
        if not columns or any(column.ndim == 0 for column in columns.values()):
            shapes = {name: column.shape for name, column in columns.items()}
            raise ValueError(f"from_arrays expects arrays with an axis of examples, got shapes {shapes}.")
        lengths = {name: len(column) for name, column in columns.items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"from_arrays expects arrays of one length, got {lengths}.")
        dataset = cls([], info=info)
        dataset._indices = np.arange(next(iter(lengths.values())))
        dataset._arrays = _read_only(columns)
        return dataset

    def __len__(self) -> int:
        return len(self._indices)

    def __getitem__(self, index: int | np.integer) -> dict[str, np.ndarray]:
        """Example `index`; negative counts from the end. Raises IndexError."""
        if not -len(self) <= index < len(self):
            raise IndexError(f"Dataset has {len(self)} examples, got index {index}.")
        if self._arrays is not None:
            return {name: np.asarray(array[index]) for name, array in self._arrays.items()}
        return {name: _array(value) for name, value in self._examples[int(self._indices[index])].items()}

    def __iter__(self) -> Iterator[dict[str, np.ndarray]]:
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        return f"Dataset({self.info.name if self.info else 'from arrays'}, {len(self)} examples)"

    @property
    def nbytes(self) -> int:
        """Size of `arrays()` in bytes, judged by the first example."""
        return len(self) * sum(value.nbytes for value in self[0].values()) if len(self) else 0

    def arrays(self) -> dict[str, np.ndarray]:
        """All examples, stacked: name → (len(self), *shape). Decoded once and kept, so they are read-only.

        Raises:
          ValueError: the examples differ in shape, or there are none to tell the shapes from.
        """
        if self._arrays is None:
            self._arrays = _read_only(self.take(np.arange(len(self))))
        return dict(self._arrays)

    def take(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        """The examples at `indices` (n,), copied and stacked: name → (n, *shape)."""
        if self._arrays is not None:
            return {name: array[indices] for name, array in self._arrays.items()}
        wanted = self._indices[indices].tolist()
        if not wanted:
            raise ValueError("Dataset expects at least one example to stack, got none.")
        # TFDS reads many at once faster than one by one.
        read = getattr(self._examples, "__getitems__", None)
        examples = read(wanted) if read else [self._examples[i] for i in wanted]
        return {name: _stack(name, [example[name] for example in examples]) for name in examples[0]}

    def select(self, indices: Sequence[int] | np.ndarray) -> "Dataset":
        """The set of these examples, in this order; an index may come twice.

        Raises:
          ValueError: the indices are not a list of integers (for a mask: `np.flatnonzero(mask)`).
          IndexError: one is out of range.
        """
        chosen = np.asarray(indices)
        if chosen.size == 0:
            chosen = chosen.astype(int)
        if chosen.ndim != 1 or chosen.dtype.kind not in "iu":
            raise ValueError(f"select expects integers along one axis, got shape {chosen.shape} of {chosen.dtype}.")
        outside = chosen[(chosen < -len(self)) | (chosen >= len(self))]
        if outside.size:
            raise IndexError(f"select: Dataset has {len(self)} examples, got index {outside[0]}.")
        subset = Dataset(self._examples, info=self.info)
        subset._indices = self._indices[chosen]
        if self._arrays is not None:
            subset._arrays = _read_only({name: array[chosen] for name, array in self._arrays.items()})
        return subset

    def map(self, function: Callable[[dict[str, np.ndarray]], Mapping[str, Any]]) -> "Dataset":
        """The set that a function makes of `arrays()`, such as `nn.data.as_vectors`; it is held in memory."""
        return Dataset.from_arrays(function(self.arrays()), info=self.info)

    def batches(
        self, batch_size: int, *, seed: int | None, epochs: int | None = None, drop_remainder: bool = True
    ) -> "Batches":
        """Batches of this set, epoch after epoch, each epoch in an order of its own.

        Args:
          batch_size: examples a batch.
          seed: decides the order of every epoch; None keeps the stored order.
          epochs: how many times through the set; None: without end.
          drop_remainder: leave out what is left of an epoch when it no longer fills a batch. `jax.jit` compiles once
            for each shape, so a short last batch costs a compilation.

        Raises:
          ValueError: the set is empty, the batch size or the number of epochs is below 1, the seed is negative, or
            no batch can be filled.
        """
        if len(self) == 0:
            raise ValueError("batches expects a set with examples, got an empty one.")
        if batch_size < 1:
            raise ValueError(f"batches expects batch_size of at least 1, got {batch_size}.")
        if drop_remainder and batch_size > len(self):
            raise ValueError(
                f"batches expects batch_size of at most {len(self)}, the size of the set, got {batch_size}; "
                "with drop_remainder=False the last batch may be smaller."
            )
        if epochs is not None and epochs < 1:
            raise ValueError(f"batches expects epochs of at least 1, or None for no end, got {epochs}.")
        if seed is not None and seed < 0:
            raise ValueError(f"batches expects a seed of at least 0, or None for the stored order, got {seed}.")
        return Batches(self, batch_size, seed=seed, epochs=epochs, drop_remainder=drop_remainder)


@dataclasses.dataclass(frozen=True)
class Batches:
    """The batches of a set: dicts name → (batch_size, *shape). Made by `Dataset.batches`; iterate as often as you like.

    Batch number `step` depends on the set, `batch_size`, `seed` and `step` alone.
    """

    dataset: Dataset
    batch_size: int
    _: dataclasses.KW_ONLY
    seed: int | None
    epochs: int | None = None
    drop_remainder: bool = True
    first_step: int = 0

    @property
    def steps_per_epoch(self) -> int:
        """Batches in one pass through the set."""
        whole, rest = divmod(len(self.dataset), self.batch_size)
        return whole + (rest > 0 and not self.drop_remainder)

    @property
    def settings(self) -> dict[str, int | bool | None]:
        """What decides the batches beside the examples: a resumed run compares it with the run that it goes on from."""
        return {
            "examples": len(self.dataset),
            "batch_size": int(self.batch_size),
            "seed": None if self.seed is None else int(self.seed),
            "drop_remainder": self.drop_remainder,
        }

    def from_step(self, step: int) -> "Batches":
        """These batches from number `step` on, without making those before it.

        Steps are counted from the start of the first epoch, also for batches that themselves begin later.

        Raises:
          ValueError: `step` is negative, or beyond the last epoch's end.
        """
        last = None if self.epochs is None else self.epochs * self.steps_per_epoch
        if step < 0 or (last is not None and step > last):
            raise ValueError(f"from_step expects a step from 0 {f'to {last}' if last is not None else 'on'}, got {step}.")
        return dataclasses.replace(self, first_step=step)

    def __len__(self) -> int:
        """How many batches come. Raises TypeError where there is no end."""
        if self.epochs is None:
            raise TypeError("Batches with epochs=None have no end, and so no length.")
        return self.epochs * self.steps_per_epoch - self.first_step

    def __iter__(self) -> Iterator[dict[str, np.ndarray]]:
        if self.dataset.nbytes <= IN_MEMORY:
            self.dataset.arrays()
        step, order = self.first_step, np.empty(0, int)
        while self.epochs is None or step < self.epochs * self.steps_per_epoch:
            epoch, place = divmod(step, self.steps_per_epoch)
            if place == 0 or step == self.first_step:
                order = self._order(epoch)
            yield self.dataset.take(order[place * self.batch_size : (place + 1) * self.batch_size])
            step += 1

    def _order(self, epoch: int) -> np.ndarray:
        if self.seed is None:
            return np.arange(len(self.dataset))
        return np.random.default_rng((self.seed, epoch)).permutation(len(self.dataset))


def _array(value: Any) -> np.ndarray:
    """Text stays an object: NumPy's own byte strings lose zeros at the end."""
    return np.array(value, dtype=object) if isinstance(value, bytes | str) else np.asarray(value)


def _stack(name: str, values: Sequence[Any]) -> np.ndarray:
    arrays = [_array(value) for value in values]
    shapes = {array.shape for array in arrays}
    if len(shapes) > 1:
        raise ValueError(f"Dataset expects examples of one shape to stack {name!r}, got {sorted(shapes)[:3]}.")
    return np.stack(arrays)


def _read_only(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    views = {name: array.view() for name, array in arrays.items()}
    for view in views.values():
        view.flags.writeable = False
    return views
