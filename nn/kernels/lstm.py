"""LSTM: a step as one program, and the walk over a whole sequence with a backward walk of its own.

The math of a step, for an input x and the state h, c; σ is the sigmoid:

    (z_i, z_f, z_g, z_o) = x W + h U + b        i = σ(z_i)    f = σ(z_f)    g = tanh(z_g)    o = σ(z_o)
    c′ = f c + i g                              h′ = o tanh c′

(Hochreiter and Schmidhuber 1997, "Long Short-Term Memory", with the forget gate of Gers, Schmidhuber and Cummins 2000.) And
back, for the gradients dh and dc of h′ and c′, those that come from the steps behind it included:

    dc′ = dc + dh o (1 − tanh² c′)
    dz_i = dc′ g i (1 − i)    dz_f = dc′ c f (1 − f)    dz_g = dc′ i (1 − g²)    dz_o = dh tanh c′ o (1 − o)
    dc = dc′ f    dh = dz Uᵀ    dx = dz Wᵀ    dW = Σ xᵀ dz    dU = Σ hᵀ dz    db = Σ dz, over steps and rows

**Cost** of a step, for r rows, n inputs and H hidden: 8 r (n + H) H operations, and twice that backward. For the way back a
step keeps i, f, g, o and c, so 5 r H numbers of float32 are written and read again. The weights, 4 (n + H) H numbers, are read
at every step: with few rows they decide, so they should stay in the nearest memory. And steps wait for one another, so that a
step of a small network costs what it costs to start its programs. Hence as few of these as can be.

**Two arrangements.** On a CPU ("xla") all is done inside the loop, while a step's numbers are in the cache. On an accelerator
("mosaic", "triton") inside the loop there is only what has to wait: h U and the gates, one program a step, and backward the
same backward, dz Uᵀ and the gradients of the gates. x W goes before the walk; dx, dW and dU behind it, as large products.

The Pallas forms have been interpreted, and compiled for machines that were not there. They have never run on real hardware.
"""

from collections.abc import Callable
from functools import partial
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Int

from nn.kernels.choice import Implementation, choose, platform
from nn.kernels.devices import parts_for, per_device
from nn.kernels.products import wide_product

Lengths = Int[Array, "*batch"]
States = Float[Array, "*batch hidden"]
InputWeights = Float[Array, "inputs four_hidden"]
HiddenWeights = Float[Array, "hidden four_hidden"]
Bias = Float[Array, " four_hidden"]

WIDEST = 1024
"""The most hidden units for "mosaic", whose program holds all that a block of 128 of them is made of: 10 MiB of float32."""


def lstm(
    xs: Float[Array, "..."],
    h0: States,
    c0: States,
    w_x: InputWeights,
    w_h: HiddenWeights,
    bias: Bias,
    *,
    lengths: Lengths | None = None,
    time_major: bool = True,
    implementation: Implementation | None = None,
    interpret: bool = False,
) -> tuple[Float[Array, "..."], tuple[States, States]]:
    """All h of a walk over a sequence, and the last (h, c), in the dtype of xs. Gates and c are computed in float32 or better.

    Args:
      xs: inputs (time, *batch, inputs), with any number of axes of a batch.
      h0: the output before the first step.
      c0: the cell before the first step.
      w_x: W, the columns of i, f, g and o side by side.
      w_h: U, in the same order.
      bias: b, in the same order.
      lengths: how many steps of each sequence are real, at least one; None: all of them. The others leave h and c as they are,
        and have h = 0 among the results.
      time_major: whether time is the first axis. If not, inputs are (*batch, time, inputs), and so are the results: what "xla"
        works on as it is.
      implementation: which form computes it, see `lstm_form`.
      interpret: run a Pallas form in Pallas's interpreter, on any platform and slowly.

    Raises:
      ValueError: if there are no steps, shapes or dtypes do not fit, or the named form cannot run.

    Only "reference" is differentiable in forward mode. All forms are in reverse mode, as often as you like; second derivatives
    are those of the reference.
    """
    axis = 0 if time_major else -2
    if xs.ndim < 2 or xs.shape[axis] == 0:
        expected = "(time, *batch, inputs)" if time_major else "(*batch, time, inputs)"
        raise ValueError(f"lstm expects xs {expected} with a step at least, got xs.shape={xs.shape}.")
    time, step = xs.shape[axis], (*xs.shape[1:],) if time_major else (*xs.shape[:-2], xs.shape[-1])
    _require_fitting("lstm", step, xs.dtype, h0, c0, w_x, w_h, bias)
    (*batch, inputs), hidden = step, h0.shape[-1]
    if lengths is not None and lengths.shape != tuple(batch):
        raise ValueError(f"lstm expects a length for each sequence, {tuple(batch)}, got {lengths.shape}.")
    if lengths is not None and not jnp.issubdtype(lengths.dtype, jnp.integer):
        raise ValueError(f"lstm expects lengths in whole numbers, got an array of {lengths.dtype}.")
    form = lstm_form(xs, h0, c0, w_x, w_h, bias, lengths=lengths, implementation=implementation, interpret=interpret)
    rows = prod(batch)
    xs = xs.reshape(time, rows, inputs).swapaxes(0, 1) if time_major else xs.reshape(rows, time, inputs)
    arrays = xs, h0.reshape(rows, hidden), c0.reshape(rows, hidden), w_x, w_h, bias
    lengths = None if lengths is None else lengths.reshape(rows)
    if form == "reference" or (form == "xla" and time == 1):  # of one step there is no walk to arrange
        hs, (h, c) = lstm_reference(*arrays, lengths)
    else:
        hs, h, c = _walk_per_device((form, interpret), arrays, lengths)
    hs = hs.swapaxes(0, 1).reshape(time, *batch, hidden) if time_major else hs.reshape(*batch, time, hidden)
    return hs, (h.reshape(h0.shape), c.reshape(c0.shape))


def lstm_step(
    x: Float[Array, "*batch inputs"],
    h: States,
    c: States,
    w_x: InputWeights,
    w_h: HiddenWeights,
    bias: Bias,
    *,
    implementation: Implementation | None = None,
    interpret: bool = False,
) -> tuple[States, States]:
    """(h′, c′): a walk of one step. Arguments as for `lstm`, and x has no axis of time.

    Raises:
      ValueError: if shapes or dtypes do not fit, or the named form cannot run.
    """
    _require_fitting("lstm_step", x.shape, x.dtype, h, c, w_x, w_h, bias)
    form: Any = _form("lstm_step", implementation, interpret, (x, h, c, w_x, w_h, bias), None)
    return lstm(x[None], h, c, w_x, w_h, bias, implementation=form, interpret=interpret)[1]


def lstm_form(
    xs: Float[Array, "..."],
    h0: States,
    c0: States,
    w_x: InputWeights,
    w_h: HiddenWeights,
    bias: Bias,
    *,
    lengths: Lengths | None = None,
    implementation: Implementation | None = None,
    interpret: bool = False,
) -> str:
    """The form in which `lstm` computes these.

    Left to itself, on a CPU "xla" from 2048 numbers in h (rows times hidden units) for each device. With fewer a step costs
    what it costs to start its programs, and those of "reference" are as few. Elsewhere "reference", for the Pallas forms
    "mosaic" (TPU) and "triton" (GPU) have never run on real hardware.

    Raises:
      ValueError: if the named form cannot run.
    """
    return _form("lstm", implementation, interpret, (xs, h0, c0, w_x, w_h, bias), lengths)


def lstm_reference(
    xs: Float[Array, "rows time inputs"],
    h0: States,
    c0: States,
    w_x: InputWeights,
    w_h: HiddenWeights,
    bias: Bias,
    lengths: Lengths | None = None,
) -> tuple[Float[Array, "rows time hidden"], tuple[States, States]]:
    """The equation, step by step. All is widened, for the gradients of the weights are sums over all steps."""
    wide = [array.astype(_exact(xs)) for array in (xs, h0, c0, w_x, w_h, bias)]
    steps, h, c, w_x, w_h, bias = wide

    def step(state, now):
        (h, c), (t, x) = state, now
        z = x @ w_x + h @ w_h
        i, f, g, o = _gates(*jnp.split(z + jnp.broadcast_to(bias, z.shape), 4, axis=-1))
        output, next_c = _advance(c, i, f, g, o)
        if lengths is None:
            return (output, next_c), output
        real = (t < lengths)[:, None]
        return (jnp.where(real, output, h), jnp.where(real, next_c, c)), jnp.where(real, output, 0)

    state, hs = lax.scan(step, (h, c), (jnp.arange(xs.shape[1]), steps.swapaxes(0, 1)))
    return jax.tree.map(lambda array: array.astype(xs.dtype), (hs.swapaxes(0, 1), state))


def _require_fitting(kernel, shape, dtype, h, c, w_x, w_h, bias) -> None:
    *batch, inputs = shape or (0,)
    hidden = h.shape[-1] if h.ndim else 0
    states = (*batch, hidden)
    shapes = h.shape, c.shape, w_x.shape, w_h.shape, bias.shape
    if shapes != (states, states, (inputs, 4 * hidden), (hidden, 4 * hidden), (4 * hidden,)):
        raise ValueError(
            f"{kernel} expects for inputs {shape} of a step h and c ({''.join(f'{size}, ' for size in batch)}hidden), "
            f"w_x ({inputs}, 4 hidden), w_h (hidden, 4 hidden) and bias (4 hidden,), "
            f"got {', '.join(map(str, shapes[:-1]))} and {bias.shape}."
        )
    dtypes = sorted({str(dtype), *(str(array.dtype) for array in (h, c, w_x, w_h, bias))})
    if len(dtypes) > 1 or not jnp.issubdtype(dtype, jnp.floating):
        raise ValueError(f"{kernel} expects arrays of one floating-point dtype, got {' and '.join(dtypes)}.")


def _form(
    kernel: str, implementation: Implementation | None, interpret: bool, arrays: tuple[Array, ...], lengths: Array | None
) -> str:
    rows, hidden = prod(arrays[1].shape[:-1]), arrays[1].shape[-1]

    def refused_by_pallas():
        from nn.kernels.blocks import refusals  # with Pallas, which takes a moment to import

        refused = refusals(interpret, *arrays, examples=rows)
        if hidden > WIDEST:
            refused["mosaic"] = refused["mosaic"] or f"it takes {WIDEST} hidden units at most, and got {hidden}"
        if lengths is not None:
            refused |= {form: refused[form] or "it walks over all steps, and takes no lengths" for form in ("mosaic", "triton")}
        return refused

    known = isinstance(rows, int)  # exported, a program may have a symbol there
    large = known and platform() == "cpu" and rows * hidden >= 2048 * max(parts_for(rows, *arrays), 1)
    best = "xla" if large else "reference"
    return choose(kernel, implementation, best=(best,), refused_by_pallas=refused_by_pallas)


# What all forms share: a step behind the product, there and back, whatever the arrangement of its numbers.


def _exact(x):
    return jnp.promote_types(x.dtype, jnp.float32)


def _gates(z_i, z_f, z_g, z_o):
    return jax.nn.sigmoid(z_i), jax.nn.sigmoid(z_f), jnp.tanh(z_g), jax.nn.sigmoid(z_o)


def _advance(c, i, f, g, o):
    """h′ and c′."""
    c = f * c + i * g
    return o * jnp.tanh(c), c


def _reaching(dh, dc, shown, o):
    """The gradient of c′: that from behind, and that through h′. `shown` is tanh c′."""
    return dc + dh * o * (1 - shown * shown)


def _retreat(dh, dc, c, shown, i, f, g, o):
    """(dz_i, dz_f, dz_g, dz_o) and the gradient of c, from those of h′ and c′."""
    return (dc * g * i * (1 - i), dc * c * f * (1 - f), dc * i * (1 - g * g), dh * shown * o * (1 - o)), dc * f


def _walk_per_device(how: tuple[str, bool], arrays, lengths) -> Any:
    """All h, the last h and c. Each device takes its own sequences all the way: the walks need not wait for one another."""
    form, _ = how
    *sequences, w_x, w_h, bias = arrays

    def walk(sequences, lengths, weights):
        walked: Any = _walk(how, False, (*sequences, *weights), lengths)
        return walked[:3]

    parts = (tuple(sequences), lengths), ((w_x, w_h, bias),)
    if form == "xla" and not parts_for(sequences[0].shape[0], *arrays):
        return walk(*parts[0], *parts[1])  # left to XLA, which can split all that is in the loop
    return per_device(walk, *parts)


# The walk, over sequences (rows, time, inputs). `kept` is what the way back needs: the gates, and c before each step.


@partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _walk(how: tuple[str, bool], keep: bool, arrays, lengths) -> Any:
    """All h, the last h and c, and `kept` or None. `how` is the form, and whether Pallas interprets."""
    form, interpret = how
    walk = partial(_walk_xla, lengths) if form == "xla" else partial(_walk_pallas, form, interpret)
    hs, h, c, kept = walk(keep, *arrays)
    return hs, h, c.astype(hs.dtype), kept


def _and_residuals(how, keep, arrays, lengths):
    # Not the lines above but the function itself: a second derivative comes by here, and needs its rule, too.
    walked: Any = _walk(how, True, arrays, lengths)
    *results, kept = walked
    return (*results, kept if keep else None), (arrays, lengths, results[0], kept)


def _back(how, keep, residuals, gradients):
    arrays, lengths, hs, kept = residuals
    return _gradients(how, gradients[:3], arrays, lengths, hs, kept), None


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _gradients(how, gradients, arrays, lengths, hs, kept):
    form, interpret = how
    back = partial(_gradients_xla, lengths) if form == "xla" else partial(_gradients_pallas, form, interpret)
    dhs, dh, dc = (gradient.astype(_exact(hs)) for gradient in gradients)
    results = back(dhs, dh, dc, arrays, hs, *kept)
    return tuple(result.astype(array.dtype) for result, array in zip(results, arrays, strict=True))


def _gradients_and_residuals(how, gradients, arrays, lengths, hs, kept):
    return _gradients(how, gradients, arrays, lengths, hs, kept), (gradients, arrays, lengths)


def _gradients_of_gradients(how, residuals, change):
    """Those of the equation; hs and `kept` are functions of the arrays."""
    *primals, lengths = residuals

    def equation(arrays):
        xs, h0, c0, w_x, w_h, bias = arrays
        hs, (h, c) = lstm_reference(xs, h0, c0, w_x, w_h, bias, lengths)
        return hs, h, c

    pull = jax.vjp(lambda gradients, arrays: jax.vjp(equation, arrays)[1](gradients)[0], *primals)[1]
    return *pull(change), None, None, None


_walk.defvjp(_and_residuals, _back)
_gradients.defvjp(_gradients_and_residuals, _gradients_of_gradients)


# XLA's form. The state stands upright, (hidden, rows), and weights multiply from the left: the large matrix of every product is
# then the weights as they are, and a gate a stretch of whole rows. A step that is padding has the gates that keep c.


def _at(array, t, axis):
    return lax.dynamic_index_in_dim(array, t, axis, keepdims=False)


def _put(array, part, t, axis):
    return lax.dynamic_update_index_in_dim(array, part, t, axis)


def _walk_xla(lengths, keep, xs, h0, c0, w_x, w_h, bias):
    exact, (rows, time, _), hidden = _exact(xs), xs.shape, h0.shape[1]
    left_x, left_h, bias = w_x.T, w_h.T, bias.astype(exact)[:, None]
    # σ(z) = tanh(z / 2) / 2 + 1/2, so that one loop computes all four gates.
    k, closed = (np.repeat(np.array(of_gates, exact), hidden)[:, None] for of_gates in ((0.5, 0.5, 1, 0.5), (0, 1, 0, 0)))

    def step(t, state):
        h, c, hs, kept = state
        z = wide_product(left_x, _at(xs, t, 1), over=(1, 1)) + wide_product(left_h, h) + bias
        gates = k * jnp.tanh(k * z) + (1 - k)
        if lengths is not None:
            real = (t < lengths)[None]
            gates = jnp.where(real, gates, closed)
        if keep:
            kept = _put(kept[0], gates, t, 0), _put(kept[1], c, t, 0)
        output, c = _advance(c, *jnp.split(gates, 4))
        output = output.astype(xs.dtype)
        h = output if lengths is None else jnp.where(real, output, h)
        return h, c, _put(hs, output.T, t, 1), kept

    kept = tuple(lax.empty((time, size, rows), exact) for size in (4 * hidden, hidden)) if keep else None
    start = h0.T, c0.T.astype(exact), lax.empty((rows, time, hidden), xs.dtype), kept
    h, c, hs, kept = lax.fori_loop(0, time, step, start)
    return hs, h.T, c.T, kept


def _gradients_xla(lengths, gradient, dh, dc, arrays, hs, gates, cs):
    xs, h0, _, w_x, w_h, bias = arrays
    exact, (rows, time, inputs), hidden = _exact(xs), xs.shape, h0.shape[1]

    # XLA makes an array anew in every sum that reads it, unless it comes from the turn of the loop before. Hence a turn begins
    # with the gradients of h′ and c′, whole, and ends with those of the step before it; before the first there is none to add.
    # The gradient of an output is fetched a turn ahead, for it is turned upright quicker than where it lies. And dx stays
    # upright in the loop: of a product that is turned at once, XLA makes another, slow one.

    def fetch(t):
        real = t >= 0 if lengths is None else ((t >= 0) & (t < lengths))[:, None]
        return jnp.where(real, _at(gradient, t, 1), 0)

    def reach(t, dh, dc, c, arrives):
        shown, dh = jnp.tanh(c), dh + arrives.T
        o = jnp.where(t >= 0, _at(gates, t, 0)[3 * hidden :], 0)
        return dh, _reaching(dh, dc, shown, o), shown

    def step(n, state):
        t, (arrives, (dh, dc, shown), dz, dxs, dw_x, dw_h, db) = time - 1 - n, state
        x, h, c = _at(xs, t, 1), jnp.where(t == 0, h0, _at(hs, t - 1, 1)), _at(cs, t, 0)
        parts, dc = _retreat(dh, dc, c, shown, *jnp.split(_at(gates, t, 0), 4))
        for gate, part in enumerate(parts):  # for a CPU, XLA makes twice the work of a concatenation
            dz = lax.dynamic_update_slice_in_dim(dz, part, gate * hidden, 0)
        narrow = dz.astype(xs.dtype)
        before = wide_product(w_h, narrow)
        if lengths is not None:
            before = jnp.where((t < lengths)[None], before, dh)
        dxs = _put(dxs, wide_product(w_x, narrow), t, 0)
        sums = dw_x + wide_product(narrow, x), dw_h + wide_product(narrow, h), db + dz.sum(1)
        return fetch(t - 2), reach(t - 1, before, dc, c, arrives), dz, dxs, *sums

    i, f, g, _ = jnp.split(gates[-1], 4)
    reached = reach(time - 1, dh.T, dc.T, f * cs[-1] + i * g, fetch(time - 1))
    scratch = lax.empty((4 * hidden, rows), exact), lax.empty((time, inputs, rows), exact)
    zeros = [jnp.zeros(shape, exact) for shape in (w_x.shape[::-1], w_h.shape[::-1], bias.shape)]
    _, (dh, dc, _), _, dxs, dw_x, dw_h, db = lax.fori_loop(0, time, step, (fetch(time - 2), reached, *scratch, *zeros))
    return dxs.transpose(2, 0, 1), dh.T, dc.T, dw_x.T, dw_h.T, db


# The Pallas forms. Gates come first, (4, rows, hidden), so that a program takes its units of all four. Rows and units of zeros
# fill up the last blocks: a unit whose weights are 0 stays at 0.


def _blocks(form: str, rows: int, hidden: int) -> tuple[int, int]:
    """How many rows and hidden units a program makes: whole lanes of a TPU; powers of two for a GPU, whose products need 16."""
    if form == "mosaic":
        return -(-rows // (16 * -(-rows // 128))) * 16, 128
    return 16 if rows <= 16 else 32, 16 if hidden <= 16 else 32


def _over_depth(form: str, depth: int, step: int, add: Callable[[Any, Any], Any], start: Any) -> Any:
    """The sum of products along their common side: whole for a TPU, in short steps that fit a GPU's registers."""
    from jax.experimental import pallas as pl

    if form == "mosaic":
        return add(slice(None), start)
    return lax.fori_loop(0, depth // step, lambda s, sums: add(pl.ds(s * step, step), sums), start)


def _forward_program(z_ref, h_ref, c_ref, w_ref, next_h_ref, next_c_ref, *gates_refs, form):
    def add(here, sums):
        h = h_ref[:, here]
        return tuple(z + wide_product(h, w_ref[n, here, :]) for n, z in enumerate(sums))

    z = tuple(z_ref[n] for n in range(4))
    gates = _gates(*_over_depth(form, h_ref.shape[1], c_ref.shape[1], add, z))
    h, next_c_ref[...] = _advance(c_ref[...], *gates)
    next_h_ref[...] = h.astype(next_h_ref.dtype)
    for ref in gates_refs:
        for n, gate in enumerate(gates):
            ref[n] = gate


def _backward_program(gradient_ref, gates_ref, c_ref, dc_ref, later_ref, w_ref, dz_ref, before_ref, *, form):
    """The same, backward. What comes from the step behind it is dz Uᵀ, and `later` that dz."""

    def add(here, dh):
        for n in range(4):
            dh = dh + wide_product(later_ref[n, :, here], w_ref[n, :, here], over=(1, 1))
        return dh

    dh = _over_depth(form, later_ref.shape[2], c_ref.shape[1], add, gradient_ref[...])
    c, (i, f, g, o) = c_ref[...], (gates_ref[n] for n in range(4))
    shown = jnp.tanh(f * c + i * g)  # to find it again is cheaper than to keep it
    parts, before_ref[...] = _retreat(dh, _reaching(dh, dc_ref[...], shown, o), c, shown, i, f, g, o)
    for n, part in enumerate(parts):
        dz_ref[n] = part.astype(dz_ref.dtype)


def _run(program, form, interpret, blocks, arrays, results):
    """Starts a program for every block of the results.

    Args:
      program: `_forward_program` or `_backward_program`.
      form: "mosaic" or "triton".
      interpret: whether Pallas interprets.
      blocks: how many rows and hidden units a program makes.
      arrays: matrices, or four of them, and for each side of the matrices what a program sees of it: its own "rows", its own
        "units", or None for all.
      results: shapes and dtypes.
    """
    from jax.experimental import pallas as pl

    from nn.kernels.blocks import compiler

    own = dict(zip(("rows", "units"), blocks, strict=True))

    def spec(array, sides):
        four = array.shape[:-2]
        seen = [own.get(side, size) for side, size in zip(sides, array.shape[-2:], strict=True)]

        def place(j, i):
            number = {"rows": i, "units": j, None: 0}
            return *[0] * len(four), *[number[side] for side in sides]

        return pl.BlockSpec((*four, *seen), place)

    rows, units = results[0].shape[-2:]
    return pl.pallas_call(
        partial(program, form=form),
        grid=(units // blocks[1], rows // blocks[0]),  # rows inside, so that a block of weights stays for all of them
        in_specs=[spec(*pair) for pair in arrays],
        out_specs=[spec(result, ("rows", "units")) for result in results],
        out_shape=results,
        name=f"lstm{program.__name__.removesuffix('_program')}",
        **compiler(form, interpret, order=("parallel", "parallel"), numbers=4 * blocks[0] * blocks[1]),
    )(*(array for array, _ in arrays))


OWN, ROWS, UNITS = ("rows", "units"), ("rows", None), (None, "units")


def _by_gate(w: Array) -> Array:
    """(inputs, 4 hidden) → (4, inputs, hidden)."""
    return w.reshape(w.shape[0], 4, -1).transpose(1, 0, 2)


def _filled(x: Array, rows: int, columns: int) -> Array:
    """With zeros until its last two axes are multiples of these."""
    return jnp.pad(x, [(0, 0)] * (x.ndim - 2) + [(0, -x.shape[-2] % rows), (0, -x.shape[-1] % columns)])


def _walk_pallas(form, interpret, keep, xs, h0, c0, w_x, w_h, bias):
    exact, (rows, hidden) = _exact(xs), h0.shape
    blocks = _blocks(form, rows, hidden)
    z = jnp.einsum("rti,nik->tnrk", xs, _by_gate(w_x), preferred_element_type=exact)
    z = _filled(z + jnp.broadcast_to(bias.astype(exact).reshape(4, 1, hidden), z.shape), *blocks)
    w = _filled(_by_gate(w_h), blocks[1], blocks[1])
    shape = z.shape[2:]
    results = [jax.ShapeDtypeStruct(shape, xs.dtype), jax.ShapeDtypeStruct(shape, exact)]
    results += [jax.ShapeDtypeStruct((4, *shape), exact)] * keep

    def step(state, z):
        h, c = state
        arrays = [(z, OWN), (h, ROWS), (c, OWN), (w, UNITS)]
        h, next_c, *gates = _run(_forward_program, form, interpret, blocks, arrays, results)
        return (h, next_c), (h, (*gates, c) if keep else None)

    (h, c), (hs, kept) = lax.scan(step, (_filled(h0, *blocks), _filled(c0.astype(exact), *blocks)), z)
    return hs[:, :rows, :hidden].swapaxes(0, 1), h[:rows, :hidden], c[:rows, :hidden], kept


def _gradients_pallas(form, interpret, gradient, dh, dc, arrays, hs, gates, cs):
    xs, h0, _, w_x, w_h, _ = arrays
    gradient = gradient.swapaxes(0, 1).at[-1].add(dh)
    exact, (rows, hidden) = _exact(xs), h0.shape
    blocks = _blocks(form, rows, hidden)
    w = _filled(_by_gate(w_h), blocks[1], blocks[1])
    results = [jax.ShapeDtypeStruct(gates.shape[1:], xs.dtype), jax.ShapeDtypeStruct(cs.shape[1:], exact)]

    def step(state, now):
        (later, dc), (gradient, gates, c) = state, now
        arrays = [(gradient, OWN), (gates, OWN), (c, OWN), (dc, OWN), (later, ROWS), (w, ("units", None))]
        dz, dc = _run(_backward_program, form, interpret, blocks, arrays, results)
        return (dz, dc), dz

    start = jnp.zeros(gates.shape[1:], xs.dtype), _filled(dc, *blocks)
    (_, dc), dzs = lax.scan(step, start, (_filled(gradient, *blocks), gates, cs), reverse=True)
    dzs = dzs[:, :, :rows, :hidden]
    sums = partial(jnp.einsum, preferred_element_type=exact)
    before = jnp.concatenate([h0[:, None], hs[:, :-1]], axis=1)
    dxs, dh = sums("tnrk,nik->rti", dzs, _by_gate(w_x)), sums("nrk,nhk->rh", dzs[0], _by_gate(w_h))
    dw_x, dw_h = sums("rti,tnrk->ink", xs, dzs), sums("rth,tnrk->hnk", before, dzs)
    db = dzs.sum((0, 2), dtype=exact)
    return dxs, dh, dc[:rows, :hidden], dw_x.reshape(w_x.shape), dw_h.reshape(w_h.shape), db.reshape(-1)
