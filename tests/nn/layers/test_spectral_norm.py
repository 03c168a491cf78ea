"""Spectral norm: what the layer uses has a largest singular value of 1, and what the optimizer moves is left alone."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from nn.layers import BatchNorm, Linear, SpectralNorm, power_iteration, spectral_norm
from nn.training import load_weights, save_weights

random = np.random.default_rng(0)
MATRIX = random.normal(size=(4, 3))
U = random.normal(size=(1, 3))
X = random.normal(size=(5, 4))
STATE = nnx.Any(nnx.Param, nnx.BatchStat)


def single(array):
    return jnp.asarray(array, jnp.float32)


def linear(seed=0, **options):
    return SpectralNorm(Linear(4, 3, rngs=nnx.Rngs(seed)), **options, rngs=nnx.Rngs(seed + 1))


def used_kernel(layer):
    """The kernel that a layer of four features multiplies by, read off from outside."""
    return layer(jnp.eye(4)) - layer(jnp.zeros((4, 4)))


def test_power_iteration_ends_at_the_largest_singular_value_and_its_direction():
    sigma, u = power_iteration(single(MATRIX), single(U), steps=60)
    _, values, directions = np.linalg.svd(MATRIX)
    np.testing.assert_allclose(sigma, values[0], rtol=1e-5)
    np.testing.assert_allclose(abs(u[0] @ single(directions[0])), 1, rtol=1e-5)


def test_it_never_overestimates_and_each_step_shrinks_the_error_by_the_fourth_power_of_the_ratio():
    """With singular values 2 and 1 a step shrinks the second direction by (1/2)², and σ errs by the square of what is left."""
    matrix, u = jnp.diag(jnp.array([2.0, 1.0])), jnp.array([[1.0, 1.0]])
    errors = np.array([2 - power_iteration(matrix, u, steps=steps)[0] for steps in (1, 2, 3, 4)])
    assert (errors > 0).all()
    np.testing.assert_allclose(errors[1:] / errors[:-1], (1 / 2) ** 4, rtol=0.2)


def test_one_step_a_call_is_many_steps_in_one():
    u = single(U)
    for _ in range(5):
        sigma, u = power_iteration(single(MATRIX), u)
    at_once = power_iteration(single(MATRIX), single(U), steps=5)
    np.testing.assert_allclose(sigma, at_once[0], rtol=1e-5)
    np.testing.assert_allclose(u, at_once[1], rtol=1e-5, atol=1e-6)


def test_the_gradient_of_the_norm_is_that_of_the_largest_singular_value():
    gradient = jax.jit(jax.grad(lambda matrix: power_iteration(matrix, single(U), steps=60)[0]))(single(MATRIX))
    left, _, right = np.linalg.svd(MATRIX)
    np.testing.assert_allclose(gradient, np.outer(left[:, 0], right[0]), rtol=1e-3, atol=1e-4)


def test_the_kernel_used_has_norm_1_by_numpy_and_the_kernel_kept_is_as_it_was():
    layer = linear(n_steps=60)
    before = np.array(layer.layer_instance.kernel[...])
    assert abs(np.linalg.svd(before)[1][0] - 1) > 0.05
    np.testing.assert_allclose(np.linalg.svd(np.asarray(used_kernel(layer)))[1][0], 1, rtol=1e-4)
    np.testing.assert_array_equal(layer.layer_instance.kernel[...], before)
    np.testing.assert_allclose(layer.batch_stats["kernel", "sigma"][...], np.linalg.svd(before)[1][0], rtol=1e-4)


def test_after_many_training_calls_of_one_step_the_norm_is_1_and_evaluation_leaves_the_direction():
    layer = linear()
    for _ in range(60):
        layer(single(X))
    layer.eval()
    before = {name: np.array(value[...]) for name, value in layer.batch_stats.items()}
    np.testing.assert_allclose(np.linalg.svd(np.asarray(used_kernel(layer)))[1][0], 1, rtol=1e-4)
    layer.train()
    layer.frozen = True
    layer(single(X))
    layer.frozen = False
    layer(single(X), update_stats=False)
    for name, value in layer.batch_stats.items():
        np.testing.assert_array_equal(value[...], before[name])


def test_the_scale_of_the_kernel_does_not_reach_the_output_so_the_gradient_is_orthogonal_to_it():
    layer = linear(n_steps=60)
    layer.eval()
    graphdef, parameters, rest = nnx.split(layer, nnx.Param, ...)
    gradients = jax.jit(jax.grad(lambda p: (nnx.merge(graphdef, p, rest, copy=True)(single(X)) ** 2).sum()))(parameters)
    kernel, gradient = layer.layer_instance.kernel[...], gradients["layer_instance"]["kernel"][...]
    assert jnp.abs(gradient).max() > 0.1
    np.testing.assert_allclose((kernel * gradient).sum(), 0, atol=1e-4)
    assert jnp.abs(gradients["layer_instance"]["bias"][...]).max() > 0.1


def test_a_kernel_with_positions_is_one_matrix_and_a_kernel_of_zeros_stays_zero():
    kernel = random.normal(size=(2, 2, 4, 3))
    divided, sigma, _ = spectral_norm(single(kernel), single(U), steps=100)
    np.testing.assert_allclose(sigma, np.linalg.svd(kernel.reshape(16, 3))[1][0], rtol=1e-4)
    np.testing.assert_allclose(divided, kernel / float(sigma), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(spectral_norm(jnp.zeros((4, 3)), single(U))[0], jnp.zeros((4, 3)))


def test_what_moves_inside_the_layer_moves_still():
    inner = BatchNorm(4, rngs=nnx.Rngs(0))
    SpectralNorm(inner, rngs=nnx.Rngs(1))(single(X))
    np.testing.assert_allclose(inner.mean[...], 0.01 * X.mean(0), rtol=1e-4, atol=1e-6)


def test_it_survives_save_and_load(tmp_path):
    layer, other = linear(), linear(seed=5)
    layer(single(X))
    save_weights(layer, tmp_path / "layer")
    load_weights(other, tmp_path / "layer")
    np.testing.assert_array_equal(layer(single(X)), other(single(X)))


def test_no_step_is_refused():
    with pytest.raises(ValueError, match=r"SpectralNorm expects n_steps of at least 1, got n_steps=0\."):
        linear(n_steps=0)
    with pytest.raises(ValueError, match=r"power_iteration expects steps of at least 1, got steps=0\."):
        power_iteration(single(MATRIX), single(U), steps=0)


@pytest.mark.skipif(not hasattr(nnx, "SpectralNorm"), reason="this version of Flax has none yet")
def test_it_is_flax_spectral_norm_output_by_output_with_all_gradients_in_training_and_in_evaluation():
    ours = linear(n_steps=2)
    theirs = nnx.SpectralNorm(nnx.Linear(4, 3, rngs=nnx.Rngs(0)), n_steps=2, rngs=nnx.Rngs(1))
    for name, value in theirs.batch_stats.items():  # from the same rngs both begin alike
        np.testing.assert_allclose(ours.batch_stats[name][...], value[...], rtol=1e-6)
    random_state = jax.tree.map(lambda leaf: single(random.uniform(0.5, 2, leaf.shape)), nnx.state(theirs, STATE))
    outcomes = []
    for layer in (ours, theirs):
        nnx.update(layer, random_state)
        graphdef, parameters, rest = nnx.split(layer, nnx.Param, ...)

        def loss(parameters, x, graphdef=graphdef, rest=rest):
            y = nnx.merge(graphdef, parameters, rest, copy=True)(x)
            return (jnp.sin(jnp.arange(15.0)).reshape(5, 3) * y).sum()

        gradients = jax.jit(jax.grad(loss, argnums=(0, 1)))(parameters, single(X))
        trained = [layer(single(X)) for _ in range(3)]  # Flax's kernel is divided anew in each; ours once, from itself
        layer.eval()
        outcomes.append(jax.tree.leaves((gradients, trained, layer(single(X)), layer.batch_stats["kernel", "u"][...])))
    for own, flax in zip(*outcomes, strict=True):
        np.testing.assert_allclose(own, flax, rtol=1e-4, atol=1e-5)
