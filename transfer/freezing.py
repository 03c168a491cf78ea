"""Freezing: say which part of a network may move, and have the rest stay, bit for bit.

Three things move in training: parameters, by the optimizer; running averages, by the forward pass; and dropout, by chance.
Leaving a parameter out of the optimizer stops only the first.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
from flax import nnx


@dataclass(frozen=True)
class PathFilter:
    """A filter of NNX: parameters whose path matches a pattern of `include` and none of `exclude`.

    Made by `trainable_filter`. Filters of the same patterns compare equal, so `nn.training.fit` compiles once for all of them.
    """

    include: tuple[str, ...]
    exclude: tuple[str, ...] = ()

    def __call__(self, path: tuple[Any, ...], value: Any) -> bool:
        if not isinstance(value, nnx.Param):
            return False
        return trains(dotted(path), self.include, self.exclude)


def trainable_filter(model: nnx.Module, *, include: str | Sequence[str] = "*", exclude: str | Sequence[str] = ()) -> PathFilter:
    """Which parameters of a model to train, by name, for `fit(..., wrt=...)`.

    Args:
      model: whose parameters the patterns are held against.
      include: a pattern or several: a path such as `hidden.0.kernel`, a module such as `head` with all that is in it, or
        either with wildcards, `hidden.*.bias`.
      exclude: a pattern or several; wins over include.

    Raises:
      ValueError: if a pattern matches nothing, or nothing is left to train. A typing error must not train the wrong part.
    """
    chosen = PathFilter(patterns_of(include), patterns_of(exclude))
    names = [dotted(path) for path, _ in nnx.to_flat_state(nnx.state(model, nnx.Param))]
    require_matches("trainable_filter", (*chosen.include, *chosen.exclude), names)
    if not nnx.to_flat_state(nnx.state(model, chosen)):
        raise ValueError(
            f"trainable_filter leaves nothing to train: include={chosen.include} without exclude={chosen.exclude}."
        )
    return chosen


def trains(name: str, include: Sequence[str], exclude: Sequence[str] = ()) -> bool:
    """Whether a parameter of this name is to be trained: a pattern of `include` means it, and none of `exclude` does.

    That something is a parameter says nothing: LoRA's base, `hidden.0.kernel`, is one as its `hidden.0.lora_a` is.

    Args:
      name: the parameter's path with dots.
      include: patterns, each a path, or a module with all that is in it; `*` in them stands for anything, dots too.
      exclude: patterns; wins over include.
    """
    return any(matches(name, pattern) for pattern in include) and not any(matches(name, pattern) for pattern in exclude)


def freeze(model: nnx.Module, patterns: str | Sequence[str]) -> PathFilter:
    """Freezes exactly these parts of a model: their parameters, their running averages and their dropout.

    What an earlier call froze and this one does not name is free again; `freeze(model, ())` frees everything.

    The normalization and dropout layers in them stay in evaluation mode from now on, whatever `model.train()` says later.

    Args:
      model: changed in place.
      patterns: the parts to freeze, as for `trainable_filter`; `hidden` is a whole stack of layers, `*` everything.

    Returns:
      The filter of what is left to train, for `fit(..., wrt=...)`. The optimizer needs no other word of it.

    Raises:
      ValueError: if a pattern matches nothing, or a part holds a layer that cannot be held in evaluation mode, as
        Flax's own BatchNorm and Dropout cannot.
    """
    patterns = patterns_of(patterns)
    modules = [(dotted(path), node) for path, node in nnx.iter_graph(model) if isinstance(node, nnx.Module)]
    names = [dotted(path) for path, _ in nnx.to_flat_state(nnx.state(model, nnx.Param))]
    require_matches("freeze", patterns, [*names, *(name for name, _ in modules if name)])
    inside = [(name, module) for name, module in modules if any(matches(name, p) for p in patterns)]
    for name, module in inside:
        has_mode = hasattr(module, "use_running_average") or hasattr(module, "deterministic")
        if has_mode and not hasattr(module, "frozen"):
            raise ValueError(
                f"freeze expects layers that can be held in evaluation mode; {name} is a {type(module).__module__}."
                f"{type(module).__name__}, which the next train() would set moving again. Use the layer of that name in nn."
            )
    chosen = {id(module) for _, module in inside}
    for _, module in modules:
        if hasattr(module, "frozen"):
            module.frozen = id(module) in chosen  # type: ignore[attr-defined]
    return PathFilter(("*",), patterns)


def what_moved(before: nnx.Module, after: nnx.Module) -> list[str]:
    """Names of all numbers of a model that are not what they were, to the last bit: ask it whether the frozen stayed.

    Parameters are not all that moves: running averages do in every forward pass in training, without an optimizer. Random keys
    are left out: dropout is to draw others each time.

    Args:
      before: a copy of the model, `nnx.clone(model)`, from before it was trained.
      after: the model.

    Returns:
      Paths with dots, such as `norm.mean`, in alphabetical order; none where everything stayed.

    Raises:
      ValueError: if the two do not hold the same names.
    """
    old, new = (dict(nnx.to_flat_state(nnx.state(model, nnx.Not(nnx.RngState)))) for model in (before, after))
    if old.keys() != new.keys():
        alone = sorted(dotted(path) for path in old.keys() ^ new.keys())
        raise ValueError(f"what_moved expects a model and a copy of it; only one of the two has {', '.join(alone)}.")

    def bits(value: Any) -> tuple[Any, ...]:
        array = np.asarray(value[...])
        return array.shape, array.dtype, array.tobytes()  # a NaN that stayed is not another one

    return sorted(dotted(path) for path in old if bits(old[path]) != bits(new[path]))


def dotted(path: tuple[Any, ...]) -> str:
    """A path of NNX as it is written in patterns: ('hidden', 0, 'kernel') is hidden.0.kernel."""
    return ".".join(map(str, path))


def matches(name: str, pattern: str) -> bool:
    """Whether a pattern means this path, or a module that the path is in."""
    return fnmatchcase(name, pattern) or fnmatchcase(name, f"{pattern}.*")


def patterns_of(patterns: str | Sequence[str]) -> tuple[str, ...]:
    """Patterns as they are given, one or several, in the form that is held against names."""
    given = (patterns,) if isinstance(patterns, str) else patterns
    return tuple(pattern.removesuffix(".*") for pattern in given)  # norms.0.* is all of norms.0, its mode included


def require_matches(function: str, patterns: tuple[str, ...], names: list[str]) -> None:
    """Raises a ValueError, in the function's name, if a pattern means none of the names."""
    lost = [pattern for pattern in patterns if not any(matches(name, pattern) for name in names)]
    if lost:
        raise ValueError(f"{function} expects patterns that match something; {lost} match none of {names}.")
