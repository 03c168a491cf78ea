"""The training step: what one batch does to a model's arrays, compiled once for all models of a kind.

Whether a batch goes through whole or part by part, and in which precision, is settled here: no model, no loss and no optimizer
has to know.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jax.sharding import NamedSharding, PartitionSpec
from jaxtyping import Array

from nn.training.names import dotted_name

Batch = Mapping[str, Any]
Loss = Callable[[Any, Batch], Any]


@lru_cache(maxsize=256)
def compiled_step(
    graphdef,
    structure,
    wrt,
    loss: Loss,
    optimizer: optax.GradientTransformation,
    shardings,
    accumulate: int = 1,
    compute_dtype: Any = None,
) -> Callable[[list[Array], Batch], tuple[list[Array], dict[str, Array]]]:
    """The compiled step, one for each kind of model, loss and optimizer, kept for the next call of `fit`.

    Args:
      graphdef: of the model, from `nnx.split(model, wrt, nnx.Param, ...)`.
      structure: of the state: (what is trained, the optimizer's memory, (frozen parameters, all other variables)).
      wrt, loss, optimizer, accumulate, compute_dtype: as for `fit`.
      shardings: where each leaf of the state lies, before and after; None on one device.

    Returns:
      A function from (leaves of the state, batch) to (leaves, scalars to record) that gives the memory of the old leaves to
      the new ones.
    """
    update = optax.with_extra_args_support(optimizer).update  # some optimizers watch the loss

    def objective(trainable, moving, batch, frozen):
        # Inside the gradient, so that it comes back in the precision of the weights themselves.
        trainable, frozen, batch = in_precision((trainable, frozen, batch), compute_dtype)
        # A copy: NNX lets only variables made inside the gradient be moved inside it, as running averages are.
        model = nnx.merge(graphdef, trainable, frozen, moving, copy=True)
        value = loss(model, batch)
        value, scalars = value if isinstance(value, tuple) else (value, {})
        if taken := {"step", "loss"} & set(scalars):
            raise ValueError(f"The history keeps {sorted(taken)} itself; the loss function should record them by other names.")
        *_, moved = nnx.split(model, wrt, nnx.Param, ...)
        if jax.tree.structure(moved) != jax.tree.structure(moving):
            raise ValueError(
                f"fit expects a forward pass that keeps the variables of the model as they are; that of {type(model).__name__} "
                "adds or removes some. Let it return them, or make them when the model is made."
            )
        return value, ({"loss": value, **scalars}, moved)

    gradient = averaged(jax.grad(objective, has_aux=True), accumulate)

    def step(leaves, batch):
        trainable, optimizer_state, (frozen, moving) = jax.tree.unflatten(structure, leaves)
        gradients, (scalars, moving) = gradient(trainable, moving, batch, frozen)
        updates, optimizer_state = update(gradients, optimizer_state, trainable, value=scalars["loss"])
        trainable = optax.apply_updates(trainable, updates)
        return jax.tree.leaves((trainable, optimizer_state, (frozen, moving))), scalars

    return jax.jit(step, donate_argnums=0, out_shardings=result_shardings(shardings))


def result_shardings(shardings: Sequence[NamedSharding] | None) -> tuple[list[NamedSharding], NamedSharding] | None:
    """Where a step puts its results, for `jax.jit`: the new state, and the scalars to record.

    The new state lies where the old one did, so that it can have its memory; left to XLA, parts might move. The scalars are on
    every device, so that every process can read them.
    """
    return (list(shardings), NamedSharding(shardings[0].mesh, PartitionSpec())) if shardings else None


def averaged(gradient: Callable[..., Any], parts: int) -> Callable[..., Any]:
    """A gradient for which the batch goes through part by part, in the memory of one part.

    Args:
      gradient: maps (trainable, moving, batch, *fixed) to (gradients, (scalars, moving)).
      parts: into how many `parts_of` cuts the batch; with 1 the gradient comes back as it is.

    Returns:
      A function of the same: the mean of the gradients and scalars of all parts. What the forward pass moves goes from one part
      to the next.
    """
    if parts == 1:
        return gradient

    def part_by_part(trainable, moving, batch, *fixed):
        def add(carry, part):
            total, moving = carry
            gradients, (scalars, moving) = gradient(trainable, moving, part, *fixed)
            return (jax.tree.map(jnp.add, total, gradients), moving), scalars

        nothing = jax.tree.map(jnp.zeros_like, trainable)
        (total, moving), scalars = jax.lax.scan(add, (nothing, moving), parts_of(batch, parts))
        mean, scalars = jax.tree.map(lambda leaf: leaf / parts, total), jax.tree.map(lambda leaf: leaf.mean(0), scalars)
        return mean, (scalars, moving)

    return part_by_part


def parts_of(batch: Any, count: int) -> Any:
    """Each array (batch, *shape) of a tree as (count, batch / count, *shape): part j has the examples j, j + count, …

    So every part takes as many examples from each stretch of the batch. On a mesh a device has one stretch, and keeps it, if
    devices times parts divide the batch. A number, such as a seed, goes to every part.

    Raises:
      ValueError: if arrays differ in their number of examples, or it cannot be cut into so many equal parts.
    """
    sizes = {jnp.shape(leaf)[0] for leaf in jax.tree.leaves(batch) if jnp.ndim(leaf)}
    if len(sizes) > 1:
        raise ValueError(
            f"accumulate={count} expects arrays with one number of examples on their first axis, got "
            f"{' and '.join(map(str, sorted(sizes)))}. What is not of an example belongs into the model or the loss."
        )

    def split(path, leaf):
        leaf = jnp.asarray(leaf)
        if leaf.ndim == 0:
            return jnp.broadcast_to(leaf, (count,))
        size, *shape = leaf.shape
        if size % count:
            raise ValueError(f"accumulate={count} expects batches that it divides, got {size} of {dotted_name(path)}.")
        return leaf.reshape(size // count, count, *shape).swapaxes(0, 1)

    return jax.tree_util.tree_map_with_path(split, batch)


def precision(dtype: Any) -> Any:
    """A type of numbers by any of its names, as JAX knows it; None stays None.

    Raises:
      ValueError: for one that is not floating, or cannot hold numbers as small and as large as float32 can.
    """
    if dtype is None:
        return None
    dtype = jnp.dtype(dtype)
    if not jnp.issubdtype(dtype, jnp.floating) or jnp.finfo(dtype).maxexp < jnp.finfo(jnp.float32).maxexp:
        raise ValueError(
            f"compute_dtype expects a type with the range of float32, such as jnp.bfloat16, got {dtype}. In a smaller one "
            "small gradients are 0."
        )
    return dtype


def in_precision(tree: Any, dtype: Any) -> Any:
    """The floating-point arrays of a tree as this type of numbers, all others as they are; with None, all as they are."""
    if dtype is None:
        return tree
    return jax.tree.map(lambda leaf: leaf.astype(dtype) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf, tree)
