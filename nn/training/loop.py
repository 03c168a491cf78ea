"""The training loop: one compiled step, run over batches, with a record of how it went and a way back after a crash.

Flax NNX models are objects; JAX compiles functions of arrays. So the model is taken apart once (`nnx.split`), the compiled
step maps arrays to arrays, and the model is put together again at the end.
"""

from collections.abc import Callable
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from nn.training.batches import RestartableBatches, settings_of
from nn.training.checkpoints import TrainingCheckpoints
from nn.training.losses import classification_loss
from nn.training.metrics import accuracy
from nn.training.processes import LostProcessError, naming_lost_processes, of_each_process
from nn.training.sharding import mesh_to_use, replicate, shard_batch
from nn.training.short_queue import ShortQueue
from nn.training.step import Loss, compiled_step, precision

History = dict[str, list[float]]


class NonFiniteLossError(FloatingPointError):
    """The loss, or what the next loss depends on, became infinite or not a number. The message says at which step."""


def fit(
    model: nnx.Module,
    data: RestartableBatches,
    *,
    optimizer: optax.GradientTransformation,
    steps: int,
    loss: Loss = classification_loss,
    wrt: Any = nnx.Param,
    accumulate: int = 1,
    compute_dtype: Any = None,
    log_every: int = 50,
    checkpoint_directory: str | Path | None = None,
    checkpoint_every: int = 500,
    progress: bool = False,
    mesh: Mesh | None = None,
) -> History:
    """Trains a model in place: each step lowers the loss on one batch.

    Args:
      model: any NNX module. It is trained in the mode that it is in: call `model.train()` before, if it was evaluated.
      data: batches that can begin at any step, such as `dataset.batches(64, seed=0)`. Where they have `settings`, as these do
        (see `DescribedBatches`), a checkpoint keeps them, and is refused for batches of other settings.
      optimizer: from optax. Make it once and reuse it: a new one of the same kind compiles the step again.
      steps: how many batches to train on, those before an interruption included.
      loss: maps (model, batch) to a scalar, or to (scalar, dict of scalars to record). A named function, for the same
        reason. What it reads besides its arguments is fixed when it is first compiled: let what changes be in the model or the
        batch.
      wrt: which variables to train, as a filter of NNX; all others stay bit-identical, save what the forward pass itself
        moves (running averages, counts of random numbers; never an `nnx.Param`).
      accumulate: into how many equal parts to cut each batch. They go through one after the other, and the step follows the
        mean of their gradients: it needs the memory of one part, and is that of the whole batch, to rounding. But what looks at
        a batch as a whole sees a part: batch normalization, and a mean over a mask, which counts each part alike. Dropout
        draws other masks. Part j has the examples j, j + accumulate, …, so that each device of a mesh keeps its own. It is a
        loop in the compiled program, in which XLA's convolutions on a CPU are several times slower.
      compute_dtype: the precision to calculate in, such as `jnp.bfloat16`, which takes half the memory and is several times as
        fast on a TPU or a GPU (mixed precision). Parameters and the batch's floating-point numbers, targets too, are rounded
        to it for each pass through the model. The parameters themselves, the optimizer's memory, running averages and the
        losses of `nn.training` stay in float32, where small updates add up. None: everything in the precision that it has.
      log_every: how often to record the loss, averaged over the steps since the last record. The last step records too, and so
        does every checkpoint.
      checkpoint_directory: where to write checkpoints. If it holds some, training goes on from the newest, and ends with
        the same bits as if it had never stopped.
      checkpoint_every: how often to write one; the last step always does.
      progress: whether to draw a bar in the terminal.
      mesh: the devices to train on, from `device_mesh`: each gets an equal part of every batch, see `shard_batch`, and the
        whole model, or the part that `partition` gave it. The numbers are those of one device, to rounding; a mean or a
        normalization over the batch is over the whole batch. The model stays on the mesh. None: that of `on_mesh`, and
        outside of it the one that the model is on; `device_mesh(1)` brings it back to one device. Checkpoints go over from
        one number of devices to another. It may span several processes, see `join_processes`.

    Reference for mixed precision: Micikevicius et al. 2018, "Mixed Precision Training", section 3.1; its scaled losses are for
      float16, and bfloat16 does without.

    Returns:
      The history: lists of equal length under `step`, `loss` and every name that the loss records.

    Raises:
      NonFiniteLossError: at the first record that holds a loss that is not finite. The model is then as it was before
        the call, and the last checkpoint is from before the break.
      LostProcessError: if another process of the same training is gone; model and checkpoints the same.
      ValueError: for steps, accumulate, log_every or checkpoint_every below 1, batches that accumulate does not divide, data
        that ends too soon (the model is then trained as far as it went) or cannot begin anywhere, settings that JSON cannot
        hold, a filter that selects nothing, a checkpoint directory of another model, of other data or of a longer run, a mesh
        without an axis `data`, or other than the one that the model is split over, or a compute_dtype that holds no numbers
        as small and large as float32: float16 would lose small gradients.
    """
    counts = dict(steps=steps, accumulate=accumulate, log_every=log_every, checkpoint_every=checkpoint_every)
    require_runnable("fit", data, **counts)
    wrt = nnx.Any(*wrt) if isinstance(wrt, list | tuple) else wrt
    graphdef, trainable, *rest = nnx.split(model, wrt, nnx.Param, ...)
    if not jax.tree.leaves(trainable):
        raise ValueError(f"fit expects wrt to select something to train; in {type(model).__name__}, {wrt} selects nothing.")
    mesh = mesh_to_use("fit", mesh, (trainable, rest))
    trainable = replicate(trainable, mesh)  # first, for the optimizer's memory of a weight comes to lie where the weight does
    state = replicate((trainable, optimizer.init(trainable), rest), mesh)
    # The step gives the memory of its input back for its output. A copy keeps the arrays of others who share the weights; the
    # optimizer may be one of them, which remembers where they began.
    state = jax.tree.map(jnp.copy, state)
    shardings = tuple(leaf.sharding for leaf in jax.tree.leaves(state)) if mesh else None
    structure = jax.tree.structure(state)
    step = compiled_step(graphdef, structure, wrt, loss, optimizer, shardings, accumulate, precision(compute_dtype))

    queued = ShortQueue()

    def run_step(leaves, batch):
        leaves[:], scalars = step(leaves, shard_batch(batch, mesh))
        return queued(scalars)

    def put_back(trainable, _, rest):
        nnx.update(model, trainable, *rest)

    return run_steps(
        run_step,
        state,
        data,
        put_back=put_back,
        steps=steps,
        log_every=log_every,
        checkpoint_directory=checkpoint_directory,
        checkpoint_every=checkpoint_every,
        progress=progress,
    )


def require_runnable(function: str, data: Any, **counts: int) -> None:
    """Raises a ValueError, in the function's name, unless the counts are at least 1 and data can begin at any step."""
    for name, value in counts.items():
        if value < 1:
            raise ValueError(f"{function} expects {name} of at least 1, got {name}={value}.")
    if not hasattr(data, "from_step"):
        raise ValueError(
            f"{function} expects data that can begin at any step, such as dataset.batches(64, seed=0), got "
            f"{type(data).__name__}."
        )


def run_steps(
    run_step: Callable[[list[Array], Any], dict[str, Array]],
    state: tuple[Any, Any, Any],
    data: Any,
    *,
    put_back: Callable[[Any, Any, Any], None],
    losses: tuple[str, ...] = ("loss",),
    steps: int,
    log_every: int,
    checkpoint_directory: str | Path | None,
    checkpoint_every: int,
    progress: bool,
) -> History:
    """What `fit` does between taking a model apart and returning: records, checkpoints, resuming, and errors with names.

    Args:
      run_step: maps (leaves of the state, batch) to scalars to record. It puts the new leaves into the list in place of the
        old ones, whose memory it may have given away: so the list is whole whenever it is interrupted.
      state: trees of what is trained, of the optimizers' memory, and of all the rest.
      data: batches, or whatever else run_step takes, that can begin at any step.
      put_back: called at the end with the three trees, unless they are broken; also after an interrupt.
      losses: those of the scalars that have to be finite; the bar shows the first.
      steps, log_every, checkpoint_directory, checkpoint_every, progress: as for `fit`, and so are the errors raised.
    """
    # From here on a flat list of arrays: JAX passes it to the compiled step quicker than a tree of Flax's own nodes.
    leaves, structure = jax.tree.flatten(state)
    settings = settings_of(data) if checkpoint_directory is not None else None
    checkpoints = TrainingCheckpoints(checkpoint_directory) if checkpoint_directory is not None else None
    history: History = {"step": [], **{name: [] for name in losses}}
    together = not all(leaf.is_fully_addressable for leaf in leaves)  # with other processes
    step, usable = 0, True
    try:
        if checkpoints and (latest := checkpoints.latest_step()) is not None:
            if latest > steps:
                raise ValueError(
                    f"Training was asked for {steps} steps, and {checkpoints.directory} holds a run of {latest}. "
                    "Ask for as many, or use another directory."
                )
            tree, record = checkpoints.restore(latest, jax.tree.unflatten(structure, leaves))
            if record["data"] != settings:
                raise ValueError(
                    f"The checkpoints in {checkpoints.directory} are of a run on other data: {record['data']}; "
                    f"now it is {settings}. Use the same data, or another directory."
                )
            leaves, step, history = jax.tree.leaves(tree), latest, record["history"]
        batches = iter(data.from_step(step))
        unrecorded: list[dict[str, Array]] = []
        with naming_lost_processes(), _progress_bar(progress, total=steps, completed=step) as advance:
            while step < steps:
                unrecorded.append(run_step(leaves, _next(batches, step, steps)))
                step += 1
                saving = checkpoints is not None and (step % checkpoint_every == 0 or step == steps)
                if step % log_every == 0 or step == steps or saving:
                    _record(history, unrecorded, step, losses, together)
                    unrecorded = []
                    advance(step, history[losses[0]][-1])
                if (saving or step == steps) and not _is_finite(jax.tree.unflatten(structure, leaves), together):
                    raise NonFiniteLossError(
                        f"The update at step {step} left parameters that are not finite, though the loss was. Look for a "
                        "function whose slope is infinite where its value is not, as √x at 0, or clip the gradients."
                    )
                if checkpoints and saving:
                    checkpoints.save(step, jax.tree.unflatten(structure, leaves), {"history": history, "data": settings})
    except (NonFiniteLossError, LostProcessError):
        usable = False
        raise
    finally:
        # An interrupt inside the call itself leaves nothing to keep: its input is given away, its output not yet there. One
        # before the next record may come behind a broken step that nobody has seen yet.
        if usable and not any(leaf.is_deleted() for leaf in leaves):
            state = jax.tree.unflatten(structure, leaves)
            if step == steps or _is_finite(state, together=False):  # the others may not have been interrupted
                put_back(*state)
        if checkpoints:
            checkpoints.close()
    return history


def _next(batches, step: int, steps: int) -> Any:
    try:
        return next(batches)
    except StopIteration:
        raise ValueError(f"Training was asked for {steps} steps, and the data ended after {step}. Allow more epochs.") from None


def _record(history: History, unrecorded: list[dict[str, Array]], step: int, losses: tuple[str, ...], together: bool) -> None:
    """Fetches what the steps since the last record measured, and adds its mean to the history."""
    fetched = jax.device_get(unrecorded)  # waits for the device until all is done
    values = {name: np.array([scalars[name] for scalars in fetched], np.float64) for name in fetched[0]}
    # Where each process takes a batch whole, one may read what the others do not, and all of them have to stop.
    seen = of_each_process(np.array([values[name] for name in losses]), together)
    for name, of_each in zip(losses, seen.swapaxes(0, 1), strict=True):
        finite = np.isfinite(of_each).all(0)
        if not finite.all():
            first = int(np.argmin(finite))
            at = step - len(finite) + first + 1
            value = next(value for value in of_each[:, first] if not np.isfinite(value))
            before = f"; the step before it was {of_each[0, first - 1]:.4g}" if first else ""
            raise NonFiniteLossError(
                f"The {name.replace('_', ' ')} became {value} at step {at}{before}. Lower the learning rate, "
                "clip the gradients, or look for inputs that are not finite and labels outside the classes."
            )
    history["step"].append(step)
    for name, value in values.items():
        history.setdefault(name, []).append(float(value.mean()))


def _is_finite(state, together: bool) -> bool:
    """Whether a state can be gone on from, all processes' parts of it: the gradient of a finite loss can be infinite."""
    trainable, *others = state
    # Outside the parameters infinity is honest: an attention mask, the best loss before the first.
    others = [leaf for leaf in jax.tree.leaves(others) if jnp.issubdtype(leaf.dtype, jnp.inexact)]
    # By NumPy: it happens once or twice in a run, and is done before XLA would have compiled it.
    ours = all(np.isfinite(part).all() for leaf in jax.tree.leaves(trainable) for part in _parts(leaf)) and not any(
        np.isnan(part).any() for leaf in others for part in _parts(leaf)
    )
    return bool(of_each_process(np.array(ours), together).all())


def _parts(array: Array) -> list[np.ndarray]:
    """What this process holds of an array, which may be spread over devices and processes; each part once."""
    parts = {str(shard.index): shard.data for shard in array.addressable_shards}
    return [np.asarray(part) for part in parts.values()]


@contextmanager
def _progress_bar(shown: bool, *, total: int, completed: int):
    """Yields a function (step, loss) that moves the bar."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    # Rich would draw ten times a second, at half a millisecond each; it has news only where something was recorded.
    with Progress(*columns, disable=not shown, refresh_per_second=2) as bar:
        task = bar.add_task("training", total=total, completed=completed)
        yield lambda step, loss: bar.update(task, completed=step, description=f"loss {loss:.4f}")


def predict(
    model: nnx.Module,
    inputs: Array | np.ndarray | tuple[Array | np.ndarray, ...],
    *,
    method: str = "__call__",
    batch_size: int = 1024,
    mesh: Mesh | None = None,
) -> Any:
    """What a model says of many inputs, in evaluation mode and in batches; the model itself is left as it is.

    Args:
      model: any NNX module.
      inputs: stacked on the first axis. A tuple, such as (tokens, lengths), becomes several arguments of the model.
      method: which method of the model to call, such as `features`.
      batch_size: how many inputs go through the model at once.
      mesh: the devices that share each batch, as for `fit`.

    Returns:
      The outputs as NumPy arrays, stacked on the first axis: one array, or a tree of them if the method gives several.

    Raises:
      ValueError: if there are no inputs, those of a tuple differ in number, batch_size is below 1, the model has no such
        method, or the mesh does not fit, as for `fit`.
    """
    inputs = inputs if isinstance(inputs, tuple) else (inputs,)
    counts = [len(array) for array in inputs]
    if min(counts, default=0) == 0 or batch_size < 1:
        raise ValueError(
            f"predict expects inputs and a batch_size of at least 1, got {min(counts, default=0)} and {batch_size}."
        )
    if len(set(counts)) > 1:
        raise ValueError(f"predict expects as many of each input, got {' and '.join(map(str, counts))}.")
    if not callable(getattr(model, method, None)):
        raise ValueError(f"predict expects a method of {type(model).__name__}, got {method!r}.")
    model = nnx.clone(model)
    model.eval()
    graphdef, state = nnx.split(model)
    batches = (tuple(array[start : start + batch_size] for array in inputs) for start in range(0, counts[0], batch_size))
    mesh = mesh_to_use("predict", mesh, state)
    state = replicate(state, mesh)
    whole = NamedSharding(mesh, PartitionSpec()) if mesh else None
    # Of what is spread over several processes each could read only its own part.
    everywhere = whole if whole and not whole.is_fully_addressable else None
    with naming_lost_processes():
        forward = _compiled_forward(graphdef, method, everywhere)
        queued = ShortQueue()
        outputs = jax.device_get([queued(forward(state, *shard_batch(batch, mesh))) for batch in batches])
    return jax.tree.map(lambda *parts: np.concatenate(parts), *outputs)


@lru_cache(maxsize=256)
def _compiled_forward(graphdef, method: str, out_sharding: NamedSharding | None):
    def forward(state, *inputs):
        return getattr(nnx.merge(graphdef, state), method)(*inputs)

    return jax.jit(forward, out_shardings=out_sharding)


def evaluate(
    model: nnx.Module,
    inputs: Array | np.ndarray | tuple[Array | np.ndarray, ...],
    labels: np.ndarray,
    *,
    metric: Callable[..., Any] = accuracy,
    batch_size: int = 1024,
    mesh: Mesh | None = None,
) -> float:
    """The mean of a metric over all examples, in evaluation mode: by default the share of them that is right.

    Args:
      model: a classifier.
      inputs: stacked on the first axis; a tuple becomes several arguments of the model, as in `predict`.
      labels: the right class of each.
      metric: maps (logits, labels) to a value per example.
      batch_size: how many inputs go through the model at once.
      mesh: the devices that share each batch, as for `fit`.

    Raises:
      ValueError: if there are no examples, or not as many labels as inputs.
    """
    count = len(inputs[0] if isinstance(inputs, tuple) else inputs)
    if count != len(labels):
        raise ValueError(f"evaluate expects a label for each input, got {count} inputs and {len(labels)} labels.")
    return float(metric(jnp.asarray(predict(model, inputs, batch_size=batch_size, mesh=mesh)), jnp.asarray(labels)).mean())
