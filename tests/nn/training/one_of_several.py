"""A training that one or more processes run together; `test_processes.py` starts them, and reads what they print.

The last line is JSON: the losses, and what the trained model says. A process told to dies where a batch would be read.
"""

import argparse
import dataclasses
import json
import os
import sys

import numpy as np
import optax
from flax import nnx

from nn.data import Dataset
from nn.models import MLP, MLPConfig
from nn.training import LostProcessError, device_mesh, evaluate, fit, join_processes, predict, virtual_cpu_devices


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


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--coordinator")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--process", type=int, default=0)
    parser.add_argument("--patience", type=float, default=60)
    parser.add_argument("--checkpoints")
    parser.add_argument("--die-at", type=int)
    told = parser.parse_args()
    if told.processes > 1:
        join_processes(coordinator=told.coordinator, processes=told.processes, process=told.process, patience=told.patience)
    else:
        virtual_cpu_devices(2)

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
