import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from nn.layers import Embed, embed

random = np.random.default_rng(0)
TABLE = random.normal(size=(5, 3)).astype(np.float32)
TOKENS = np.array([[1, 4, 1], [0, 2, 4]])
ONE_HOT = np.eye(5, dtype=np.float32)[TOKENS]


@jax.jit
def weighted(table, tokens):
    """The vectors, and the gradient of a weighted sum of them by the table."""

    def weighted_sum(table):
        y = embed(tokens, table)
        return (jnp.arange(y.size, dtype=y.dtype).reshape(y.shape) * y).sum(), y

    return jax.grad(weighted_sum, has_aux=True)(table)


def test_a_row_of_the_table_is_the_product_with_a_one_hot_vector_and_so_is_its_gradient():
    gradient, y = weighted(TABLE, TOKENS)
    np.testing.assert_array_equal(y, TABLE[TOKENS])
    np.testing.assert_allclose(y, ONE_HOT @ TABLE, rtol=1e-6)
    weights = np.arange(y.size).reshape(y.shape)
    np.testing.assert_allclose(gradient, np.einsum("btv,btf->vf", ONE_HOT, weights))
    np.testing.assert_array_equal(gradient[3], 0)  # the token that is not there


def test_it_is_flax_embed_with_the_same_keys_and_the_same_state():
    ours, theirs = (cls(5, 3, rngs=nnx.Rngs(7)) for cls in (Embed, nnx.Embed))
    np.testing.assert_allclose(ours.embedding[...], theirs.embedding[...], rtol=1e-6)
    theirs.embedding[...] = jnp.asarray(TABLE)
    nnx.update(ours, nnx.state(theirs, nnx.Param))
    x = jnp.asarray(random.normal(size=(2, 3)), jnp.float32)
    np.testing.assert_array_equal(ours(TOKENS), theirs(jnp.asarray(TOKENS)))
    np.testing.assert_allclose(ours.attend(x), theirs.attend(x), rtol=1e-6)

    graphdef, state = nnx.split(theirs)
    own, _ = nnx.split(ours)

    def scores(graphdef):
        def total(state):
            module = nnx.merge(graphdef, state)
            return jnp.sin(module.attend(module(jnp.asarray(TOKENS)))).sum()

        return jax.tree.leaves(jax.grad(total)(state))

    np.testing.assert_allclose(scores(own), scores(graphdef), rtol=1e-5, atol=1e-6)


def test_attend_asks_each_token_how_much_it_is_like_x_and_shares_the_table():
    layer = Embed(5, 3, rngs=nnx.Rngs(0))
    layer.embedding[...] = jnp.asarray(TABLE)
    assert [path for path, _ in nnx.to_flat_state(nnx.state(layer))] == [("embedding",)]
    scores = layer.attend(layer(TOKENS))
    np.testing.assert_allclose(scores, TABLE[TOKENS] @ TABLE.T, rtol=1e-5, atol=1e-6)
    layer.embedding[...] = 2 * layer.embedding[...]
    np.testing.assert_allclose(layer.attend(layer(TOKENS)), 4 * scores, rtol=1e-5, atol=1e-6)


def test_vectors_begin_with_a_length_near_1_whatever_their_size():
    for features in (10, 1000):
        table = Embed(1000, features, rngs=nnx.Rngs(0)).embedding[...]
        np.testing.assert_allclose((table**2).sum(-1).mean(), 1, rtol=0.05)


@pytest.mark.parametrize("token", [-1, 5])
def test_a_token_outside_the_vocabulary_is_refused_and_compiled_it_is_nan(token):
    """Not the nearest one, nor, for a negative one, a row from the end."""
    layer = Embed(5, 3, rngs=nnx.Rngs(0))
    with pytest.raises(ValueError, match=f"Embed expects tokens from 0 to 4, got {token}"):
        layer(np.array([2, token]))
    with pytest.raises(ValueError, match=f"embed expects tokens from 0 to 4, got {token}"):
        embed(np.array([2, token]), jnp.asarray(TABLE))
    vectors = jax.jit(embed)(np.array([2, token]), jnp.asarray(TABLE))
    np.testing.assert_array_equal(vectors[0], TABLE[2])
    assert jnp.isnan(vectors[1]).all()


def test_constants_of_a_compiled_function_are_known_and_checked_there():
    table, good, bad = jnp.asarray(TABLE), jnp.array([2, 4]), jnp.array([2, 5])
    np.testing.assert_array_equal(jax.jit(lambda scale: scale * embed(good, table))(1.0), TABLE[np.array([2, 4])])
    with pytest.raises(ValueError, match="embed expects tokens from 0 to 4, got 5"):
        jax.jit(lambda scale: scale * embed(bad, table))(1.0)


def test_no_tokens_have_no_vectors():
    assert embed(np.zeros((2, 0), int), jnp.asarray(TABLE)).shape == (2, 0, 3)


def test_what_does_not_fit_is_refused(without_type_checks):
    with pytest.raises(ValueError, match=r"Embed expects tokens in whole numbers, got an array of float64\."):
        Embed(5, 3, rngs=nnx.Rngs(0))(np.array([1.0, 2.0]))
    with pytest.raises(ValueError, match="Embed expects num_embeddings of at least 1, got num_embeddings=0"):
        Embed(0, 3, rngs=nnx.Rngs(0))
    with pytest.raises(ValueError, match=r"Embed.attend expects 3 features on the last axis of x, got x.shape=\(2, 4\)"):
        Embed(5, 3, rngs=nnx.Rngs(0)).attend(jnp.zeros((2, 4)))
