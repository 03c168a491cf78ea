"""Every model on eight devices against itself on one: the same losses, weights and running averages.

`test_every_model.py` runs this page in a process of its own, where a CPU stands for eight devices.
"""

import importlib.util
from pathlib import Path

import numpy as np
import optax
import pytest
from flax import nnx

from nn.data import Dataset
from nn.layers import RNN
from nn.training import device_mesh, fit, virtual_cpu_devices

virtual_cpu_devices(8)

page = importlib.util.spec_from_file_location("every_model", Path(__file__).with_name("test_every_model.py"))
every_model = importlib.util.module_from_spec(page)
page.loader.exec_module(every_model)

# Momentum divides by nothing. Adam makes whole steps of gradients that are zero but for rounding.
MOMENTUM = optax.sgd(0.01, momentum=0.9)


def learned(name, mesh, implementation=None):
    example, model = every_model.EXAMPLES[name], every_model.build(name)
    for _, module in nnx.iter_graph(model):
        if implementation and isinstance(module, RNN):
            module.implementation = implementation
    batch = {key: np.repeat(value, 8, axis=0) for key, value in example.batch.items()}
    data = Dataset.from_arrays(batch).batches(len(next(iter(batch.values()))), seed=0)
    history = fit(model, data, loss=example.loss, optimizer=MOMENTUM, steps=3, log_every=1, mesh=mesh)
    return history["loss"], every_model.by_name(model)


@pytest.mark.parametrize("name", every_model.EXAMPLES)
def test_eight_devices_train_it_as_one(name):
    (losses, weights), (expected, right) = learned(name, device_mesh(8)), learned(name, None)
    np.testing.assert_allclose(losses, expected, rtol=1e-5, atol=1e-5)
    for key in right:
        np.testing.assert_allclose(weights[key], right[key], rtol=1e-5, atol=1e-5, err_msg=key)


def test_eight_devices_walk_by_the_kernel_as_one_by_the_cell():
    """Models as small as these are left to the cell."""
    (losses, weights), (expected, right) = (
        learned("SequenceClassifier", device_mesh(8), "xla"),
        learned("SequenceClassifier", None),
    )
    np.testing.assert_allclose(losses, expected, rtol=1e-5, atol=1e-5)
    for key in right:
        np.testing.assert_allclose(weights[key], right[key], rtol=1e-5, atol=1e-5, err_msg=key)
