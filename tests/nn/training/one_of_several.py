"""A training that one or more processes run together; `test_processes.py` starts them, and reads what they print.

The last line is JSON: the losses, and what the trained model says. A process told to dies where a batch would be read. Told to
`--break`, they train what breaks in one process alone, and the last line is what each says of it.
"""

import argparse
import dataclasses
import json
import os
import sys

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax.sharding import PartitionSpec

from nn.data import Dataset
from nn.models import MLP, MLPConfig
from nn.training import (
    LostProcessError,
    NonFiniteLossError,
    device_mesh,
    evaluate,
    fit,
    join_processes,
    partition,
    predict,
    virtual_cpu_devices,
)


@dataclasses.dataclass
class Mortal:
    """Batches whose reader dies where batch number `at` would be, without a word, as a killed process does."""

    batches: object
    at: int | None

    @property
    def settings(self):
        return self.batches.settings

    def from_step(self, step):
        for number, batch in enumerate(self.batches.from_step(step), start=step):
            if number == self.at:
                os._exit(9)
            yield batch


class Roots(nnx.Module):
    """√w₀ + √w₁, which has an infinite slope at w₁ = 0."""

    def __init__(self):
        self.weights = nnx.Param(jnp.array([1.0, 0.0]))


def sum_of_roots(model, batch):
    return jnp.sqrt(model.weights[...]).sum() + 0 * batch["image"].sum()


def what_fit_says(model, rows, **choices):
    """The error of a training whose third batch ends, for the last process alone, with a row that is not a number."""
    x = np.ones((40, 4), np.float32)
    if jax.process_index() == jax.process_count() - 1:
        x[3 * rows - 1] = np.nan
    data = Dataset.from_arrays({"image": x, "label": np.zeros(40, np.int32)}).batches(rows, seed=None)
    try:
        fit(model, data, optimizer=optax.sgd(0.1), log_every=2, **choices)
    except NonFiniteLossError as error:
        return str(error)


def break_in_one_process():
    """By what the last process reads, in batches that are split and that go to each whole; and by its part of the weights."""
    split, whole = (
        what_fit_says(MLP(MLPConfig(in_features=4, out_features=3), rngs=nnx.Rngs(0)), rows, steps=4, mesh=device_mesh())
        for rows in (8, 7)
    )
    roots, mesh = Roots(), device_mesh(model=jax.device_count())
    partition(roots, {"weights": PartitionSpec("model")}, mesh)
    return split, whole, what_fit_says(roots, 8, loss=sum_of_roots, steps=1, mesh=mesh)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--coordinator")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--process", type=int, default=0)
    parser.add_argument("--patience", type=float, default=60)
    parser.add_argument("--checkpoints")
    parser.add_argument("--die-at", type=int)
    parser.add_argument("--break", action="store_true", dest="breaks")
    told = parser.parse_args()
    if told.processes > 1:
        join_processes(coordinator=told.coordinator, processes=told.processes, process=told.process, patience=told.patience)
    else:
        virtual_cpu_devices(2)

    if told.breaks:
        print(json.dumps(break_in_one_process()))
        return

    rng = np.random.default_rng(0)
    x = rng.normal(size=(48, 4)).astype(np.float32)
    y = (x @ rng.normal(size=(4, 3))).argmax(1)  # in int64, as NumPy has it
    batches = Dataset.from_arrays({"image": x, "label": y}).batches(8, seed=0)
    config = MLPConfig(in_features=4, hidden=(8,), out_features=3, normalization="batch", dropout=0.3)
    model, mesh = MLP(config, rngs=nnx.Rngs(0)), device_mesh()
    history = fit(
        model,
        Mortal(batches, told.die_at),
        optimizer=optax.adam(1e-2),
        steps=12,
        log_every=1,
        mesh=mesh,
        checkpoint_directory=told.checkpoints,
        checkpoint_every=5,
    )
    answers = predict(model, x, batch_size=16)
    says = {"devices": mesh.size, "losses": history["loss"], "answers": answers.tolist(), "right": evaluate(model, x, y)}
    print(json.dumps(says))


if __name__ == "__main__":
    try:
        main()
    except LostProcessError as error:
        sys.exit(f"LostProcessError: {error}")
