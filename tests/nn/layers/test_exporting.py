"""A program is exported once for any number of examples, and computes what the layer computes, forward and back."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax import export

from nn.layers import RNN, Conv, ConvTranspose, LayerNorm, Linear, LSTMCell, MultiHeadAttention, OptimizedLSTMCell, max_pool

# What makes the layer, and the shape of an example.
LAYERS = {
    "Linear": (partial(Linear, 5, 3), (5,)),
    "LayerNorm": (partial(LayerNorm, 5), (4, 5)),
    "Conv": (partial(Conv, 3, 32, (3, 3)), (6, 6, 3)),
    "Conv of one channel, strided": (partial(Conv, 1, 4, (3, 3), strides=2), (7, 6, 1)),
    "ConvTranspose": (partial(ConvTranspose, 3, 4, (4, 4), strides=(2, 2)), (3, 3, 3)),
    "max_pool, windows that touch": (lambda rngs: partial(max_pool, window_shape=(2, 2), strides=(2, 2)), (5, 6, 3)),
    "max_pool, windows that overlap": (lambda rngs: partial(max_pool, window_shape=(3, 3), strides=(2, 2)), (5, 6, 3)),
    "LSTM": (lambda rngs: RNN(LSTMCell(3, 4, rngs=rngs)), (5, 3)),
    "LSTM, the walk": (lambda rngs: RNN(OptimizedLSTMCell(3, 4, rngs=rngs)), (5, 3)),
    "MultiHeadAttention": (partial(MultiHeadAttention, 2, 6, decode=False), (5, 6)),
    "MultiHeadAttention, long": (partial(MultiHeadAttention, 1, 4, decode=False), (256, 4)),
}


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.usefixtures("without_type_checks")  # sizes are annotated as whole numbers, and a symbol is none
def test_a_program_may_be_exported_for_any_number_of_examples(name):
    make, shape = LAYERS[name]
    layer = make(rngs=nnx.Rngs(0))

    def forward_and_back(x):
        y, back = jax.vjp(layer, x)
        return y, *back(jnp.cos(y))

    (examples,) = export.symbolic_shape("examples")
    exported = export.export(jax.jit(forward_and_back))(jax.ShapeDtypeStruct((examples, *shape), jnp.float32))
    for count in (1, 3):
        x = jnp.asarray(np.random.default_rng(0).normal(size=(count, *shape)), jnp.float32)
        for result, truth in zip(exported.call(x), jax.jit(forward_and_back)(x), strict=True):
            np.testing.assert_allclose(result, truth, rtol=1e-5, atol=1e-6)
