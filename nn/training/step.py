"""The training step: what one batch does to a model's arrays, compiled once for all models of a kind.

Whether a batch goes through whole or part by part is settled here, so that no model, no loss and no optimizer has to know.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jaxtyping import Array

Batch = Mapping[str, Any]
Loss = Callable[[Any, Batch], Any]


@lru_cache(maxsize=256)
def compiled_step(
    graphdef, structure, wrt, loss: Loss, optimizer: optax.GradientTransformation, shardings, accumulate: int = 1
) -> Callable[[list[Array], Batch], tuple[list[Array], dict[str, Array]]]:
    """The compiled step, one for each kind of model, loss and optimizer, kept for the next call of `fit`.

    Args:
      graphdef: of the model, from `nnx.split(model, wrt, ...)`.
      structure: of the state, a tree of (what is trained, the optimizer's memory, all other variables).
      wrt, loss, optimizer, accumulate: as for `fit`.
      shardings: where each leaf of the state lies, before and after; None on one device.

    Returns:
      A function from (leaves of the state, batch) to (leaves, scalars to record) that gives the memory of the old leaves to
      the new ones.
    """
    update = optax.with_extra_args_support(optimizer).update  # some optimizers watch the loss

    def objective(trainable, rest, batch):
        # A copy: NNX lets only variables made inside the gradient be moved inside it, as running averages are.
        model = nnx.merge(graphdef, trainable, rest, copy=True)
        value = loss(model, batch)
        value, scalars = value if isinstance(value, tuple) else (value, {})
        if taken := {"step", "loss"} & set(scalars):
            raise ValueError(f"The history keeps {sorted(taken)} itself; the loss function should record them by other names.")
        _, _, moved = nnx.split(model, wrt, ...)
        return value, ({"loss": value, **scalars}, moved)

    slopes = jax.grad(objective, has_aux=True)

    def step(leaves, batch):
        trainable, optimizer_state, rest = jax.tree.unflatten(structure, leaves)
        if accumulate == 1:
            gradients, (scalars, rest) = slopes(trainable, rest, batch)
        else:
            gradients, (scalars, rest) = _averaged(slopes, trainable, rest, parts_of(batch, accumulate), accumulate)
        updates, optimizer_state = update(gradients, optimizer_state, trainable, value=scalars["loss"])
        return jax.tree.leaves((optax.apply_updates(trainable, updates), optimizer_state, rest)), scalars

    # The new state lies where the old one did, so that it can have its memory. Left to XLA, parts might move.
    return jax.jit(step, donate_argnums=0, out_shardings=(list(shardings), None) if shardings else None)


def _averaged(slopes, trainable, rest, parts, count: int):
    """The mean of the gradients and scalars of all parts; what the forward pass moves goes from one part to the next."""

    def add(carry, part):
        total, rest = carry
        gradients, (scalars, rest) = slopes(trainable, rest, part)
        return (jax.tree.map(jnp.add, total, gradients), rest), scalars

    (total, rest), scalars = jax.lax.scan(add, (jax.tree.map(jnp.zeros_like, trainable), rest), parts)
    return jax.tree.map(lambda gradient: gradient / count, total), (jax.tree.map(lambda value: value.mean(0), scalars), rest)


def parts_of(batch: Batch, count: int) -> Batch:
    """Each array (batch, *shape) of a batch as (count, batch / count, *shape): part j has the examples j, j + count, …

    So every part takes as many examples from each stretch of the batch. On a mesh a device has one stretch, and keeps it. A
    number goes to every part.

    Raises:
      ValueError: if an array has a number of examples that cannot be cut into so many equal parts.
    """

    def split(path, leaf):
        leaf = jnp.asarray(leaf)
        if leaf.ndim == 0:
            return jnp.broadcast_to(leaf, (count,))
        size, *shape = leaf.shape
        if size % count:
            name = ".".join(str(getattr(key, "key", key)) for key in path)
            raise ValueError(f"fit expects batches that accumulate divides, got accumulate={count} and {size} of {name}.")
        return leaf.reshape(size // count, count, *shape).swapaxes(0, 1)

    return jax.tree_util.tree_map_with_path(split, batch)
