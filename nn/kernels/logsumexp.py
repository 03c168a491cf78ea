"""log Σ eˣ of every row: the smallest whole kernel of this folder, to be read before the others.

The math, for a row x: log Σ exp(x − max x) + max x. Of n numbers n are read, and one is written for each row. A loss over many
classes needs this number of every example, and not the probabilities, which are as large as the scores.

It has been interpreted, and lowered for a TPU that was not there. It has never run on real hardware.
"""

import jax
import jax.numpy as jnp
from jax.experimental import pallas as pl
from jaxtyping import Array, Float


def logsumexp(x: Float[Array, "rows features"], *, block: int = 8, interpret: bool = False) -> Float[Array, " rows"]:
    """log Σ eˣ along each row, by a Pallas kernel for a TPU that works on a block of whole rows at a time.

    Computed in float32 and returned in the dtype of x. It has no gradient.

    Args:
      x: scores.
      block: rows in a block; the last block may stick out. A TPU asks for a multiple of 8.
      interpret: run the kernel in Pallas's interpreter, on any platform and slowly.

    Raises:
      ValueError: if x holds no numbers, or block is below 1.
    """
    if x.size == 0 or block < 1:
        raise ValueError(f"logsumexp expects numbers and a block of 1 row at least, got x.shape={x.shape} and block={block}.")
    rows, features = x.shape
    column = pl.pallas_call(
        _logsumexp_of_a_block,
        grid=(pl.cdiv(rows, block),),
        in_specs=[pl.BlockSpec((block, features), lambda i: (i, 0))],  # program i: block i of the rows, and all features
        out_specs=pl.BlockSpec((block, 1), lambda i: (i, 0)),
        out_shape=jax.ShapeDtypeStruct((rows, 1), x.dtype),
        interpret=interpret,
    )(x)
    return column[:, 0]


def _logsumexp_of_a_block(x_ref, y_ref):
    x = x_ref[...].astype(jnp.float32)
    largest = x.max(1, keepdims=True)
    y_ref[...] = (jnp.log(jnp.exp(x - largest).sum(1, keepdims=True)) + largest).astype(y_ref.dtype)
