"""Each core a device: as many as there are cores, and loops that queue more steps than XLA has room for come to their end.

`test_sharding.py` runs this page in a process of its own.
"""

import os

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from nn.data import Dataset
from nn.models import MLP, MLPConfig
from nn.training import cores_as_devices, device_mesh, fit, fit_adversarial, predict

cores_as_devices()
STEPS = 200


def network(inputs, outputs):
    return MLP(MLPConfig(in_features=inputs, hidden=(64, 64), out_features=outputs), rngs=nnx.Rngs(0))


def batches():
    random = np.random.default_rng(0)
    x = random.normal(size=(640, 8)).astype(np.float32)
    return Dataset.from_arrays({"image": x, "target": x[:, :2]}).batches(64, seed=0)


def squares(model, batch):
    return jnp.mean((model(batch["image"]) - batch["target"]) ** 2)


def test_there_is_a_device_for_each_core():
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert jax.device_count() == min(cores, 64)


def test_a_long_training_ends_as_one_device_ends():
    how = dict(optimizer=optax.sgd(0.1), steps=STEPS, loss=squares, log_every=STEPS)
    ours, alone = network(8, 2), network(8, 2)
    (shared,), (own,) = (
        fit(model, batches(), mesh=mesh, **how)["loss"] for model, mesh in ((ours, device_mesh()), (alone, None))
    )
    np.testing.assert_allclose(shared, own, rtol=1e-5)
    x = np.ones((50 * 64, 8), np.float32)
    np.testing.assert_allclose(predict(ours, x, batch_size=64), predict(alone, x, batch_size=64), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("discriminator_steps", [1, 40])
def test_two_networks_in_turn_come_to_their_end(discriminator_steps):
    history = fit_adversarial(
        network(4, 8),
        network(8, 1),
        batches(),
        generator_optimizer=optax.sgd(0.01),
        discriminator_optimizer=optax.sgd(0.01),
        latent_features=4,
        discriminator_steps=discriminator_steps,
        steps=STEPS // discriminator_steps,
        log_every=STEPS,
        mesh=device_mesh(),
    )
    assert np.isfinite(history["generator_loss"]).all()
