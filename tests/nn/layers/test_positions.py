import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from nn.layers import LearnedPositions, attention_weights, rotary, sinusoidal_positions

random = np.random.default_rng(0)
LENGTH, HEADS, DEPTH = 6, 2, 4
X = random.normal(size=(3, LENGTH, HEADS, DEPTH)).astype(np.float32)


def rotation(angle):
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def test_sinusoidal_positions_are_the_equation_in_float64():
    expected = np.empty((LENGTH, 8))
    for p, i in np.ndindex(LENGTH, 4):
        angle = p / 100.0 ** (2 * i / 8)
        expected[p, 2 * i : 2 * i + 2] = np.sin(angle), np.cos(angle)
    np.testing.assert_allclose(sinusoidal_positions(LENGTH, 8, longest=100.0), expected, rtol=1e-5, atol=1e-6)


def test_a_shift_of_sinusoidal_positions_is_one_linear_map_wherever_it_starts():
    """Moving on by k turns the clock of speed s by k · s: a block of rotations, the same for all positions."""
    table, k = np.asarray(sinusoidal_positions(60, 8), np.float64), 13
    shift = np.zeros((8, 8))
    for i in range(4):
        shift[2 * i : 2 * i + 2, 2 * i : 2 * i + 2] = rotation(k / 10_000 ** (2 * i / 8))
    np.testing.assert_allclose(table[k:], table[:-k] @ shift, atol=1e-4)


def test_no_two_sinusoidal_positions_are_alike_and_all_are_of_one_length():
    table = np.asarray(sinusoidal_positions(1000, 16))
    np.testing.assert_allclose((table**2).sum(-1), 8, rtol=1e-5)
    distances = np.linalg.norm(table[:, None] - table[None], axis=-1) + 9 * np.eye(1000)
    assert distances.min() > 0.1


def test_rotary_turns_each_pair_by_its_angle_in_float64():
    positions, expected = np.array([0, 1, 5, 2, 7, 100]), np.empty(X.shape)
    for p, i in np.ndindex(LENGTH, DEPTH // 2):
        pair = slice(2 * i, 2 * i + 2)
        expected[:, p, :, pair] = X[:, p, :, pair] @ rotation(positions[p] / 50.0 ** (2 * i / DEPTH)).T
    turned = rotary(jnp.asarray(X), jnp.asarray(positions), longest=50.0)
    np.testing.assert_allclose(turned, expected, rtol=1e-4, atol=1e-5)


def test_rotary_keeps_lengths_and_position_0():
    turned = rotary(jnp.asarray(X))
    np.testing.assert_allclose(jnp.linalg.norm(turned, axis=-1), np.linalg.norm(X, axis=-1), rtol=1e-5)
    np.testing.assert_array_equal(turned[:, 0], X[:, 0])
    assert (turned[:, 1:] != X[:, 1:]).all()
    np.testing.assert_allclose(rotary(turned, -jnp.arange(LENGTH)), X, rtol=1e-4, atol=1e-5)  # and turned back


def test_rotary_scores_depend_on_distance_only():
    query, key, positions = jnp.asarray(X[0]), jnp.asarray(X[1]), jnp.arange(LENGTH)

    def weights(shift_of_queries, shift_of_keys):
        turned = rotary(query, positions + shift_of_queries), rotary(key, positions + shift_of_keys)
        return attention_weights(*turned)

    here = weights(0, 0)
    np.testing.assert_allclose(weights(29, 29), here, rtol=1e-3, atol=1e-4)
    assert np.abs(weights(1, 0) - here).max() > 0.01


def test_rotary_keeps_bfloat16():
    turned = rotary(jnp.asarray(X, jnp.bfloat16))
    assert turned.dtype == jnp.bfloat16
    np.testing.assert_allclose(turned.astype(jnp.float32), rotary(jnp.asarray(X)), rtol=2**-6, atol=2**-6)


def test_learned_positions_add_one_vector_to_each_position_of_every_sequence():
    layer = LearnedPositions(8, 3, rngs=nnx.Rngs(0))
    table, x = np.asarray(layer.embedding[...]), jnp.asarray(random.normal(size=(2, 4, 3)), jnp.float32)
    assert table.shape == (8, 3) and len(np.unique(table[:, 0])) == 8
    np.testing.assert_array_equal(layer(x), x + jnp.broadcast_to(table[:4], x.shape))
    np.testing.assert_array_equal(layer(x, 3), x + jnp.broadcast_to(table[3:7], x.shape))
    gradient = jax.grad(lambda table: _at(layer, table, x).sum())(layer.embedding[...])
    np.testing.assert_array_equal(gradient, np.repeat([2.0, 0.0], [4, 4])[:, None] * np.ones((8, 3)))  # two sequences


def _at(layer, table, x):
    layer = nnx.clone(layer)
    layer.embedding = nnx.Param(table)
    return layer(x)


def test_past_the_last_learned_position_there_is_none():
    layer, x = LearnedPositions(4, 3, rngs=nnx.Rngs(0)), jnp.zeros((5, 3))
    with pytest.raises(ValueError, match="LearnedPositions expects at most 4 positions, got 5"):
        layer(x)
    for start, wrong in ((2, 4), (-1, -1)):
        with pytest.raises(ValueError, match=f"LearnedPositions expects positions from 0 to 3, got {wrong}"):
            layer(x[:3], start)
    begun_at = jax.jit(lambda start: layer(x[:3], start))
    np.testing.assert_array_equal(jnp.isnan(begun_at(2)).all(-1), [False, False, True])
    np.testing.assert_array_equal(jnp.isnan(begun_at(-1)).all(-1), [True, False, False])


def test_what_does_not_fit_is_refused():
    for refused, message in [
        (lambda: sinusoidal_positions(4, 5), "sinusoidal_positions expects an even number of features.*got 5"),
        (lambda: rotary(jnp.zeros((4, 1, 3))), "rotary expects an even number of features.*got 3"),
        (lambda: LearnedPositions(0, 3, rngs=nnx.Rngs(0)), "of at least 1, got num_embeddings=0"),
        (lambda: LearnedPositions(4, 3, rngs=nnx.Rngs(0))(jnp.zeros((2, 5))), r"expects 3 features.*got x.shape=\(2, 5\)"),
    ]:
        with pytest.raises(ValueError, match=message):
            refused()
