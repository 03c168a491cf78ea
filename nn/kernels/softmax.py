"""Softmax of every row: a kernel reads a row once and writes it once, where the equation reads it three times.

The math, for a row x and the gradient g of its result:

    p = exp(x − max x) / Σ exp(x − max x)        dx = p (g − Σ g p)

Of n numbers n are read and n written, and backward 2n read and n written; some five operations a number, an exponential among
them. An accelerator does dozens of operations in the time that moves one number, so bytes alone decide. XLA fuses the equation
into a few passes by its own judgement; a kernel of one's own says how many there are.

The Pallas forms have been interpreted, and compiled for machines that were not there. They have never run on real hardware.
"""

from functools import partial
from math import prod

import jax
import jax.numpy as jnp
from jax.experimental import pallas as pl
from jaxtyping import Array, Float

from nn.kernels.blocks import block_of_rows, compiler, inside, load, refusals, store
from nn.kernels.choice import Implementation, choose
from nn.kernels.devices import per_device

Rows = Float[Array, "rows features"]


def softmax(
    x: Float[Array, "*batch features"], *, implementation: Implementation | None = None, interpret: bool = False
) -> Float[Array, "*batch features"]:
    """eˣ / Σ eˣ along the last axis, computed in float32 or better and returned in the dtype of x.

    Args:
      x: scores, with any number of leading axes.
      implementation: which form computes it. None is "xla" everywhere, here the same as "reference": XLA fuses this equation
        well, and the Pallas forms "mosaic" (TPU) and "triton" (GPU) have never run on real hardware. They have first
        derivatives only, in reverse mode. On a mesh each device takes an equal part of the rows.
      interpret: run a Pallas form in Pallas's interpreter, on any platform and slowly.

    Raises:
      ValueError: if x has no axis or no floating-point numbers, or the named form cannot run.
    """
    if x.ndim == 0 or not jnp.issubdtype(x.dtype, jnp.floating):
        raise ValueError(f"softmax expects floating-point x with an axis at least, got x.shape={x.shape} of {x.dtype}.")
    refused = partial(refusals, interpret, x, row=x.shape[-1], examples=prod(x.shape[:-1]))
    form = choose("softmax", implementation, best=("xla",), refused_by_pallas=refused)
    if form in ("reference", "xla"):
        return softmax_reference(x)
    return per_device(lambda rows: _softmax_pallas(rows, form, interpret), [x.reshape(-1, x.shape[-1])]).reshape(x.shape)


def softmax_reference(x: Float[Array, "*batch features"]) -> Float[Array, "*batch features"]:
    """The equation. Taking the largest score off all changes nothing, and keeps every exponent at or below 0."""
    wide = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    unnormalized = jnp.exp(wide - jax.lax.stop_gradient(wide.max(-1, keepdims=True)))
    return (unnormalized / unnormalized.sum(-1, keepdims=True)).astype(x.dtype)


def _forward(x_ref, p_ref, *, form, shape):
    here = inside(x_ref.shape, shape, pl.program_id(0) * x_ref.shape[0])
    # −∞ adds nothing to a sum of exponentials.
    store(form, p_ref, here, softmax_reference(load(form, x_ref, here, -jnp.inf)))


def _backward(p_ref, g_ref, dx_ref, *, form, shape):
    here = inside(p_ref.shape, shape, pl.program_id(0) * p_ref.shape[0])
    p, g = load(form, p_ref, here, 0.0), load(form, g_ref, here, 0.0)
    store(form, dx_ref, here, p * (g - (g * p).sum(-1, keepdims=True)))


def _by_rows(kernel, form: str, interpret: bool, *arrays: Rows) -> Rows:
    """Runs a kernel on every block of rows of its arrays, all of one shape; its result has that shape too."""
    shape, dtype = arrays[0].shape, arrays[0].dtype
    block = block_of_rows(form, *shape)
    spec = pl.BlockSpec(block, lambda i: (i, 0))
    return pl.pallas_call(
        partial(kernel, form=form, shape=shape),
        grid=(pl.cdiv(shape[0], block[0]),),
        in_specs=[spec] * len(arrays),
        out_specs=spec,
        out_shape=jax.ShapeDtypeStruct(shape, dtype),
        name=f"softmax{kernel.__name__}",
        **compiler(form, interpret, order=("parallel",), numbers=block[0] * block[1]),
    )(*arrays)


def _probabilities(x: Rows, form: str, interpret: bool) -> Rows:
    return _by_rows(_forward, form, interpret, x)


def _probabilities_and_residuals(x, form, interpret):
    p = _probabilities(x, form, interpret)
    return p, p


def _gradient(form, interpret, p, g):
    return (_by_rows(_backward, form, interpret, p, g),)


_softmax_pallas = jax.custom_vjp(_probabilities, nondiff_argnums=(1, 2))
_softmax_pallas.defvjp(_probabilities_and_residuals, _gradient)
