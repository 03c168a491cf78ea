"""L2-SP is the gradient of its penalty; spectral shrinkage is a sum of squares of singular values."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from nn.models import MLP, MLPConfig
from nn.training import classification_loss
from transfer.fine_tuning import fine_tune
from transfer.regularization import BatchSpectralShrinkage, l2_sp, smallest_singular_values

random = np.random.default_rng(0)
IMAGES, LABELS = random.normal(size=(32, 4)).astype(np.float32), np.arange(32, dtype=np.int32) % 3
BATCH = {"image": jnp.asarray(IMAGES), "label": jnp.asarray(LABELS)}


def network(seed=0):
    return MLP(MLPConfig(in_features=4, hidden=(5, 6), out_features=3), rngs=nnx.Rngs(seed))


def leaves(model):
    flat = nnx.to_flat_state(nnx.state(model, nnx.Param))
    return {".".join(map(str, path)): np.array(variable[...]) for path, variable in flat}


def distance(model, start):
    return sum(((a - b) ** 2).sum() for (n, a), b in zip(leaves(model).items(), start.values(), strict=True) if "head" not in n)


def test_l2_sp_is_gradient_descent_on_the_loss_with_its_penalty():
    model, by_hand = network(), network()
    graph, w = nnx.split(by_hand, nnx.Param)
    start, alpha, beta = w, 0.7, 0.3

    @jax.jit
    def gradient(w):
        def penalized(w):
            pulls = jax.tree.map(lambda now, began: ((now - began) ** 2).sum(), dict(w["hidden"]), dict(start["hidden"]))
            to_zero = jax.tree.map(lambda now: (now**2).sum(), dict(w["head"]))
            penalty = alpha / 2 * sum(jax.tree.leaves(pulls)) + beta / 2 * sum(jax.tree.leaves(to_zero))
            return classification_loss(nnx.merge(graph, w), BATCH)[0] + penalty

        return jax.grad(penalized)(w)

    for _ in range(4):
        w = jax.tree.map(lambda leaf, slope: leaf - 0.1 * slope, w, gradient(w))
    nnx.update(by_hand, w)
    optimizer = optax.chain(l2_sp(alpha, beta=beta), optax.sgd(0.1))
    fine_tune(model, IMAGES, LABELS, steps=4, seed=0, optimizer=optimizer)  # one batch of all
    for name, array in leaves(by_hand).items():
        np.testing.assert_allclose(leaves(model)[name], array, rtol=1e-4, atol=1e-6, err_msg=name)


def test_the_stronger_the_pull_the_nearer_the_weights_stay():
    distances = []
    for alpha in (0.0, 0.1, 1.0):
        model = network()
        start = leaves(model)
        fine_tune(model, IMAGES, LABELS, steps=30, seed=0, optimizer=optax.chain(l2_sp(alpha), optax.sgd(0.3)))
        distances.append(distance(model, start))
    assert distances[0] > 1.3 * distances[1] > 1.3**2 * distances[2] > 0


def test_spectral_shrinkage_adds_the_squares_of_the_smallest_singular_values():
    model = network()
    features = np.asarray(model.features(BATCH["image"]), np.float64)
    values = np.sqrt(np.sort(np.linalg.eigvalsh(features.T @ features))[::-1].clip(0))
    np.testing.assert_allclose(
        smallest_singular_values(jnp.asarray(features, jnp.float32), 3), values[-3:], rtol=1e-3, atol=1e-3
    )
    plain, scalars = classification_loss(model, BATCH)
    value, more = BatchSpectralShrinkage(eta=0.5, count=3)(model, BATCH)
    np.testing.assert_allclose(value - plain, 0.5 * (values[-3:] ** 2).sum(), rtol=1e-3, atol=1e-5)
    assert more["accuracy"] == scalars["accuracy"]


def test_training_with_it_shrinks_them_and_leaves_the_largest():
    spectra = {}
    for eta in (0.0, 0.1):
        model = network()
        loss = BatchSpectralShrinkage(eta=eta, count=2)
        fine_tune(model, IMAGES, LABELS, steps=60, seed=0, learning_rate=1e-2, loss=loss)
        spectra[eta] = np.linalg.svd(np.asarray(model.features(BATCH["image"])), compute_uv=False)
    assert spectra[0.1][-2] < 0.5 * spectra[0.0][-2] and spectra[0.1][0] > 0.3 * spectra[0.0][0]


def test_bad_input_is_named(without_type_checks):
    with pytest.raises(ValueError, match=r"l2_sp expects alpha and beta of at least 0, got -1 and 0\.0\."):
        l2_sp(-1)
    with pytest.raises(ValueError, match=r"smallest_singular_values expects a count from 1 to 4, got 5\."):
        smallest_singular_values(jnp.ones((32, 4)), 5)
    with pytest.raises(ValueError, match="BatchSpectralShrinkage expects eta of at least 0 and count of at least 1, got"):
        BatchSpectralShrinkage(count=0)
    optimizer = l2_sp(0.1)
    with pytest.raises(ValueError, match="l2_sp expects the parameters as well as the gradients"):
        optimizer.update({"w": jnp.ones(2)}, optimizer.init({"w": jnp.ones(2)}))
