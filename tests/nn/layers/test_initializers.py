import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nn import layers
from nn.layers.activations import relu
from nn.layers.initializers import fans, he_normal, lecun_normal, variance_scaling

KEY = jax.random.key(5)
SHAPE = (2, 3, 4, 5)
MODES, DISTRIBUTIONS = ("fan_in", "fan_out", "fan_avg"), ("normal", "truncated_normal", "uniform")
PAIRS = {
    "zeros": (layers.zeros, jax.nn.initializers.zeros),
    "ones": (layers.ones, jax.nn.initializers.ones),
    "normal": (layers.normal(), jax.nn.initializers.normal()),
    "normal of 2": (layers.normal(2.0), jax.nn.initializers.normal(2.0)),
    "lecun_normal": (layers.lecun_normal(), jax.nn.initializers.lecun_normal()),
    "glorot_uniform": (layers.glorot_uniform(), jax.nn.initializers.glorot_uniform()),
    "he_normal": (layers.he_normal(), jax.nn.initializers.he_normal()),
} | {
    f"{mode}, {distribution}": (
        variance_scaling(0.7, mode, distribution),
        jax.nn.initializers.variance_scaling(0.7, mode, distribution),
    )
    for mode in MODES
    for distribution in DISTRIBUTIONS
}


@pytest.mark.parametrize("name", PAIRS)
def test_each_draws_the_numbers_of_jax_from_the_same_key(name):
    """For a convolution, whose positions multiply both fans; that a Linear begins like Flax's stands in test_drop_in."""
    ours, theirs = PAIRS[name]
    np.testing.assert_allclose(ours(KEY, SHAPE), theirs(KEY, SHAPE), rtol=1e-6)


@pytest.mark.parametrize("name", ["normal", "he_normal", "glorot_uniform"])
def test_inside_a_larger_program_they_are_the_same(name):
    ours, _ = PAIRS[name]
    np.testing.assert_allclose(jax.jit(ours, static_argnums=1)(KEY, SHAPE), ours(KEY, SHAPE), rtol=1e-6)


@pytest.mark.parametrize("size", [1, 1023, 1024, 1025, 4**11 + 1])
def test_however_many_numbers_are_drawn_at_once_they_are_the_same(size):
    """More are drawn than are needed, so that few programs serve many shapes."""
    np.testing.assert_allclose(layers.normal(2.0)(KEY, (size,)), 2.0 * jax.random.normal(KEY, (size,)), rtol=1e-6)


def test_a_key_of_another_generator_will_do():
    key = jax.random.key(5, impl="rbg")
    np.testing.assert_allclose(layers.normal(2.0)(key, (7, 3)), 2.0 * jax.random.normal(key, (7, 3)), rtol=1e-6)


def test_where_the_first_numbers_depend_on_how_many_there_are_no_more_are_drawn():
    with jax.threefry_partitionable(False):
        np.testing.assert_allclose(layers.normal(2.0)(KEY, (7, 3)), 2.0 * jax.random.normal(KEY, (7, 3)), rtol=1e-6)


@pytest.mark.parametrize("name", ["ones", "he_normal"])
def test_in_bfloat16_they_are_the_same_but_for_rounding(name):
    ours, theirs = PAIRS[name]
    half = ours(KEY, SHAPE, jnp.bfloat16)
    assert half.dtype == jnp.bfloat16
    # Two roundings, of the factor and of the product, each by at most 2⁻⁸ of a number's size, on either side.
    reference = theirs(KEY, SHAPE, jnp.bfloat16).astype(jnp.float32)
    np.testing.assert_allclose(half.astype(jnp.float32), reference, rtol=2**-6)


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_all_distributions_have_mean_zero_and_the_promised_variance(distribution):
    """Of 60,000 draws: the standard error of the mean is 0.4 % of the spread, that of the variance at most 0.6 %."""
    weights = np.asarray(variance_scaling(3.0, "fan_out", distribution)(KEY, (300, 200)), np.float64)
    assert abs(weights.mean()) < 0.025 * weights.std()
    assert weights.var() == pytest.approx(3.0 / 200, rel=0.04)


def test_fans_count_the_positions_of_a_convolution():
    assert fans((5, 7)) == (5, 7)
    assert fans((3, 2, 5, 7)) == (30, 42)


def test_an_orthogonal_matrix_keeps_lengths_and_angles_however_often_it_is_applied():
    matrix = np.asarray(layers.orthogonal(KEY, (40, 40)), np.float64)
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(40), atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(np.linalg.matrix_power(matrix, 200), 2), 1, atol=1e-3)
    # An ordinary random matrix of the same size does not.
    other = np.asarray(layers.normal(1 / 40**0.5)(KEY, (40, 40)), np.float64)
    assert np.abs(np.log(np.linalg.norm(np.linalg.matrix_power(other, 200), 2))) > 1


@pytest.mark.parametrize("shape", [(40, 12), (12, 40)], ids=["tall", "wide"])
def test_orthogonal_columns_of_a_tall_matrix_and_rows_of_a_wide_one_and_jax_draws_the_same(shape):
    matrix = layers.orthogonal(KEY, shape)
    assert matrix.shape == shape
    tall = np.asarray(matrix if shape[0] > shape[1] else matrix.T)
    np.testing.assert_allclose(tall.T @ tall, np.eye(12), atol=1e-5)
    np.testing.assert_allclose(matrix, jax.nn.initializers.orthogonal()(KEY, shape), atol=1e-5)


def signal_and_gradient_behind(layers, init):
    """Mean squares of the signal behind so many ReLU layers, and of a gradient sent back, both relative to where they began."""
    width = 128
    x, back = jnp.asarray(np.random.default_rng(1).normal(size=(2, 32, width)), jnp.float32)
    kernels = jax.vmap(lambda key: init(key, (width, width)))(jax.random.split(KEY, layers))

    @jax.jit
    def there_and_back(x, back, kernels):
        y, pull = jax.vjp(lambda x: jax.lax.scan(lambda x, kernel: (relu(x @ kernel), None), x, kernels)[0], x)
        return (y**2).mean(), (pull(back)[0] ** 2).mean()

    return [float(size) for size in there_and_back(x, back, kernels)]


def test_he_keeps_signal_and_gradient_through_twenty_relu_layers():
    """The product of twenty random layers of width 128 wanders by a factor of e^√(5·20/128) ≈ 2.4 either way."""
    for size in signal_and_gradient_behind(20, he_normal()):
        assert 0.1 < size < 10


def test_half_the_variance_dies_and_double_the_variance_explodes_by_two_per_layer():
    for init, factor in ((lecun_normal(), 0.5), (variance_scaling(4.0, "fan_in", "normal"), 2.0)):
        for size in signal_and_gradient_behind(20, init):
            assert size ** (1 / 20) == pytest.approx(factor, rel=0.15)


def test_bad_arguments_are_named(without_type_checks):
    with pytest.raises(ValueError, match=r"variance_scaling expects a scale above 0, got 0\."):
        variance_scaling(0, "fan_in", "normal")
    with pytest.raises(ValueError, match=r"variance_scaling expects a scale above 0, got nan\."):
        variance_scaling(float("nan"), "fan_in", "normal")
    with pytest.raises(ValueError, match=r"expects mode fan_in, fan_out or fan_avg, got 'fan'\."):
        variance_scaling(1.0, "fan", "normal")
    with pytest.raises(ValueError, match=r"distribution normal, truncated_normal or uniform, got 'cauchy'\."):
        variance_scaling(1.0, "fan_in", "cauchy")
    with pytest.raises(ValueError, match=r"fans needs a shape with at least two axes.*got \(3,\)\."):
        he_normal()(KEY, (3,))
    with pytest.raises(ValueError, match=r"orthogonal expects a shape of two axes, got \(3, 4, 5\)\."):
        layers.orthogonal(KEY, (3, 4, 5))
