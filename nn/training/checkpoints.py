"""Checkpoints: what a killed run needs to go on as if nothing had happened, and weights that other programs can read.

Orbax writes a checkpoint into a folder of another name and renames it when it is whole, so that a kill in the middle
leaves the one before. Weights alone go into safetensors, a file format without code in it.
"""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

WEIGHTS = nnx.Any(nnx.Param, nnx.BatchStat)


class CheckpointMismatchError(ValueError):
    """What a file holds is not what the model needs. The message lists every difference."""


class TrainingCheckpoints:
    """A folder of checkpoints, the last `keep` of them.

    Args:
      directory: the folder; made if it is not there.
      keep: how many to keep.
    """

    def __init__(self, directory: str | Path, *, keep: int = 2):
        import orbax.checkpoint as ocp  # half a second: only for those who checkpoint

        self._orbax = ocp
        self.directory = Path(directory).absolute()
        options = ocp.CheckpointManagerOptions(max_to_keep=keep, enable_async_checkpointing=False)
        self._manager = ocp.CheckpointManager(self.directory, options=options)

    def latest_step(self) -> int | None:
        """The step of the newest whole checkpoint, or None."""
        return self._manager.latest_step()

    def save(self, step: int, state: Any, record: dict[str, Any]) -> None:
        """Writes a tree of arrays, random keys among them, and a record of anything that JSON can hold."""
        arguments, named = self._orbax.args, _by_name(state)
        layout = {name: [list(array.shape), str(array.dtype)] for name, array in named.items()}
        self._manager.save(
            step,
            args=arguments.Composite(
                state=arguments.StandardSave(named), record=arguments.JsonSave({"layout": layout, **record})
            ),
        )

    def restore(self, step: int, like: Any) -> tuple[Any, dict[str, Any]]:
        """Reads the checkpoint of a step into a tree of the same structure as `like`, and its record.

        Raises:
          CheckpointMismatchError: if names, shapes or types differ; the message lists all of them.
        """
        arguments, wanted = self._orbax.args, _by_name(like)
        # The record first: it says what the arrays look like, in words that an error can repeat.
        record = self._manager.restore(step, args=arguments.Composite(record=arguments.JsonRestore()))["record"]
        layout = record.pop("layout")
        _require_same(
            f"The checkpoint of step {step} in {self.directory}",
            {name: (tuple(shape), dtype) for name, (shape, dtype) in layout.items()},
            {name: (array.shape, str(array.dtype)) for name, array in wanted.items()},
        )
        abstract = {
            name: jax.ShapeDtypeStruct(array.shape, array.dtype, sharding=array.sharding) for name, array in wanted.items()
        }
        arrays = self._manager.restore(step, args=arguments.Composite(state=arguments.StandardRestore(abstract)))["state"]
        leaves, structure = jax.tree.flatten(like)
        restored = [
            jax.random.wrap_key_data(arrays[name], impl=jax.random.key_impl(leaf)) if _is_key(leaf) else arrays[name]
            for leaf, name in zip(leaves, wanted, strict=True)
        ]
        return jax.tree.unflatten(structure, restored), record

    def close(self) -> None:
        """Waits for what is being written, and lets go of the folder."""
        self._manager.close()


def save_weights(model: nnx.Module, path: str | Path) -> None:
    """Writes a model's parameters and batch statistics to a safetensors file, by names such as `hidden.0.kernel`."""
    from safetensors.numpy import save_file

    path = Path(path)
    half_written = path.with_name(path.name + ".partial")
    save_file({name: np.asarray(value) for name, value in _weights(model).items()}, half_written)
    half_written.replace(path)


def load_weights(model: nnx.Module, path: str | Path) -> None:
    """Reads a safetensors file of `save_weights` into a model, all of it or nothing.

    Raises:
      CheckpointMismatchError: if names, shapes or types differ; the message lists all of them, and the model is as before.
      FileNotFoundError: if there is no such file.
    """
    from safetensors.numpy import load_file

    found, wanted = load_file(path), _weights(model)
    _require_same(
        str(path),
        {name: (value.shape, str(value.dtype)) for name, value in found.items()},
        {name: (value.shape, str(value.dtype)) for name, value in wanted.items()},
    )
    for names, variable in nnx.to_flat_state(nnx.state(model, WEIGHTS)):
        variable[...] = jnp.asarray(found[".".join(map(str, names))])


def _weights(model) -> dict[str, jax.Array]:
    return {".".join(map(str, names)): variable[...] for names, variable in nnx.to_flat_state(nnx.state(model, WEIGHTS))}


def _is_key(leaf) -> bool:
    return jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _by_name(tree) -> dict[str, jax.Array]:
    """A tree as a flat dict of arrays, random keys as the numbers inside them."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {
        jax.tree_util.keystr(path): jax.random.key_data(leaf) if _is_key(leaf) else jnp.asarray(leaf) for path, leaf in leaves
    }


def _require_same(place: str, found: dict[str, tuple], wanted: dict[str, tuple]) -> None:
    differences = [f"  missing: {name} {_shown(wanted[name])}" for name in wanted if name not in found]
    differences += [f"  unexpected: {name} {_shown(found[name])}" for name in found if name not in wanted]
    differences += [
        f"  different: {name} is {_shown(found[name])}, expected {_shown(wanted[name])}"
        for name in wanted
        if name in found and found[name] != wanted[name]
    ]
    if differences:
        raise CheckpointMismatchError("\n".join([f"{place} does not fit the model:", *differences]))


def _shown(shape_and_type) -> str:
    shape, dtype = shape_and_type
    return f"{dtype}[{', '.join(map(str, shape))}]"
