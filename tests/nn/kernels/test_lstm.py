"""What is the walk's own, beside what conftest.py has every kernel tested for: steps, the layer's walk, and what it keeps."""

import re
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from nn.kernels.choice import compiling_for
from nn.kernels.lstm import lstm, lstm_form, lstm_step
from nn.layers.recurrent import RNN, OptimizedLSTMCell

FORMS: dict[str, dict[str, Any]] = {
    form: {"implementation": form, "interpret": form in ("mosaic", "triton")}
    for form in ("reference", "xla", "mosaic", "triton")
}


def draw(*shapes):
    random = np.random.default_rng(0)
    return [jnp.asarray(random.normal(size=shape), jnp.float32) for shape in shapes]


def test_a_walk_is_its_steps_one_after_the_other():
    """Of any length: a second walk may go on where a first one ended."""
    xs, h0, c0, *weights = draw((3, 2, 3), (2, 4), (2, 4), (3, 16), (4, 16), (16,))

    def every_way(form):
        first, (h, c) = lstm(xs[:2], h0, c0, *weights, **FORMS[form])
        return first, (h, c), lstm_step(xs[2], h, c, *weights, **FORMS[form])

    hs, last = lstm(xs, h0, c0, *weights, implementation="reference")
    for first, (h, _), (next_h, next_c) in jax.jit(lambda: [every_way(form) for form in FORMS])():
        np.testing.assert_allclose(jnp.concatenate([first, next_h[None]]), hs, atol=1e-6)
        np.testing.assert_allclose(h, hs[1], atol=1e-6)
        np.testing.assert_allclose((next_h, next_c), last, atol=1e-6)


def test_it_is_the_walk_of_the_layer_with_the_same_weights():
    """OptimizedLSTMCell has them in the same order."""
    rnn = RNN(OptimizedLSTMCell(3, 4, rngs=nnx.Rngs(0)), time_major=True, return_carry=True)
    xs, h, c = draw((5, 2, 3), (2, 4), (2, 4))
    cell = rnn.cell
    cell.dense_h.bias[...] = jnp.linspace(-1, 1, 16)
    walk = partial(lstm, xs, h, c, cell.dense_i.kernel[...], cell.dense_h.kernel[...], cell.dense_h.bias[...])
    (last_c, last_h), hs = rnn(xs, initial_carry=(c, h))
    for ours in jax.jit(lambda: [walk(**FORMS[form]) for form in ("reference", "xla")])():
        for result, layer in zip(jax.tree.leaves(ours), (hs, last_h, last_c), strict=True):
            np.testing.assert_allclose(result, layer, atol=1e-6)


@pytest.mark.parametrize("form", ["reference", "xla"])
def test_with_lengths_each_sequence_is_walked_by_itself(form):
    """Values and all gradients are those of walks over the real steps, and what is behind these is not looked at."""
    lengths = np.array([[5, 1], [3, 4]])
    xs, h0, c0, *weights = draw((5, 2, 2, 3), (2, 2, 4), (2, 2, 4), (3, 16), (4, 16), (16,))

    def total(hs, h, c):  # a weight of its own for every number
        return sum((array * jnp.cos(jnp.arange(array.size)).reshape(array.shape)).sum() for array in (hs, h, c))

    def together(arrays):
        hs, (h, c) = lstm(*arrays, lengths=jnp.asarray(lengths), implementation=form)
        return total(hs, h, c), (hs, h, c)

    def one_by_one(arrays):
        (xs, h0, c0), weights = arrays[:3], arrays[3:]
        hs, h, c = jnp.zeros((5, 2, 2, 4)), *[jnp.zeros((2, 2, 4))] * 2
        for row, length in np.ndenumerate(lengths):
            outputs, last = lstm(xs[:length, *row], h0[row], c0[row], *weights, implementation="reference")
            hs, h, c = hs.at[:length, *row].set(outputs), h.at[row].set(last[0]), c.at[row].set(last[1])
        return total(hs, h, c), (hs, h, c)

    def both(arrays, arrays_with_other_padding):
        ways = (together, arrays), (one_by_one, arrays), (together, arrays_with_other_padding)
        return [jax.value_and_grad(way, has_aux=True)(arrays) for way, arrays in ways]

    padding = np.arange(5)[:, None, None] >= lengths
    arrays = xs, h0, c0, *weights
    ours, expected, other = jax.jit(both)(arrays, (jnp.where(padding[..., None], 1000.0, xs), *arrays[1:]))
    for result, sought in zip(jax.tree.leaves(ours), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(result, sought, rtol=1e-5, atol=1e-5)
    jax.tree.map(np.testing.assert_array_equal, ours, other)
    np.testing.assert_array_equal(ours[0][1][0][padding], 0)
    np.testing.assert_array_equal(ours[1][0][padding], 0)


@pytest.mark.parametrize("form", FORMS)
def test_the_batch_may_come_first(form):
    xs, h0, c0, *weights = draw((3, 2, 2, 3), (2, 2, 4), (2, 2, 4), (3, 16), (4, 16), (16,))

    @jax.jit
    def both(xs):
        hs, last = lstm(xs, h0, c0, *weights, **FORMS[form])
        return (hs, last), lstm(jnp.moveaxis(xs, 0, -2), h0, c0, *weights, time_major=False, **FORMS[form])

    (hs, last), (outputs, end) = both(xs)
    np.testing.assert_allclose(jnp.moveaxis(outputs, -2, 0), hs, atol=1e-6)
    np.testing.assert_allclose(end, last, atol=1e-6)


def test_left_to_itself_on_a_cpu_it_arranges_the_walks_that_are_large_enough():
    def arrays(rows, hidden):
        return draw((2, rows, 3), (rows, hidden), (rows, hidden), (3, 4 * hidden), (hidden, 4 * hidden), (4 * hidden,))

    with compiling_for("cpu"):
        assert [lstm_form(*arrays(rows, hidden)) for rows, hidden in ((1, 16), (32, 64))] == ["reference", "xla"]
    for machine in ("gpu", "tpu"):
        with compiling_for(machine):
            assert lstm_form(*arrays(32, 64)) == "reference"


@pytest.mark.parametrize(
    ("form", "gates"), [("xla", "f32[7,16,2]"), ("mosaic", "f32[7,4,16,128]"), ("triton", "f32[7,4,16,16]")]
)
def test_gates_are_kept_only_for_gradients(form, gates):
    arrays = draw((7, 2, 3), (2, 4), (2, 4), (3, 16), (4, 16), (16,))
    walk = partial(lstm, **FORMS[form])
    walks = walk, lambda *arrays: jax.vjp(walk, *arrays)[0]
    # Beside the gates a Pallas form has x W for all steps, in their shape, in both.
    without, with_gradients = (str(jax.make_jaxpr(walk)(*arrays)).count(gates) for walk in walks)
    assert without < with_gradients


X, H, W_X, W_H, B = (np.ones(shape, np.float32) for shape in ((5, 2, 3), (2, 4), (3, 16), (4, 16), (16,)))
EXPECTS = [
    (
        lambda: lstm(X[:0], H, H, W_X, W_H, B),
        "lstm expects xs (time, *batch, inputs) with a step at least, got xs.shape=(0, 2, 3).",
    ),
    (
        lambda: lstm(X[:, :0], H, H, W_X, W_H, B, time_major=False),
        "lstm expects xs (*batch, time, inputs) with a step at least, got xs.shape=(5, 0, 3).",
    ),
    (
        lambda: lstm(X, H, H, W_X, W_H, B, lengths=np.array([1, 2, 3])),
        "lstm expects a length for each sequence, (2,), got (3,).",
    ),
    (
        lambda: lstm(X, H, H, W_X, W_H, B, lengths=np.array([1, 2]), **FORMS["mosaic"]),
        "lstm(implementation='mosaic') cannot run here, because it walks over all steps, and takes no lengths.",
    ),
    (
        lambda: lstm(X, H, H[:1], W_X, W_H, B),
        "lstm expects for inputs (2, 3) of a step h and c (2, hidden), w_x (3, 4 hidden), w_h (hidden, 4 hidden) and bias "
        "(4 hidden,), got (2, 4), (1, 4), (3, 16), (4, 16) and (16,).",
    ),
    (
        lambda: lstm_step(X[0], H, H, W_H, W_X, B),
        "lstm_step expects for inputs (2, 3) of a step h and c (2, hidden), w_x (3, 4 hidden), w_h (hidden, 4 hidden) and bias "
        "(4 hidden,), got (2, 4), (2, 4), (4, 16), (3, 16) and (16,).",
    ),
    (
        lambda: lstm(X, H, H, W_X, W_H, jnp.bfloat16(B)),
        "lstm expects arrays of one floating-point dtype, got bfloat16 and float32.",
    ),
    (
        lambda: lstm(X, H, H, W_X, W_H, B, implementation="pallas"),
        "lstm(implementation='pallas') needs a TPU or a GPU, and this program is for a cpu. "
        "implementation='mosaic' or 'triton' with interpret=True computes what the kernel would.",
    ),
    (
        lambda: lstm_step(*(jnp.ones(s) for s in ((3,), *[(1025,)] * 2, (3, 4100), (1025, 4100), (4100,))), **FORMS["mosaic"]),
        "lstm_step(implementation='mosaic') cannot run here, because it takes 1024 hidden units at most, and got 1025.",
    ),
]


@pytest.mark.usefixtures("without_type_checks")
@pytest.mark.parametrize(("call", "sentence"), EXPECTS)
def test_what_does_not_fit_is_said(call, sentence):
    with compiling_for("cpu"), pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        call()
