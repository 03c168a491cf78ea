"""Optimizers: one battery that each of them passes, equality with optax step for step, and what each is known for."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

import nn.training as ours
from nn.data import Dataset
from nn.models import MLP, MLPConfig

SCHEDULE = ours.warmup_cosine_decay_schedule(0.01, 0.1, 5, 20)

# Ours, and optax's that it must equal.
PAIRS = {
    "sgd": (ours.sgd(0.1), optax.sgd(0.1)),
    "sgd on a schedule": (ours.sgd(SCHEDULE), optax.sgd(optax.warmup_cosine_decay_schedule(0.01, 0.1, 5, 20))),
    "momentum": (ours.momentum(0.1, 0.8), optax.sgd(0.1, momentum=0.8)),
    "nesterov": (ours.nesterov(0.1, 0.8), optax.sgd(0.1, momentum=0.8, nesterov=True)),
    "rmsprop": (ours.rmsprop(0.01, 0.8, 1e-3), optax.rmsprop(0.01, 0.8, 1e-3)),
    "adam": (ours.adam(0.01, 0.8, 0.95, 1e-3), optax.adam(0.01, 0.8, 0.95, 1e-3)),
    "adam on a schedule": (ours.adam(SCHEDULE), optax.adam(optax.warmup_cosine_decay_schedule(0.01, 0.1, 5, 20))),
    "adamw": (ours.adamw(0.01, weight_decay=0.3), optax.adamw(0.01, weight_decay=0.3)),
    "clipping before adam": (
        optax.chain(ours.clip_by_global_norm(0.5), ours.adam(0.01)),
        optax.chain(optax.clip_by_global_norm(0.5), optax.adam(0.01)),
    ),
}
every_optimizer = pytest.mark.parametrize("name", PAIRS)

random = np.random.default_rng(0)
PARAMETERS = {"kernel": jnp.asarray(random.normal(size=(2, 3)), jnp.float32), "bias": [jnp.asarray([0.5, -2.0], jnp.float32)]}


def quadratic(parameters):
    return parameters["kernel"].ravel() @ parameters["kernel"].ravel() + 3 * (parameters["bias"][0] ** 2).sum()


def noisy_gradients(parameters, step):
    """The gradient of a quadratic, and something that changes from step to step, so that averages have what to average."""
    return jax.tree.map(
        lambda g: g + jnp.sin(7.0 * step + jnp.arange(g.size).reshape(g.shape)), jax.grad(quadratic)(parameters)
    )


def path(optimizer, parameters, gradients, steps):
    """The updates of every step, and the last parameters, compiled as one."""

    def one(carry, step):
        parameters, state = carry
        updates, state = optimizer.update(gradients(parameters, step), state, parameters)
        return (optax.apply_updates(parameters, updates), state), updates

    @jax.jit
    def run(parameters):
        (parameters, _), updates = jax.lax.scan(one, (parameters, optimizer.init(parameters)), jnp.arange(steps))
        return updates, parameters

    return run(parameters)


@every_optimizer
def test_every_update_of_twenty_steps_is_that_of_optax(name):
    updates, theirs = (path(optimizer, PARAMETERS, noisy_gradients, 20)[0] for optimizer in PAIRS[name])
    assert jax.tree.structure(updates) == jax.tree.structure(theirs)
    for own, other in zip(jax.tree.leaves(updates), jax.tree.leaves(theirs), strict=True):
        assert np.abs(own).max() > 1e-4
        np.testing.assert_allclose(own, other, rtol=1e-4, atol=1e-6)


@every_optimizer
def test_it_goes_downhill_on_a_quadratic(name):
    _, after = path(PAIRS[name][0], PARAMETERS, lambda parameters, step: jax.grad(quadratic)(parameters), 20)
    assert quadratic(after) < 0.95 * quadratic(PARAMETERS)


@every_optimizer
def test_zero_gradients_move_nothing_but_what_decays_and_structure_and_dtypes_are_kept(name):
    optimizer, _ = PAIRS[name]
    parameters = {"kernel": PARAMETERS["kernel"].astype(jnp.bfloat16), "bias": PARAMETERS["bias"]}
    before = optimizer.init(parameters)
    for gradient in (0.0, 1.0):
        updates, after = optimizer.update(jax.tree.map(lambda p: 0 * p + gradient, parameters), before, parameters)  # noqa: B023
        assert jax.tree.map(lambda u: (u.shape, u.dtype), updates) == jax.tree.map(lambda p: (p.shape, p.dtype), parameters)
        assert jax.tree.map(lambda s: (s.shape, s.dtype), after) == jax.tree.map(lambda s: (s.shape, s.dtype), before)
        if gradient == 0:
            expected = jax.tree.map(lambda p: (-0.01 * 0.3 if name == "adamw" else 0) * p, parameters)
            for update, value in zip(jax.tree.leaves(updates), jax.tree.leaves(expected), strict=True):
                np.testing.assert_allclose(update, value, rtol=2**-7)


@pytest.mark.parametrize("name", ["sgd on a schedule", "adamw"])
def test_fit_takes_it_as_it_takes_that_of_optax(name):
    data = Dataset.from_arrays(
        {"image": random.normal(size=(8, 3)).astype(np.float32), "label": np.arange(8, dtype=np.int32) % 2}
    )
    models = []
    for optimizer in PAIRS[name]:
        model = MLP(MLPConfig(in_features=3, hidden=(), out_features=2), rngs=nnx.Rngs(0))
        ours.fit(model, data.batches(4, seed=0), optimizer=optimizer, steps=4, log_every=4)
        models.append(np.array(model.head.kernel[...]))
    np.testing.assert_allclose(*models, rtol=1e-4, atol=1e-6)


def test_under_a_steady_gradient_the_velocity_grows_to_one_over_one_minus_mu():
    g, velocity, decay = jnp.array([2.0]), jnp.zeros(1), 0.75
    for _ in range(60):
        direction, velocity = ours.momentum_step(g, velocity, decay=decay)
    np.testing.assert_allclose(direction, g / (1 - decay), rtol=1e-5)
    direction, _ = ours.nesterov_step(g, velocity, decay=decay)
    np.testing.assert_allclose(direction, g / (1 - decay), rtol=1e-5)


def test_adam_does_not_see_the_scale_of_the_loss_and_its_first_step_is_the_sign():
    step = partial(ours.adam_step, eps=0.0)
    means = [(jnp.zeros(2), jnp.zeros(2))] * 2
    for t, g in enumerate((jnp.array([1.0, -3.0]), jnp.array([-2.0, 0.5]), jnp.array([0.1, 4.0])), start=1):
        (d, *means[0]), (scaled, *means[1]) = step(g, *means[0], t), step(1000 * g, *means[1], t)
        np.testing.assert_allclose(scaled, d, rtol=1e-4)
        if t == 1:
            np.testing.assert_allclose(d, jnp.sign(g), rtol=1e-5)


def test_decay_of_adamw_is_the_same_share_of_every_weight_whatever_its_gradient():
    weights, zero = jnp.array([1.0, 1.0]), jnp.zeros(2)
    g = jnp.array([1.0, 1000.0])
    with_decay, *_ = ours.adamw_step(g, weights, zero, zero, 1, weight_decay=0.5)
    without, *_ = ours.adamw_step(g, weights, zero, zero, 1, weight_decay=0.0)
    np.testing.assert_allclose(with_decay - without, 0.5 * weights, rtol=1e-5)


def test_clipping_keeps_the_direction_and_leaves_short_gradients_bit_for_bit():
    gradients = {"a": jnp.array([3.0, 0.0]), "b": jnp.array([[4.0]])}
    clipped = ours.clip_gradients(gradients, 1.0)
    np.testing.assert_allclose(clipped["a"], [0.6, 0], rtol=1e-6)
    np.testing.assert_allclose(clipped["b"], [[0.8]], rtol=1e-6)
    for norm in (5.0, 6.0):
        jax.tree.map(np.testing.assert_array_equal, ours.clip_gradients(gradients, norm), gradients)
    zeros = jax.tree.map(jnp.zeros_like, gradients)
    jax.tree.map(np.testing.assert_array_equal, ours.clip_gradients(zeros, 1.0), zeros)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ours.sgd(-0.1), r"sgd expects learning_rate of at least 0 and finite, got learning_rate=-0\.1\."),
        (lambda: ours.adam(float("nan")), "adam expects learning_rate of at least 0 and finite, got learning_rate=nan"),
        (lambda: ours.adam(float("inf")), "adam expects learning_rate of at least 0 and finite, got learning_rate=inf"),
        (lambda: ours.momentum(0.1, 1.0), r"momentum expects decay of at least 0 and below 1, got decay=1\.0\."),
        (lambda: ours.nesterov(0.1, -0.5), "nesterov expects decay"),
        (lambda: ours.rmsprop(0.1, 2.0), "rmsprop expects decay"),
        (lambda: ours.rmsprop(0.1, eps=-1.0), "rmsprop expects eps of at least 0"),
        (lambda: ours.adam(0.1, b1=1.0), "adam expects b1 of at least 0 and below 1"),
        (lambda: ours.adamw(0.1, b2=-1.0), "adamw expects b2"),
        (lambda: ours.adamw(0.1, weight_decay=-1.0), "adamw expects weight_decay of at least 0"),
        (lambda: ours.clip_by_global_norm(0.0), r"clip_by_global_norm expects max_norm above 0, got 0\.0\."),
        (lambda: ours.clip_gradients({}, -1.0), r"clip_gradients expects max_norm above 0, got -1\.0\."),
    ],
)
def test_bad_numbers_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_adamw_says_when_it_cannot_see_the_parameters():
    optimizer = ours.adamw(0.1)
    with pytest.raises(ValueError, match=r"adamw shrinks the parameters and so must see them"):
        optimizer.update(PARAMETERS, optimizer.init(PARAMETERS))
