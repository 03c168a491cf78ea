"""A step on several devices: what is refused here, on one; what eight compute is in `on_eight_devices.py`."""

import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AbstractMesh

from nn.training import data_parallel_step, device_mesh


def squared(params, batch):
    return ((batch["x"] * params["w"] - batch["y"]) ** 2).mean()


def test_on_one_device_it_is_gradient_descent():
    batch = {"x": jnp.array([1.0, 2.0]), "y": jnp.array([2.0, 4.0])}
    params, loss = data_parallel_step(squared, {"w": jnp.array(0.0)}, batch, mesh=device_mesh(1), learning_rate=0.1)
    np.testing.assert_allclose(loss, 10.0)  # (4 + 16) / 2
    np.testing.assert_allclose(params["w"], 1.0)  # 0 − 0.1 · 2 · (−2 − 8) / 2


def test_a_batch_that_the_devices_do_not_divide_is_refused(without_type_checks):
    batch = {"x": jnp.ones(6), "y": jnp.ones(6)}
    with pytest.raises(ValueError, match=r"data_parallel_step expects a batch that 4 devices divide, got 6 examples\."):
        data_parallel_step(squared, {"w": jnp.array(0.0)}, batch, mesh=AbstractMesh((4,), ("data",)), learning_rate=0.1)
