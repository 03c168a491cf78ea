"""Several processes that train one model together: joining, and a named error where one of them is gone.

Each process runs the same program on its own devices, on one machine or on many. JAX joins them (`jax.distributed`); the
mesh, the loop and the checkpoints are those of one process.
"""

import math
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import jax
import numpy as np
from jax.experimental import multihost_utils

# What JAX and the libraries below it (Gloo between CPUs, NCCL between GPUs, gRPC between machines) say of a lost peer.
SIGNS = ("gloo", "nccl", "connection", "unavailable", "deadline", "heartbeat", "coordination", "socket", "preempt")


class LostProcessError(RuntimeError):
    """Another process of the same training is gone, or cannot be reached. The message says how to go on."""


def join_processes(*, coordinator: str, processes: int, process: int, patience: float = 60) -> None:
    """Joins this process to the others that train with it. Call it in each one, before JAX is first used.

    Then `device_mesh` holds the devices of all processes, and all run the same program: the same calls of `fit` and `predict`,
    in the same order, with the same data. Each takes its own part of every batch, and all get the same history and answers.
    Checkpoints go into one folder that all can reach.

        join_processes(coordinator="10.0.0.1:1234", processes=2, process=int(os.environ["RANK"]))
        fit(model, batches, …, mesh=device_mesh(), checkpoint_directory="/shared/run")

    Several processes on one machine with GPUs each have to be given their own, by CUDA_VISIBLE_DEVICES.

    A process that dies takes the others with it: they raise a LostProcessError, or, where they do not notice by themselves, JAX
    ends them after `patience`. Start all of them again, and they go on from the last checkpoint. A loss or a weight that is not
    finite in one of them alone stops all, with the same NonFiniteLossError.

    Args:
      coordinator: host and port of process 0, reached by all; the port is free before it starts.
      processes: how many there are.
      process: the number of this one, from 0.
      patience: how many seconds to wait for the others at the beginning, and after which one that is not heard of counts as
        lost.

    Raises:
      ValueError: for a coordinator without a port, a number outside the processes, a patience below 1, or if this process has
        used JAX already or joined before.
      LostProcessError: if process 0 cannot be reached. Where process 0 is there and another one is not, JAX itself ends those
        that wait, with DEADLINE_EXCEEDED in its last words.
    """
    host, _, port = coordinator.rpartition(":")
    if not (host and port.isdecimal() and 0 < int(port) < 2**16):
        raise ValueError(f"join_processes expects a coordinator such as '10.0.0.1:1234', host and port, got {coordinator!r}.")
    if not 0 <= process < processes:
        raise ValueError(f"join_processes expects a process from 0 to {processes - 1}, got {process} of {processes} processes.")
    if not 1 <= patience < math.inf:
        raise ValueError(f"join_processes expects patience of at least 1 second, got {patience}.")
    if jax.distributed.is_initialized():
        raise ValueError("join_processes expects to be called once, and this process has joined already.")
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    # JAX would end a process that finds nobody, with no error to catch and no word of the address.
    if process > 0 and not _listens(host.strip("[]"), int(port), patience):
        raise LostProcessError(
            f"Process {process} of {processes} found nobody at {coordinator} within {patience:g} seconds. Start process 0 "
            "there, at about the same time, and give the same coordinator to all."
        )
    seconds = math.ceil(patience)
    try:
        jax.distributed.initialize(
            coordinator, processes, process, initialization_timeout=seconds, heartbeat_timeout_seconds=seconds
        )
    except RuntimeError as error:
        if "before any JAX" not in str(error):
            raise
        raise ValueError("join_processes expects to be called before JAX is first used, and it is in use already.") from None


def _listens(host: str, port: int, patience: float) -> bool:
    """Whether somebody takes calls at an address, or begins to within this many seconds."""
    end = time.monotonic() + patience
    while True:
        try:
            socket.create_connection((host, port), timeout=max(end - time.monotonic(), 0.1)).close()
            return True
        except OSError:
            if time.monotonic() > end:
                return False
            time.sleep(0.1)


def of_each_process(values: np.ndarray, together: bool) -> np.ndarray:
    """What each process has under a name that all use, (processes, *shape): all processes get the same array.

    For a decision that all have to make alike, on what one of them may see alone: who stops by itself leaves the others
    waiting. All have to call it, at the same place. They wait for each other there.

    Args:
      values: of this process; of the same shape in each. Others get them in the precision that JAX has, by default 32 bits.
      together: whether the processes train together; else there is only this one, and nobody is waited for.
    """
    if not together:
        return values[None]
    return multihost_utils.process_allgather(values.astype(jax.dtypes.canonicalize_dtype(values.dtype)))


@contextmanager
def naming_lost_processes() -> Iterator[None]:
    """Within it, what JAX raises where another process is gone becomes a LostProcessError."""
    try:
        yield
    except jax.errors.JaxRuntimeError as error:
        if jax.process_count() == 1 or not any(sign in str(error).lower() for sign in SIGNS):
            raise
        raise LostProcessError(
            f"Process {jax.process_index()} of {jax.process_count()} cannot reach another, which has probably ended; its own "
            "output says why. Start all of them again: with a checkpoint_directory they go on from the last checkpoint."
        ) from error
