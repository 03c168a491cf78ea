"""Matrix product with bias and activation: tiles of the result summed up where arithmetic is, and finished before they leave.

The math, for the gradient g of the result:

    z = x w + b        y = f(z)        dz = g f′(z)        dx = dz wᵀ        dw = xᵀ dz        db = Σ dz, over the rows

x (m, k) and w (k, n) take 2 m k n operations, and twice that backward. A tile of the result, (r, c), needs r rows of x and c
columns of w, so m k n (1/r + 1/c) numbers are read, instead of 2 m k n for a result at a time: with large tiles arithmetic
decides, and not bytes. k is walked in steps. The float32 sums of a tile stay in a TPU's vector memory, or a GPU's registers,
until they are whole, and there bias and activation move no bytes of their own. The gradients are products too, with one side
transposed.

The Pallas forms have been interpreted, and compiled for machines that were not there. They have never run on real hardware,
and their tiles are starting points. Products of float32 take the platform's default precision, which on a TPU or GPU may be
less than float32's.
"""

from collections.abc import Callable
from functools import partial
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.experimental import pallas as pl
from jax.experimental.pallas import tpu as mosaic
from jaxtyping import Array, Float

from nn.kernels.blocks import compiler, refusals, up_to
from nn.kernels.choice import Implementation, choose, platform
from nn.kernels.devices import mesh_of, per_device
from nn.kernels.products import Matrix, wide_product

ACTIVATIONS = {None: lambda z: z, "relu": jax.nn.relu, "gelu": jax.nn.gelu, "silu": jax.nn.silu, "tanh": jnp.tanh}
"""What may follow the product; "gelu" is its tanh form."""


def matmul(
    x: Float[Array, "*batch inputs"],
    w: Float[Array, "inputs outputs"],
    bias: Float[Array, " outputs"] | None = None,
    *,
    activation: str | None = None,
    implementation: Implementation | None = None,
    interpret: bool = False,
) -> Float[Array, "*batch outputs"]:
    """activation(x w + bias) along the last axis, summed in float32 or better and returned in the dtype of x.

    Args:
      x: inputs, with any number of leading axes.
      w: weights, one column for each output.
      bias: one number for each output, or None for none.
      activation: None, "relu", "gelu", "silu" or "tanh".
      implementation: which form computes it. None is "xla" everywhere: XLA's own products are tuned, and the Pallas forms
        "mosaic" (TPU) and "triton" (GPU) have never run on real hardware. They have first
        derivatives only, in reverse mode. On a mesh each device takes an equal part of the rows of x. "xla" has all
        derivatives, but of bfloat16 and other narrow numbers in reverse mode only.
      interpret: run a Pallas form in Pallas's interpreter, on any platform and slowly.

    Raises:
      ValueError: if sizes or dtypes do not fit, there is no such activation, or the named form cannot run.
    """
    x, w = jnp.asarray(x), jnp.asarray(w)
    if x.ndim == 0 or w.ndim != 2 or x.shape[-1] != w.shape[0]:
        raise ValueError(
            f"matmul expects x (*batch, inputs) and w (inputs, outputs), got x.shape={x.shape} and w.shape={w.shape}."
        )
    if bias is not None and bias.shape != w.shape[1:]:
        raise ValueError(f"matmul expects bias of shape {w.shape[1:]} for w.shape={w.shape}, got bias.shape={bias.shape}.")
    if x.dtype != w.dtype or not jnp.issubdtype(x.dtype, jnp.floating):
        raise ValueError(f"matmul expects x and w of one floating-point dtype, got {x.dtype} and {w.dtype}.")
    if activation not in ACTIVATIONS:
        raise ValueError(f"matmul expects an activation of {', '.join(map(repr, ACTIVATIONS))}, got {activation!r}.")
    bias_or_not = () if bias is None else (bias,)
    refused = partial(refusals, interpret, x, w, *bias_or_not, examples=prod(x.shape[:-1]))
    form = choose("matmul", implementation, best=("xla",), refused_by_pallas=refused)
    if form == "reference":
        return matmul_reference(x, w, bias, activation=activation)
    if form == "xla":
        return matmul_xla(x, w, bias, activation=activation)
    bias = jnp.zeros(w.shape[1], x.dtype) if bias is None else bias
    kernel = lambda rows, w, bias: _matmul_pallas(rows, w, bias, activation, form, interpret)  # noqa: E731
    return per_device(kernel, [_as_rows(x)], [w, bias]).reshape(*x.shape[:-1], w.shape[1])


def matmul_reference(
    x: Float[Array, "*batch inputs"],
    w: Float[Array, "inputs outputs"],
    bias: Float[Array, " outputs"] | None = None,
    *,
    activation: str | None = None,
) -> Float[Array, "*batch outputs"]:
    """The equation."""
    z = jnp.matmul(x, w, preferred_element_type=jnp.promote_types(x.dtype, jnp.float32))
    return _behind_the_product(z, bias, activation).astype(x.dtype)


def _behind_the_product(z, bias, activation):
    if bias is not None:
        z = z + jnp.broadcast_to(bias.astype(z.dtype), z.shape)
    return ACTIVATIONS[activation](z)


def matmul_xla(
    x: Float[Array, "*batch inputs"],
    w: Float[Array, "inputs outputs"],
    bias: Float[Array, " outputs"] | None = None,
    *,
    activation: str | None = None,
) -> Float[Array, "*batch outputs"]:
    """The equation on one matrix of rows, whatever axes x has, and the gradient of w in the order that a processor likes.

    Over several axes XLA for a CPU moves x and g about before it multiplies them. On one core, for x (8, 256, 256),
    w (256, 1024) and gelu, all gradients together take two thirds of the reference's time.
    """
    rows = _as_rows(x)
    if jnp.finfo(x.dtype).bits < 32:
        z = _narrow_product(rows, w)
    else:
        count, (inputs, outputs) = rows.shape[0], w.shape
        many = isinstance(count, int) and count > inputs > outputs  # exported, a program may have a symbol for the number
        z = rows @ (_transposed_gradient(w) if many and platform() == "cpu" else w)
    return _behind_the_product(z, bias, activation).astype(x.dtype).reshape(*x.shape[:-1], w.shape[1])


def _as_rows(x: Float[Array, "*batch inputs"]) -> Matrix:
    return x.reshape(prod(x.shape[:-1]), x.shape[-1])


@jax.custom_jvp
def _transposed_gradient(w: Matrix) -> Matrix:
    """w itself. Its gradient xᵀ dz is computed as (dzᵀ x)ᵀ, which is quicker where there are many rows and dz is the narrower
    one: 1.5 times for 2048 rows, 1024 inputs and 256 outputs, but 0.8 times for 128, 784 and 512. XLA takes the two for the
    same, unless something stands between the product and its transposition."""
    return w


@_transposed_gradient.defjvp
def _(primals, tangents):
    (w,), (change,) = primals, tangents
    return w, lax.optimization_barrier(change.T).T


@jax.custom_vjp
def _narrow_product(x: Matrix, w: Matrix) -> Matrix:
    """x w of narrow numbers, in float32.

    A processor with instructions for bfloat16 multiplies twice as fast with them, if factors are narrow and sums wide. JAX's
    own gradient would multiply by a wide g.
    """
    return wide_product(x, w)


def _narrow_gradients(residuals, g):
    x, w = residuals
    g = g.astype(x.dtype)
    if platform() != "cpu" or mesh_of(x, w, g) is not None:
        dw = wide_product(x.T, g)
    # A CPU's are quick only where each row of the first is one piece of memory. The narrower one is copied for it.
    elif x.shape[1] <= g.shape[1]:
        dw = wide_product(_transposed_copy(x), g)
    else:
        dw = lax.optimization_barrier(wide_product(_transposed_copy(g), x)).T
    # Not of w.T: XLA widens both factors, before it sees that there is nothing to transpose.
    dx = wide_product(g, w, over=(1, 1))
    return dx.astype(x.dtype), dw.astype(w.dtype)


def _transposed_copy(a: Matrix) -> Matrix:
    """aᵀ, copied: left alone, XLA turns the names of the axes and not the numbers."""
    return lax.optimization_barrier(a.T.reshape(-1)).reshape(a.shape[::-1])


_narrow_product.defvjp(lambda x, w: (wide_product(x, w), (x, w)), _narrow_gradients)


def _tile(form: str, m: int, n: int, k: int) -> tuple[int, ...]:
    """How much of m, n and k a program takes at a time.

    Mosaic: up to 512 of each, so that the tiles, each twice, fit a TPU's 16 MiB; a side is shared out evenly, so that little
    is padded. Triton: powers of two that fit registers, and 16 at least, for a GPU's matrix units take no less.
    """
    if form == "mosaic":
        return tuple(up_to(pl.cdiv(size, pl.cdiv(size, 512)), 128) for size in (m, n, k))
    return tuple(min(max(pl.next_power_of_2(size), 16), most) for size, most in ((m, 64), (n, 64), (k, 32)))


def _tiled(a: Matrix, tile: tuple[int, ...], where: Callable[..., tuple[Any, Any]], transposed: bool = False):
    """A matrix with zeros at its ends until tiles cover it, and which tile of it each program sees.

    Zeros add nothing to a product. Of a matrix that is given transposed, rows for columns, so are the tiles.
    """
    if transposed:
        return _tiled(a, tile[::-1], lambda *program: where(*program)[::-1])
    a = jnp.pad(a, [(0, up_to(size, side) - size) for size, side in zip(a.shape, tile, strict=True)])
    return a, pl.BlockSpec(tile, where)


def _dot(x, w, transposed):
    return wide_product(x, w, over=(0 if transposed[0] else 1, 1 if transposed[1] else 0))


def _finish(total, bias_ref, y_ref, z_refs, activation):
    z = total + bias_ref[...].astype(jnp.float32)
    y_ref[...] = ACTIVATIONS[activation](z).astype(y_ref.dtype)
    for z_ref in z_refs:
        z_ref[...] = z.astype(z_ref.dtype)


def _product_mosaic(x_ref, w_ref, bias_ref, y_ref, *rest, transposed, activation):
    """One step of a tile. The grid's last axis walks k, and the sums wait in vector memory for the next program."""
    *z_refs, total_ref = rest

    @pl.when(pl.program_id(2) == 0)
    def _():
        total_ref[...] = jnp.zeros_like(total_ref)

    total_ref[...] += _dot(x_ref[...], w_ref[...], transposed)

    @pl.when(pl.program_id(2) == pl.num_programs(2) - 1)
    def _():
        _finish(total_ref[...], bias_ref, y_ref, z_refs, activation)


def _product_triton(x_ref, w_ref, bias_ref, y_ref, *z_refs, transposed, activation, depth, step):
    """A whole tile. A program walks k itself, for a GPU's programs do not wait for one another."""

    def add(s, total):
        here = pl.ds(s * step, step)
        x = x_ref[here, :] if transposed[0] else x_ref[:, here]
        w = w_ref[:, here] if transposed[1] else w_ref[here, :]
        return total + _dot(x, w, transposed)

    total = lax.fori_loop(0, depth // step, add, jnp.zeros(y_ref.shape, jnp.float32))
    _finish(total, bias_ref, y_ref, z_refs, activation)


def _product(
    x: Matrix,
    w: Matrix,
    bias: Float[Array, " n"] | None = None,
    *,
    transposed: tuple[bool, bool] = (False, False),
    activation: str | None = None,
    with_z: bool = False,
    form: str,
    interpret: bool,
) -> list[Matrix]:
    """[activation(x w + bias)], and behind it the activation's argument if `with_z`; x or w may be given transposed."""
    (m, k), n = x.shape[::-1] if transposed[0] else x.shape, w.shape[0 if transposed[1] else 1]
    r, c, step = _tile(form, m, n, k)
    rows, columns, depth = up_to(m, r), up_to(n, c), up_to(k, step)
    grid, kernel = (rows // r, columns // c), partial(_product_triton, depth=depth, step=step)
    deep, scratch = depth, []
    if form == "mosaic":
        grid, kernel, deep, scratch = (*grid, depth // step), _product_mosaic, step, [mosaic.VMEM((r, c), jnp.float32)]
    bias = jnp.zeros(n, x.dtype) if bias is None else bias
    # Program (i, j) makes the tile at row i and column j; Mosaic's have a third number, the step, and Triton's take all steps.
    arrays, in_specs = zip(
        _tiled(x, (r, deep), lambda i, j, s=0: (i, s), transposed[0]),
        _tiled(w, (deep, c), lambda i, j, s=0: (s, j), transposed[1]),
        _tiled(bias[None], (1, c), lambda i, j, s=0: (0, j)),
        strict=True,
    )
    results = 1 + with_z
    padded = pl.pallas_call(
        partial(kernel, transposed=transposed, activation=activation),
        grid=grid,
        in_specs=in_specs,
        out_specs=[pl.BlockSpec((r, c), lambda i, j, s=0: (i, j))] * results,
        out_shape=[jax.ShapeDtypeStruct((rows, columns), x.dtype)] * results,
        scratch_shapes=scratch,
        name="matmul",
        **compiler(form, interpret, order=("parallel", "parallel", "arbitrary"), numbers=r * c),
    )(*arrays)
    return [result[:m, :n] for result in padded]


def _through_activation(g_ref, z_ref, dz_ref, db_ref, *, activation):
    _, back = jax.vjp(ACTIVATIONS[activation], z_ref[...].astype(jnp.float32))
    (dz,) = back(g_ref[...].astype(jnp.float32))
    dz_ref[...] = dz.astype(dz_ref.dtype)
    db_ref[...] = dz.sum(0, keepdims=True)


def _before_activation(g: Matrix, z: Matrix, activation: str, form: str, interpret: bool):
    """dz and db, from one visit to g and z. Each program sums the rows of its tile, and XLA adds the sums up."""
    m, n = g.shape
    r, c, _ = _tile(form, m, n, 1)
    arrays, in_specs = zip(*(_tiled(a, (r, c), lambda i, j: (i, j)) for a in (g, z)), strict=True)
    rows, columns = arrays[0].shape
    dz, db = pl.pallas_call(
        partial(_through_activation, activation=activation),
        grid=(rows // r, columns // c),
        in_specs=in_specs,
        # A row of sums for each tile, in a matrix of its own: as a row of one matrix its height would be no multiple of 8.
        out_specs=[in_specs[0], pl.BlockSpec((None, 1, c), lambda i, j: (i, 0, j))],
        out_shape=[jax.ShapeDtypeStruct((rows, columns), g.dtype), jax.ShapeDtypeStruct((rows // r, 1, columns), jnp.float32)],
        name="matmul_before_activation",
        **compiler(form, interpret, order=("parallel", "parallel"), numbers=r * c),
    )(*arrays)
    return dz[:m, :n], db.sum((0, 1))[:n]


def _result(x, w, bias, activation, form, interpret) -> Matrix:
    return _product(x, w, bias, activation=activation, form=form, interpret=interpret)[0]


def _result_and_residuals(x, w, bias, activation, form, interpret):
    if activation is None:
        return _result(x, w, bias, activation, form, interpret), (x, w, bias, None)
    y, z = _product(x, w, bias, activation=activation, with_z=True, form=form, interpret=interpret)
    return y, (x, w, bias, z)


def _gradients(activation, form, interpret, residuals, g):
    x, w, bias, z = residuals
    if activation is None:
        dz, db = g, g.sum(0, dtype=jnp.float32)  # a plain sum: XLA's own is as good as any
    else:
        dz, db = _before_activation(g, z, activation, form, interpret)
    (dx,) = _product(dz, w, transposed=(False, True), form=form, interpret=interpret)
    (dw,) = _product(x, dz, transposed=(True, False), form=form, interpret=interpret)
    return dx, dw, db.astype(bias.dtype)


_matmul_pallas = jax.custom_vjp(_result, nondiff_argnums=(3, 4, 5))
_matmul_pallas.defvjp(_result_and_residuals, _gradients)
