import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from nn.kernels.attention import flash_attention
from nn.kernels.choice import compiling_for
from nn.layers import MultiHeadAttention, attend, attention, attention_weights, causal_mask, dot_product_attention, padding_mask
from nn.models import GPT, GPTConfig

random = np.random.default_rng(0)
BATCH, QUERIES, KEYS, HEADS, DEPTH = 2, 3, 4, 2, 3
Q = random.normal(size=(BATCH, QUERIES, HEADS, DEPTH))
K, V = random.normal(size=(2, BATCH, KEYS, HEADS, DEPTH))
MASK = np.array([[1, 0, 1, 1], [0, 1, 0, 0], [0, 0, 0, 0]], bool)  # the last query may see nothing
NOTHING = 2
SEQUENCE = random.normal(size=(BATCH, KEYS, HEADS, DEPTH)).astype(np.float32)
FEATURES = 6


def single(array):
    return jnp.asarray(array, jnp.float32)


def attend_64(query, key, value, mask):
    """The equation in float64, a matrix at a time."""
    outputs = np.zeros((BATCH, QUERIES, HEADS, DEPTH))
    for b, h in np.ndindex(BATCH, HEADS):
        weights = np.where(mask, np.exp(query[b, :, h] @ key[b, :, h].T / np.sqrt(DEPTH)), 0)
        total = weights.sum(-1, keepdims=True)
        outputs[b, :, h] = weights / np.where(total == 0, 1, total) @ value[b, :, h]
    return outputs


def layer(seed=0, **options):
    return MultiHeadAttention(HEADS, FEATURES, rngs=nnx.Rngs(seed), **options)


def sequences(*shape, seed=1):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), jnp.float32)


@jax.jit
def masked_attention(query, key, value):
    """The output and the gradients of a weighted sum of it."""

    def weighted_sum(*arrays):
        y = dot_product_attention(*arrays, mask=MASK)
        return (jnp.sin(jnp.arange(y.size, dtype=y.dtype)).reshape(y.shape) * y).sum(), y

    return jax.grad(weighted_sum, argnums=(0, 1, 2), has_aux=True)(query, key, value)


def test_values_and_all_gradients_are_those_of_the_equation_in_float64(measured_gradient):
    arrays = (Q, K, V)
    gradients, y = masked_attention(*map(single, arrays))
    np.testing.assert_allclose(y, attend_64(*arrays, MASK), rtol=1e-5, atol=1e-6)

    weights = np.sin(np.arange(Q.size)).reshape(Q.shape)
    for i, gradient in enumerate(gradients):

        def loss(array, i=i):
            return (weights * attend_64(*(array if i == j else other for j, other in enumerate(arrays)), MASK)).sum()

        np.testing.assert_allclose(gradient, measured_gradient(loss, arrays[i]), rtol=1e-4, atol=1e-5)


def test_a_query_that_may_see_nothing_gives_0_and_no_gradient_is_nan():
    gradients, y = masked_attention(single(Q), single(K), single(V))
    np.testing.assert_array_equal(y[:, NOTHING], 0)
    assert all(jnp.isfinite(gradient).all() for gradient in gradients)
    np.testing.assert_array_equal(gradients[0][:, NOTHING], 0)


def test_weights_are_shares_of_what_may_be_seen():
    weights = attention_weights(single(Q), single(K), mask=MASK)
    assert weights.shape == (BATCH, HEADS, QUERIES, KEYS)
    seen = jnp.broadcast_to(MASK, weights.shape)
    np.testing.assert_array_equal(weights > 0, seen)
    np.testing.assert_allclose(weights.sum(-1)[..., :NOTHING], 1, rtol=1e-6)


def test_a_query_like_one_key_alone_finds_its_value():
    """A dictionary: far apart, the keys leave no doubt, and neither do scores that would overflow an exponential."""
    keys = 1e3 * jnp.eye(KEYS)[:, None, :]
    found = dot_product_attention(keys[jnp.array([2, 0])], keys, single(V[0, :, :1]))
    np.testing.assert_allclose(found, V[0, [2, 0], :1], rtol=1e-6)


def test_the_softness_does_not_depend_on_the_depth():
    """Without √depth the largest of 8 shares of random vectors would come near 1 as they grow longer."""
    largest = []
    for depth in (4, 4096):
        query, key = sequences(2, 100, 1, depth)[0], sequences(8, 1, depth, seed=2)
        largest.append(attention_weights(query, key).max(-1).mean())
    np.testing.assert_allclose(largest[0], largest[1], rtol=0.25)


def test_attention_ignores_the_future_under_the_causal_mask():
    """Whatever comes later, not a bit of an output changes, and its gradient by it is exactly 0."""
    x, later = single(SEQUENCE), single(SEQUENCE).at[:, 2:].set(7.0)
    y, changed = (dot_product_attention(x, x, x, is_causal=True) for x in (x, later))
    np.testing.assert_array_equal(y[:, :2], changed[:, :2])
    assert (y[:, 2:] != changed[:, 2:]).any(-1).all()
    by_key, by_value = jax.grad(lambda k, v: dot_product_attention(x, k, v, is_causal=True)[:, :2].sum(), (0, 1))(x, x)
    np.testing.assert_array_equal(by_key[:, 2:], 0)
    np.testing.assert_array_equal(by_value[:, 2:], 0)
    assert (by_value[:, :2] != 0).all()


def test_is_causal_is_the_causal_mask_and_joins_another():
    x, other = single(SEQUENCE), jnp.array([True, False, True, True])
    joined = np.tri(KEYS, dtype=bool) & np.asarray(other)
    np.testing.assert_array_equal(causal_mask(KEYS), np.tri(KEYS, dtype=bool))
    np.testing.assert_array_equal(causal_mask(2, 3), np.tri(2, 3, dtype=bool))
    np.testing.assert_array_equal(
        attention_weights(x, x, mask=other, is_causal=True), attention_weights(x, x, mask=jnp.asarray(joined))
    )


def test_what_is_behind_the_length_does_not_matter():
    lengths = np.array([2, KEYS])
    mask = padding_mask(lengths, KEYS)
    assert mask.shape == (BATCH, 1, 1, KEYS)
    np.testing.assert_array_equal(mask[:, 0, 0].sum(-1), lengths)
    key, value = single(K), single(V)
    padded = [array.at[0, 2:].set(9.0) for array in (key, value)]
    y = dot_product_attention(single(Q), key, value, mask=mask)
    np.testing.assert_array_equal(y, dot_product_attention(single(Q), *padded, mask=mask))
    by_value = jax.grad(lambda v: dot_product_attention(single(Q), key, v, mask=mask).sum())(value)
    np.testing.assert_array_equal(by_value[0, 2:], 0)
    assert (by_value[1] != 0).all()


def test_without_positions_a_sequence_is_a_set():
    """Keys in another order, each with its value, give the same; and so self-attention turns a shuffle into that shuffle."""
    order = np.array([2, 0, 3, 1])
    query, key, value = map(single, (Q, K, V))
    shuffled = dot_product_attention(query, key[:, order], value[:, order])
    np.testing.assert_allclose(dot_product_attention(query, key, value), shuffled, rtol=1e-5, atol=1e-6)
    attention, x = layer(), sequences(BATCH, KEYS, FEATURES)
    np.testing.assert_allclose(attention(x[:, order]), attention(x)[:, order], rtol=1e-5, atol=1e-6)


def test_grouped_keys_are_keys_repeated_for_neighbouring_heads():
    query, key, value = sequences(3, 4, DEPTH), sequences(5, 2, DEPTH, seed=2), sequences(5, 2, DEPTH, seed=3)
    repeated = [array[:, np.array([0, 0, 1, 1])] for array in (key, value)]
    np.testing.assert_array_equal(dot_product_attention(query, key, value), dot_product_attention(query, *repeated))


def test_in_bfloat16_the_softmax_is_that_of_float32():
    """256 equal scores: a sum of shares kept to 8 bits would stop growing before it reaches 1."""
    query, key = (jnp.zeros((n, 1, 2), jnp.bfloat16) for n in (1, 256))
    weights = attention_weights(query, key)
    assert weights.dtype == jnp.bfloat16
    np.testing.assert_array_equal(weights.astype(jnp.float32), 1 / 256)
    wide = attention_weights(*(single(array).astype(jnp.bfloat16).astype(jnp.float32) for array in (Q, K)))
    narrow = attention_weights(*(single(array).astype(jnp.bfloat16) for array in (Q, K)))
    np.testing.assert_allclose(narrow.astype(jnp.float32), wide, rtol=2**-6)


def test_dropout_silences_each_weight_on_its_own_and_keeps_the_mean():
    """With equal scores and the identity as values, the output is the weights."""
    query, key = jnp.zeros((50, 1, 2)), jnp.zeros((40, 1, 2))
    options = dict(dropout_rate=0.75, dropout_key=jax.random.key(0))
    weights = dot_product_attention(query, key, jnp.eye(40)[:, None], **options)[:, 0]
    np.testing.assert_allclose(np.unique(weights), [0, 4 / 40], rtol=1e-6)
    np.testing.assert_allclose((weights > 0).mean(), 0.25, atol=0.05)  # 2,000 weights: five standard errors
    assert len(np.unique(np.asarray(weights) > 0, axis=0)) == 50


def test_dropout_is_off_in_evaluation():
    attention, x = layer(dropout_rate=0.5), sequences(BATCH, KEYS, FEATURES)
    assert (attention(x) != attention(x)).any()
    plain = layer()(x)
    np.testing.assert_array_equal(attention(x, deterministic=True), plain)
    attention.eval()
    np.testing.assert_array_equal(attention(x), plain)


def test_its_weights_on_the_values_are_its_output():
    attention, x, memory = layer(num_kv_heads=1, in_kv_features=5), sequences(2, 3, FEATURES), sequences(2, 4, 5)
    mask = padding_mask(np.array([2, 4]), 4)
    weights = attention.weights(x, memory, mask=mask)
    assert weights.shape == (2, HEADS, 3, 4)
    value = attention.value(memory)[:, :, 0]
    np.testing.assert_allclose(
        attention.out(jnp.einsum("bhqk,bkd->bqhd", weights, value)), attention(x, memory, mask=mask), rtol=1e-5, atol=1e-6
    )


def test_values_may_come_from_elsewhere_than_keys():
    attention, x = layer(), sequences(KEYS, FEATURES)
    np.testing.assert_array_equal(attention(x, x, x), attention(x))
    assert (attention(x, x, -x) != attention(x)).all()


@pytest.mark.parametrize("kv_heads", [HEADS, 1])
def test_cached_decoding_is_full_decoding_token_by_token_and_several_at_once(kv_heads):
    attention, x = layer(num_kv_heads=kv_heads), sequences(BATCH, 5, FEATURES)
    graphdef, state = nnx.split(attention)

    @jax.jit
    def decoded(state, x):
        attention = nnx.merge(graphdef, state)
        full = attention(x, is_causal=True)
        decodings = []
        for pieces in ((1, 1, 1, 1, 1), (3, 1, 1), (5,), (2, 3)):
            attention.init_cache((BATCH, 7, FEATURES))  # room that is not used must not be seen
            parts = jnp.split(x, np.cumsum(pieces)[:-1].tolist(), axis=1)
            decodings.append(jnp.concatenate([attention(part, decode=True) for part in parts], axis=1))
        return full, decodings, attention.cached_key.shape

    full, decodings, shape = decoded(state, x)
    assert shape == (BATCH, 7, kv_heads, FEATURES // HEADS)  # fewer heads of keys, a smaller cache
    for decoding in decodings:
        np.testing.assert_allclose(decoding, full, rtol=1e-5, atol=1e-6)


def test_compiled_decoding_past_the_end_of_the_cache_is_nan():
    attention = MultiHeadAttention(2, 4, rngs=nnx.Rngs(0))
    attention.init_cache((1, 2, 4))
    step = nnx.jit(lambda attention, x: attention(x, decode=True))
    broken = [bool(jnp.isnan(step(attention, jnp.ones((1, 1, 4)))).any()) for _ in range(3)]
    assert broken == [False, False, True]


def test_a_cache_that_is_missing_full_or_of_another_batch_is_refused():
    attention, x = layer(), sequences(BATCH, 2, FEATURES)
    with pytest.raises(ValueError, match="expects init_cache before it decodes, and there is no cache"):
        attention(x, decode=True)
    attention.init_cache((BATCH, 3, FEATURES))
    attention(x, decode=True)
    with pytest.raises(ValueError, match="expects at most 3 positions, as many as its cache has room for, got 2 behind 2"):
        attention(x, decode=True)
    with pytest.raises(ValueError, match=r"expects the batch that its cache was made for, \(2,\), got \(1,\)"):
        attention(x[:1], decode=True)
    attention.init_cache((BATCH, 3, FEATURES))  # begins again
    attention(x, decode=True)


def test_what_does_not_fit_is_refused(without_type_checks):
    rngs, x = nnx.Rngs(0), jnp.zeros((2, FEATURES))
    q, k = jnp.zeros((3, 4, 2)), jnp.zeros((5, 4, 2))
    for refused, message in [
        (lambda: MultiHeadAttention(4, 6, rngs=rngs), "expects heads that divide the width, got 4 heads and 6 features"),
        (lambda: MultiHeadAttention(4, 8, num_kv_heads=3, rngs=rngs), "got num_heads=4 and num_kv_heads=3"),
        (lambda: MultiHeadAttention(0, 8, rngs=rngs), "expects num_heads of at least 1, got num_heads=0"),
        (lambda: layer()(x[:, 1:]), r"expects 6 features on the last axis of x, got x.shape=\(2, 5\)"),
        (lambda: layer()(x, x[:, 1:]), r"\(keys\) expects 6 features on the last axis of x, got x.shape=\(2, 5\)"),
        (lambda: layer()(x, x, x[:, 1:]), r"\(values\) expects 6 features on the last axis of x, got x.shape=\(2, 5\)"),
        (lambda: attention_weights(q, k[..., 1:]), r"of one depth.*got query.shape=\(3, 4, 2\) and key.shape=\(5, 4, 1\)"),
        (lambda: attention_weights(q, k[:, 1:]), r"heads of queries in groups.*key.shape=\(5, 3, 2\)"),
        (lambda: dot_product_attention(q, k, k[1:]), r"expects a value for each key.*value.shape=\(4, 4, 2\)"),
        (lambda: padding_mask(np.array([2.5]), 5), "padding_mask expects lengths in whole numbers, got an array of float64"),
        (lambda: padding_mask(np.array([2, 6]), 5), "padding_mask expects lengths from 0 to 5, got 6"),
        (lambda: padding_mask(np.array([-1]), 5), "padding_mask expects lengths from 0 to 5, got -1"),
    ]:
        with pytest.raises(ValueError, match=message):
            refused()


@pytest.fixture
def in_blocks(monkeypatch):
    """The shapes of the queries that are attended to block by block."""
    seen = []

    def recorded(query, *arrays, **options):
        seen.append(query.shape)
        return flash_attention(query, *arrays, **options)

    monkeypatch.setattr(attention, "flash_attention", recorded)
    return seen


@pytest.mark.parametrize("is_causal", [False, True])
def test_long_sequences_go_in_blocks_and_come_out_as_by_the_equation(in_blocks, is_causal):
    query, key, value = sequences(1, 260, 4, 8), sequences(1, 260, 2, 8, seed=2), sequences(1, 260, 2, 8, seed=3)

    def with_gradients(function):
        y, back = jax.vjp(lambda *arrays: function(*arrays, is_causal=is_causal), query, key, value)
        return y, *back(jnp.cos(y))

    with compiling_for("cpu"):
        ours = with_gradients(attend)
    assert in_blocks == [query.shape]
    for one, other in zip(ours, with_gradients(dot_product_attention), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_what_blocks_cannot_do_goes_by_the_equation(in_blocks):
    long = sequences(1, 260, 1, 2)
    with compiling_for("cpu"):
        for options in (
            dict(mask=causal_mask(260)),
            dict(dropout_rate=0.5, dropout_key=jax.random.key(0)),
            dict(implementation="reference"),
        ):
            np.testing.assert_array_equal(
                attend(long, long, long, **options),
                dot_product_attention(
                    long, long, long, **{name: option for name, option in options.items() if name != "implementation"}
                ),
            )
        short = long[:, :200]
        np.testing.assert_array_equal(attend(short, short, short), dot_product_attention(short, short, short))
        np.testing.assert_array_equal(
            attend(long, long, long.astype(jnp.bfloat16)), dot_product_attention(long, long, long.astype(jnp.bfloat16))
        )
    assert not in_blocks


def test_a_layer_takes_a_form_by_name_and_says_what_it_cannot_do(in_blocks):
    x = sequences(2, 5, FEATURES)
    by_name = layer(implementation="xla")
    np.testing.assert_allclose(by_name(x), layer()(x), rtol=1e-5, atol=1e-6)
    assert in_blocks == [(2, 5, HEADS, FEATURES // HEADS)]
    with pytest.raises(ValueError, match=r"flash_attention\(implementation='xla'\) cannot run here, because .* no mask"):
        by_name(x, mask=causal_mask(5))
    with pytest.raises(ValueError, match=r"attend\(implementation='xla'\) cannot run here, because blocks have no dropout"):
        layer(implementation="xla", dropout_rate=0.5)(x)


def test_gpt_attends_in_blocks_when_it_is_long(in_blocks):
    model = GPT(GPTConfig.small(vocabulary=7, length=256, layers=1), rngs=nnx.Rngs(0))
    model(jnp.zeros((1, 256), jnp.int32))
    assert in_blocks == [(1, 256, 4, 16)]
