"""What a model consists of, and what of it trains: the table to look at before every run, and the way weights come in.

Most accidents of transfer leave no trace in the loss: a pattern that froze too much, a checkpoint that filled half of the
model. They are seen at once in a list of parameters.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from nn.training.checkpoints import WEIGHTS
from transfer.freezing import dotted


@dataclass(frozen=True)
class Parameter:
    """One line of the table.

    Args:
      name: the path, as in `hidden.0.kernel`.
      shape: of the array.
      trainable: whether training moves it.
      optimizer_numbers: how many numbers the optimizer remembers for it.
    """

    name: str
    shape: tuple[int, ...]
    trainable: bool
    optimizer_numbers: int = 0

    @property
    def size(self) -> int:
        """How many numbers it is."""
        return int(np.prod(self.shape, dtype=np.int64))


@dataclass(frozen=True)
class ParameterSummary:
    """Every parameter of a model. Printed, it is a table with totals."""

    parameters: tuple[Parameter, ...]

    @property
    def trainable(self) -> int:
        """How many numbers training moves."""
        return sum(parameter.size for parameter in self.parameters if parameter.trainable)

    @property
    def frozen(self) -> int:
        """How many numbers it does not move."""
        return sum(parameter.size for parameter in self.parameters if not parameter.trainable)

    @property
    def optimizer_numbers(self) -> int:
        """How many numbers the optimizer remembers for the parameters: Adam two for each that it trains."""
        return sum(parameter.optimizer_numbers for parameter in self.parameters)

    def __str__(self) -> str:
        rows = [(p.name, str(p.shape), f"{p.size:,}", "trains" if p.trainable else "frozen") for p in self.parameters]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)] if rows else [0] * 4
        lines = [f"{name:{widths[0]}}  {shape:{widths[1]}}  {size:>{widths[2]}}  {moves}" for name, shape, size, moves in rows]
        total = f"{self.trainable:,} trainable, {self.frozen:,} frozen"
        return "\n".join([*lines, f"{total}, {self.optimizer_numbers:,} in the optimizer"])


def parameter_summary(
    model: nnx.Module, wrt: Any = nnx.Param, *, optimizer: optax.GradientTransformation | None = None
) -> ParameterSummary:
    """Which parameters of a model train, which do not, and what the optimizer remembers for each. No memory is spent on it.

    Args:
      model: with arrays, or with shapes alone, as `nnx.eval_shape` gives it.
      wrt: what trains, as for `fit`: a filter of `freeze`, `trainable_filter` or `apply_lora`.
      optimizer: from optax; None counts no memory.
    """
    state = nnx.state(model, wrt)
    trained = {dotted(path) for path, _ in nnx.to_flat_state(state)}
    remembered: dict[str, int] = {}
    if optimizer is not None:
        # A memory is a copy of the parameters' tree, somewhere inside the optimizer's: its paths end in theirs.
        for path, leaf in jax.tree_util.tree_flatten_with_path(jax.eval_shape(optimizer.init, state))[0]:
            for name in trained.intersection(_endings(dotted_keys(path))):
                remembered[name] = remembered.get(name, 0) + int(np.prod(leaf.shape, dtype=np.int64))
    shapes = {
        dotted_keys(path): leaf.shape for path, leaf in jax.tree_util.tree_flatten_with_path(nnx.state(model, nnx.Param))[0]
    }
    return ParameterSummary(
        tuple(Parameter(name, tuple(shape), name in trained, remembered.get(name, 0)) for name, shape in shapes.items())
    )


def dotted_keys(path: tuple[Any, ...]) -> str:
    """The path of an array inside a tree of JAX, as `dotted` writes it: without what Flax and optax add at its end."""
    names = [str(getattr(key, "key", getattr(key, "idx", getattr(key, "name", "")))) for key in path]
    return ".".join(name for name in names if name != "value")


def _endings(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[i:]) for i in range(len(parts))]


class PretrainedMismatchError(ValueError):
    """Weights do not fit the model that they were meant for. The message lists every difference."""


@dataclass(frozen=True)
class LoadReport:
    """What became of each weight, by name.

    Args:
      loaded: they are in the model now.
      missing: the model has them, the file does not: they are as they were, random if the model is new.
      unexpected: the file has them, the model does not.
      mismatched: both have them, in different shapes: name → (the model's, the file's).
    """

    loaded: tuple[str, ...]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    mismatched: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether every weight of the model was loaded, and every weight of the file used."""
        return not (self.missing or self.unexpected or self.mismatched)

    def __str__(self) -> str:
        lines = [f"loaded {len(self.loaded)} of {len(self.loaded) + len(self.missing) + len(self.mismatched)} weights"]
        lines += [f"  missing: {name}" for name in self.missing]
        lines += [f"  unexpected: {name}" for name in self.unexpected]
        lines += [f"  mismatched: {name} is {got}, expected {wanted}" for name, (wanted, got) in self.mismatched.items()]
        return "\n".join(lines)


def load_pretrained(
    model: nnx.Module,
    weights: Mapping[str, Any] | nnx.Module,
    *,
    rename: Mapping[str, str] | None = None,
    on_mismatch: Literal["raise", "report"] = "raise",
) -> LoadReport:
    """Copies pretrained weights into a model, and says of each what became of it. Nothing happens in silence.

    Args:
      model: changed in place: its parameters and batch statistics.
      weights: arrays by dotted name, such as `{"hidden.0.kernel": …}`, or another model to take them from.
      rename: beginnings of names in the file → beginnings of names in the model; the longest that fits counts.
      on_mismatch: "raise" for an error that lists every difference, and a model that is as before; "report" to load what fits
        and return the list. A new head needs "report": its names or shapes differ from the old one's.

    Raises:
      PretrainedMismatchError: with "raise", for any weight that is missing, unexpected or of another shape; always, if nothing
        at all fits.
      ValueError: if two names become one by renaming, or on_mismatch is neither.
    """
    if on_mismatch not in ("raise", "report"):
        raise ValueError(f'load_pretrained expects on_mismatch "raise" or "report", got {on_mismatch!r}.')
    if isinstance(weights, nnx.Module):
        weights = {dotted(path): variable[...] for path, variable in nnx.to_flat_state(nnx.state(weights, WEIGHTS))}
    found: dict[str, Any] = {}
    for name, array in weights.items():
        renamed = _renamed(name, rename or {})
        if renamed in found:
            raise ValueError(f"load_pretrained expects names that stay different; {name} and another become {renamed}.")
        found[renamed] = array
    wanted = {dotted(path): variable for path, variable in nnx.to_flat_state(nnx.state(model, WEIGHTS))}
    shapes = {name: (tuple(wanted[name][...].shape), tuple(np.shape(found[name]))) for name in wanted if name in found}
    report = LoadReport(
        loaded=tuple(name for name, (ours, theirs) in shapes.items() if ours == theirs),
        missing=tuple(name for name in wanted if name not in found),
        unexpected=tuple(name for name in found if name not in wanted),
        mismatched={name: pair for name, pair in shapes.items() if pair[0] != pair[1]},
    )
    if not report.loaded or (on_mismatch == "raise" and not report.complete):
        raise PretrainedMismatchError(f"load_pretrained expects weights that fit {type(model).__name__}, got:\n{report}")
    for name in report.loaded:
        wanted[name][...] = jnp.array(found[name], wanted[name][...].dtype)  # a copy: the giver's may be given away later
    return report


def _renamed(name: str, rename: Mapping[str, str]) -> str:
    fitting = [beginning for beginning in rename if name == beginning or name.startswith(f"{beginning}.")]
    if not fitting:
        return name
    longest = max(fitting, key=len)
    return (rename[longest] + name[len(longest) :]).removeprefix(".")
