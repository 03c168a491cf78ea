"""Layer normalization of every row: mean, variance and result in one visit, where the equation makes three.

The math, for a row x of n numbers and the gradient g of its result:

    r = 1 / √(var x + ε)        x̂ = (x − mean x) · r        y = x̂ · scale + bias

    h = g · scale        dx = r (h − mean h − x̂ · mean(h x̂))        dscale = Σ g x̂        dbias = Σ g, over the rows

(Ba, Kiros and Hinton 2016, "Layer Normalization", eq. 4; the gradients are its derivatives.) Of N numbers N are read and N
written, and backward 2N read and N written: mean and r are found again there, which is cheaper than having kept them. Ten
operations a number, and twenty backward, so the bytes decide, as for softmax. dscale and dbias sum over rows that different
programs hold: each program writes its own sums, two rows for the rows of its block, and XLA adds them up.

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
Vector = Float[Array, " features"]


def layer_norm(
    x: Float[Array, "*batch features"],
    scale: Vector,
    bias: Vector,
    *,
    epsilon: float = 1e-6,
    implementation: Implementation | None = None,
    interpret: bool = False,
) -> Float[Array, "*batch features"]:
    """(x − mean) / √(var + ε) · scale + bias along the last axis, computed in float32 or better and returned in the dtype of x.

    Args:
      x: any number of leading axes.
      scale: one factor for each feature.
      bias: one shift for each feature.
      epsilon: added to the variance, which divides by n.
      implementation: which form computes it. None is "xla" everywhere: XLA fuses this equation well, if it is one of rows,
        and the Pallas forms "mosaic" (TPU) and "triton" (GPU) have never run on real hardware. They have first
        derivatives only, in reverse mode. On a mesh each device takes an equal part of the rows.
      interpret: run a Pallas form in Pallas's interpreter, on any platform and slowly.

    Raises:
      ValueError: if the sizes do not fit, x holds no floating-point numbers, or the named form cannot run.
    """
    if x.ndim == 0 or not jnp.issubdtype(x.dtype, jnp.floating):
        raise ValueError(f"layer_norm expects floating-point x with an axis at least, got x.shape={x.shape} of {x.dtype}.")
    if scale.shape != x.shape[-1:] or bias.shape != x.shape[-1:]:
        raise ValueError(
            f"layer_norm expects scale and bias of shape {x.shape[-1:]} for x.shape={x.shape}, "
            f"got scale.shape={scale.shape} and bias.shape={bias.shape}."
        )
    refused = partial(refusals, interpret, x, scale, bias, row=x.shape[-1], examples=prod(x.shape[:-1]))
    form = choose("layer_norm", implementation, best=("xla",), refused_by_pallas=refused)
    if form == "reference":
        return layer_norm_reference(x, scale, bias, epsilon=epsilon)
    if form == "xla":
        return layer_norm_xla(x, scale, bias, epsilon=epsilon)
    kernel = lambda rows, *vectors: _layer_norm_pallas(rows, *vectors, epsilon, form, interpret)  # noqa: E731
    return per_device(kernel, [x.reshape(-1, x.shape[-1])], [scale, bias]).reshape(x.shape)


def layer_norm_reference(
    x: Float[Array, "*batch features"], scale: Vector, bias: Vector, *, epsilon: float = 1e-6
) -> Float[Array, "*batch features"]:
    """The equation. The vectors are widened too, for their gradients are sums over all rows."""
    wide, scale, bias = (array.astype(jnp.promote_types(x.dtype, jnp.float32)) for array in (x, scale, bias))
    centred = wide - wide.mean(-1, keepdims=True)
    normalized = centred * jax.lax.rsqrt((centred**2).mean(-1, keepdims=True) + epsilon)
    return (normalized * jnp.broadcast_to(scale, x.shape) + jnp.broadcast_to(bias, x.shape)).astype(x.dtype)


def layer_norm_xla(
    x: Float[Array, "*batch features"], scale: Vector, bias: Vector, *, epsilon: float = 1e-6
) -> Float[Array, "*batch features"]:
    """The equation on one matrix of rows, whatever axes x has.

    Then dscale and dbias are sums over one axis. Over several, XLA for a CPU writes for each such sum all that it is of, and
    computes it from far back: in a GPT of 4 layers, where one normalization follows another, a sixth of a training step.
    """
    rows = x.reshape(prod(x.shape[:-1]), x.shape[-1])
    return layer_norm_reference(rows, scale, bias, epsilon=epsilon).reshape(x.shape)


def _normalized(x, here, features, epsilon):
    """x̂ and r. What sticks out of the row is 0 before and after, and counts in no mean."""
    centred = jnp.where(here, x - x.sum(-1, keepdims=True) / features, 0.0)
    r = jax.lax.rsqrt((centred**2).sum(-1, keepdims=True) / features + epsilon)
    return jnp.where(here, centred * r, 0.0), r  # without ε, r is infinite in rows that are not there


def _forward(x_ref, scale_ref, bias_ref, y_ref, *, form, shape, epsilon):
    here = inside(x_ref.shape, shape, pl.program_id(0) * x_ref.shape[0])
    column = inside(scale_ref.shape, shape)
    scale, bias = load(form, scale_ref, column, 0.0), load(form, bias_ref, column, 0.0)
    normalized, _ = _normalized(load(form, x_ref, here, 0.0), here, shape[1], epsilon)
    store(form, y_ref, here, normalized * scale + bias)


def _backward(x_ref, scale_ref, g_ref, dx_ref, dscale_ref, dbias_ref, *, form, shape, epsilon):
    here = inside(x_ref.shape, shape, pl.program_id(0) * x_ref.shape[0])
    column = inside(scale_ref.shape, shape)
    g = load(form, g_ref, here, 0.0)
    normalized, r = _normalized(load(form, x_ref, here, 0.0), here, shape[1], epsilon)
    h = g * load(form, scale_ref, column, 0.0)
    mean_h, mean_hx = (terms.sum(-1, keepdims=True) / shape[1] for terms in (h, h * normalized))
    store(form, dx_ref, here, r * (h - mean_h - normalized * mean_hx))
    store(form, dscale_ref, column, (g * normalized).sum(0, keepdims=True))
    store(form, dbias_ref, column, g.sum(0, keepdims=True))


def _by_rows(kernel, form: str, interpret: bool, epsilon: float, arrays: tuple[Array, ...], sums: int):
    """Runs a kernel on every block of rows of x, the first array. It writes rows like x, and `sums` sums over each block."""
    x = arrays[0]
    block = block_of_rows(form, *x.shape)
    blocks = pl.cdiv(x.shape[0], block[0])
    rows, vector = pl.BlockSpec(block, lambda i: (i, 0)), pl.BlockSpec((1, block[1]), lambda i: (0, 0))
    # A matrix for each block, of one row: as one row of a matrix its height would be no multiple of 8.
    own_row = pl.BlockSpec((None, 1, block[1]), lambda i: (i, 0, 0))
    return pl.pallas_call(
        partial(kernel, form=form, shape=x.shape, epsilon=epsilon),
        grid=(blocks,),
        in_specs=[vector if array.ndim == 1 else rows for array in arrays],
        out_specs=[rows] + [own_row] * sums,
        out_shape=[jax.ShapeDtypeStruct(x.shape, x.dtype)]
        + [jax.ShapeDtypeStruct((blocks, 1, x.shape[1]), jnp.float32)] * sums,
        name=f"layer_norm{kernel.__name__}",
        **compiler(form, interpret, order=("parallel",), numbers=block[0] * block[1]),
    )(*(array.reshape(-1, x.shape[1]) for array in arrays))


def _result(x: Rows, scale: Vector, bias: Vector, epsilon: float, form: str, interpret: bool) -> Rows:
    return _by_rows(_forward, form, interpret, epsilon, (x, scale, bias), sums=0)[0]


def _result_and_residuals(x, scale, bias, epsilon, form, interpret):
    return _result(x, scale, bias, epsilon, form, interpret), (x, scale, bias)


def _gradients(epsilon, form, interpret, residuals, g):
    x, scale, bias = residuals
    dx, dscale, dbias = _by_rows(_backward, form, interpret, epsilon, (x, scale, g), sums=2)
    return dx, dscale.sum((0, 1)).astype(scale.dtype), dbias.sum((0, 1)).astype(bias.dtype)


_layer_norm_pallas = jax.custom_vjp(_result, nondiff_argnums=(3, 4, 5))
_layer_norm_pallas.defvjp(_result_and_residuals, _gradients)
