"""Recurrent layers: the same cell at every step of a sequence, its state handed on from step to step, as a memory.

A cell is one step, (state, input) → (new state, output). `RNN` walks a sequence with it: by `jax.lax.scan`, or, with an LSTM
and where that is quicker, by a kernel that takes the same walk.
"""

from collections.abc import Callable
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, Int

from nn.kernels.choice import Implementation
from nn.kernels.lstm import lstm, lstm_form
from nn.layers.initializers import orthogonal
from nn.layers.linear import Linear, linear
from nn.layers.shapes import require_features, require_positive, require_within

Sequences = Float[Array, "*batch time inputs"]
Outputs = Float[Array, "*batch time hidden"]
State = Float[Array, "*batch hidden"]
Inputs = Float[Array, "*batch inputs"]
Carry = Any  # an array, or a tree of arrays: whatever the cell remembers
GateWeights = tuple[Float[Array, "inputs four_hidden"], Float[Array, "hidden four_hidden"], Float[Array, " four_hidden"]]


def simple_step(
    h: State,
    x: Inputs,
    kernel: Float[Array, "inputs hidden"],
    recurrent_kernel: Float[Array, "hidden hidden"],
    bias: Float[Array, " hidden"],
) -> State:
    """h' = tanh(x W + h U + b).

    Reference: Elman 1990, "Finding Structure in Time".
    """
    return jnp.tanh(linear(x, kernel, bias) + h @ recurrent_kernel)


def lstm_step(
    carry: tuple[State, State],
    x: Inputs,
    kernel: Float[Array, "inputs four_hidden"],
    recurrent_kernel: Float[Array, "hidden four_hidden"],
    bias: Float[Array, " four_hidden"],
) -> tuple[State, State]:
    """c' = f ⊙ c + i ⊙ g and h' = o ⊙ tanh c', where (i, f, g, o) come from x W + h U + b.

    The input gate i, the forget gate f and the output gate o go through a sigmoid, the candidate g through tanh. With f = 1
    and i = 0 the cell c is carried unchanged, and so is its gradient: that is how it remembers.

    Args:
      carry: (c, h), the cell and what it shows of itself.
      x: the input of this step.
      kernel: W, the columns of i, f, g and o side by side.
      recurrent_kernel: U, in the same order.
      bias: b, in the same order.

    Returns:
      The new (c, h).

    References: Hochreiter and Schmidhuber 1997, "Long Short-Term Memory"; the forget gate: Gers, Schmidhuber and Cummins 2000.
    """
    c, h = carry
    i, f, g, o = jnp.split(linear(x, kernel) + linear(h, recurrent_kernel, bias), 4, axis=-1)
    c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
    return c, jax.nn.sigmoid(o) * jnp.tanh(c)


def gru_step(
    h: State,
    x: Inputs,
    kernel: Float[Array, "inputs three_hidden"],
    recurrent_kernel: Float[Array, "hidden three_hidden"],
    bias: Float[Array, " three_hidden"],
) -> State:
    """h' = (1 − z) ⊙ n + z ⊙ h: the update gate z keeps the old state or takes the candidate n.

    r = σ(x W_r + h U_r + b_r), and z likewise; n = tanh(x W_n + b_n + r ⊙ (h U_n)), where the reset gate r can forget h.

    Args:
      h: the state.
      x: the input of this step.
      kernel: W, the columns of r, z and n side by side: [W_r W_z W_n].
      recurrent_kernel: U, in the same order.
      bias: b, in the same order.

    Reference: Cho et al. 2014, "Learning Phrase Representations using RNN Encoder-Decoder", eq. 5 to 8, with r applied behind
    U_n, as Flax and cuDNN have it.
    """
    x_r, x_z, x_n = jnp.split(linear(x, kernel, bias), 3, axis=-1)
    h_r, h_z, h_n = jnp.split(linear(h, recurrent_kernel), 3, axis=-1)
    r, z = jax.nn.sigmoid(x_r + h_r), jax.nn.sigmoid(x_z + h_z)
    n = jnp.tanh(x_n + r * h_n)
    return (1 - z) * n + z * h


def reverse_sequences(x: Sequences, lengths: Int[Array | np.ndarray, "*batch"] | None = None) -> Sequences:
    """Every sequence from its last real step to its first; what is behind it, the padding, stays where it is.

    Done twice, it gives x back. A network that reads from the end as well (a bidirectional one) walks over this, so that it
    begins with the last real step and not with padding: a b c · · becomes c b a · ·

    Args:
      x: sequences, padded to one length.
      lengths: how many steps of each are real; None: all of them.

    Raises:
      ValueError: if the lengths have another shape than the batch, or (outside `jax.jit`) one is not from 1 to the number
        of steps.
    """
    if lengths is None:
        return jnp.flip(x, -2)
    lengths = require_lengths("reverse_sequences", lengths, x.shape[:-1])
    t = jnp.broadcast_to(jnp.arange(x.shape[-2]), x.shape[:-1])
    from_the_end = jnp.broadcast_to(lengths[..., None], t.shape) - 1 - t
    index = jnp.where(from_the_end < 0, t, from_the_end)
    return jnp.take_along_axis(x, index[..., None], axis=-2)


def last_outputs(outputs: Sequences, lengths: Int[Array | np.ndarray, "*batch"] | None = None) -> Inputs:
    """What a network said at the last real step of each sequence, when it had seen all of it.

    Args:
      outputs: what it said at every step, those of the padding included.
      lengths: how many steps of each sequence are real; None: all of them.

    Returns:
      (*batch, features).

    Raises:
      ValueError: if the lengths have another shape than the batch, or (outside `jax.jit`) one is not from 1 to the number
        of steps.
    """
    if lengths is None:
        return outputs[..., -1, :]
    lengths = require_lengths("last_outputs", lengths, outputs.shape[:-1])
    return jnp.take_along_axis(outputs, (lengths - 1)[..., None, None], axis=-2)[..., 0, :]


def require_lengths(layer: str, lengths: Array | np.ndarray, shape: tuple[int, ...]) -> Int[Array, "*batch"]:
    """The lengths as an array of JAX.

    Raises a ValueError, in the layer's name, unless they are whole numbers that fit a shape (*batch, time).
    """
    *batch, time = shape
    if lengths.shape != tuple(batch):
        raise ValueError(f"{layer} expects a length for each sequence, {tuple(batch)}, got {lengths.shape}.")
    require_within(layer, "lengths", lengths, 1, time)
    return jnp.asarray(lengths)


class RecurrentCell(nnx.Module):
    """One step of a recurrent network: what every cell has, and what `RNN` asks of it.

    A cell of your own defines `__call__(carry, x) -> (carry, y)` and, unless its memory begins with zeros, `initialize_carry`.

    Attributes:
      in_features: size of the last axis of the input.
      hidden_features: size of the last axis of the state and of the output.
      states: how many arrays of that size it remembers; of one, the carry is that array, of several, a tuple of them.
    """

    in_features: int
    hidden_features: int
    states: int = 1

    def __init__(self, in_features: int, hidden_features: int):
        require_positive(type(self).__name__, in_features=in_features, hidden_features=hidden_features)
        self.in_features, self.hidden_features = in_features, hidden_features

    def __call__(self, carry: Carry, x: Inputs) -> tuple[Carry, State]:
        """(what is remembered, input) → (what is remembered afterwards, output)."""
        raise NotImplementedError(f"{type(self).__name__} has to define __call__.")

    def initialize_carry(self, input_shape: tuple[int, ...], rngs: Any = None) -> Carry:
        """The memory before the first step: zeros.

        Args:
          input_shape: the shape of the input of one step, (*batch, in_features).
          rngs: not needed; cells of Flax ask for it.
        """
        zeros = jnp.zeros((*input_shape[:-1], self.hidden_features))
        return zeros if self.states == 1 else (zeros,) * self.states

    def _require(self, x: Inputs) -> None:
        require_features(type(self).__name__, x, self.in_features)


class SimpleCell(RecurrentCell):
    """A layer whose last output is part of its next input. A drop-in for `flax.nnx.SimpleCell`.

    Weights: `dense_h` (hidden to hidden, orthogonal, no bias) and `dense_i` (input to hidden, with the bias).

    Args:
      in_features: size of the last axis of the input.
      hidden_features: size of the state.
      rngs: where the weights come from.

    Raises:
      ValueError: if a size is below 1, or, from a call, if x has another number of features.
    """

    def __init__(self, in_features: int, hidden_features: int, *, rngs: nnx.Rngs):
        super().__init__(in_features, hidden_features)
        self.dense_h = Linear(hidden_features, hidden_features, use_bias=False, kernel_init=orthogonal, rngs=rngs)
        self.dense_i = Linear(in_features, hidden_features, rngs=rngs)

    def __call__(self, carry: State, x: Inputs) -> tuple[State, State]:
        self._require(x)
        h = simple_step(carry, x, self.dense_i.kernel[...], self.dense_h.kernel[...], self.dense_i.bias[...])
        return h, h


class LSTMCell(RecurrentCell):
    """The cell with three gates, each gate's weights by name: `ii`, `if_`, `ig`, `io`, `hi`, `hf`, `hg`, `ho`.

    A drop-in for `flax.nnx.LSTMCell`. Its arithmetic is that of `OptimizedLSTMCell`, whose weights are side by side.

    Arguments and errors are those of `SimpleCell`.
    """

    states = 2  # c and h

    def __init__(self, in_features: int, hidden_features: int, *, rngs: nnx.Rngs):
        super().__init__(in_features, hidden_features)
        for gate in ("ii", "if_", "ig", "io"):
            setattr(self, gate, Linear(in_features, hidden_features, use_bias=False, rngs=rngs))
        for gate in ("hi", "hf", "hg", "ho"):
            setattr(self, gate, Linear(hidden_features, hidden_features, kernel_init=orthogonal, rngs=rngs))

    def __call__(self, carry: tuple[State, State], x: Inputs) -> tuple[tuple[State, State], State]:
        self._require(x)
        carry = lstm_step(carry, x, *self.side_by_side())
        return carry, carry[1]

    def side_by_side(self) -> GateWeights:
        """W, U and b as `lstm_step` takes them."""
        inputs = [getattr(self, gate) for gate in ("ii", "if_", "ig", "io")]
        hidden = [getattr(self, gate) for gate in ("hi", "hf", "hg", "ho")]
        kernel = jnp.concatenate([layer.kernel[...] for layer in inputs], axis=-1)
        recurrent_kernel = jnp.concatenate([layer.kernel[...] for layer in hidden], axis=-1)
        return kernel, recurrent_kernel, jnp.concatenate([layer.bias[...] for layer in hidden])


class OptimizedLSTMCell(RecurrentCell):
    """The cell with three gates, all weights in one matrix: `dense_i` (no bias) and `dense_h`, in the order i, f, g, o.

    A drop-in for `flax.nnx.OptimizedLSTMCell`: one large product is quicker than four small ones.

    Arguments and errors are those of `SimpleCell`.
    """

    states = 2  # c and h

    def __init__(self, in_features: int, hidden_features: int, *, rngs: nnx.Rngs):
        super().__init__(in_features, hidden_features)
        self.dense_i = Linear(in_features, 4 * hidden_features, use_bias=False, rngs=rngs)
        self.dense_h = Linear(hidden_features, 4 * hidden_features, kernel_init=orthogonal, rngs=rngs)

    def __call__(self, carry: tuple[State, State], x: Inputs) -> tuple[tuple[State, State], State]:
        self._require(x)
        carry = lstm_step(carry, x, *self.side_by_side())
        return carry, carry[1]

    def side_by_side(self) -> GateWeights:
        """W, U and b as `lstm_step` takes them."""
        return self.dense_i.kernel[...], self.dense_h.kernel[...], self.dense_h.bias[...]


class GRUCell(RecurrentCell):
    """The cell with two gates and one state: `dense_i` (with the bias) and `dense_h`, in the order r, z, n.

    A drop-in for `flax.nnx.GRUCell`.

    Arguments and errors are those of `SimpleCell`.
    """

    def __init__(self, in_features: int, hidden_features: int, *, rngs: nnx.Rngs):
        super().__init__(in_features, hidden_features)
        self.dense_i = Linear(in_features, 3 * hidden_features, rngs=rngs)
        self.dense_h = Linear(hidden_features, 3 * hidden_features, use_bias=False, kernel_init=orthogonal, rngs=rngs)

    def __call__(self, carry: State, x: Inputs) -> tuple[State, State]:
        self._require(x)
        h = gru_step(carry, x, self.dense_i.kernel[...], self.dense_h.kernel[...], self.dense_i.bias[...])
        return h, h


class RNN(nnx.Module):
    """Walks a sequence with a cell, from the first step to the last. A drop-in for `flax.nnx.RNN`.

    Args:
      cell: what happens at one step.
      time_major: whether time is the first axis, and not the one before the features.
      return_carry: whether to return (carry, outputs) and not the outputs alone.
      reverse: whether to walk from the last step to the first.
      keep_order: whether the outputs of a walk in reverse are turned round again, so that output t belongs to input t.
      implementation: "reference" is the cell's own call, step by step. Any other is a form of `nn.kernels.lstm.lstm`, which
        takes the walk of an `LSTMCell` or an `OptimizedLSTMCell`, in arrays of one dtype. None leaves it to `lstm_form` there
        whether such a walk is the kernel's: on a CPU it is ("xla"). The kernel can be differentiated backward only: `jax.jvp`
        asks for "reference".

    A call may overrule time_major, return_carry, reverse and keep_order.

    Raises:
      ValueError: from a call, if the input has too few axes or no steps, or `seq_lengths` has another shape than the batch or
        holds lengths that are no whole numbers from 1 to the number of steps (inside `jax.jit` lengths are not known, and only
        their dtype is checked); or if the form that is named cannot run.
    """

    def __init__(
        self,
        cell: RecurrentCell,
        *,
        time_major: bool = False,
        return_carry: bool = False,
        reverse: bool = False,
        keep_order: bool = False,
        implementation: Implementation | None = None,
    ):
        self.cell = cell
        self.time_major, self.return_carry = time_major, return_carry
        self.reverse, self.keep_order = reverse, keep_order
        self.implementation: Implementation | None = implementation

    def __call__(
        self,
        x: Float[Array, "... inputs"],
        *,
        initial_carry: Carry | None = None,
        seq_lengths: Int[Array | np.ndarray, "*batch"] | None = None,
        return_carry: bool | None = None,
        time_major: bool | None = None,
        reverse: bool | None = None,
        keep_order: bool | None = None,
    ) -> Any:
        """Outputs (*batch, time, hidden), or (carry, outputs).

        Args:
          x: (*batch, time, inputs), or (time, *batch, inputs) if time comes first.
          initial_carry: what is remembered before the first step; zeros if None.
          seq_lengths: how many steps of each sequence are real; the rest is padding. The walk ignores what follows: the
            carry is that of the last real step, and the outputs behind it are 0. (Flax leaves there what the padding gives.)
          return_carry: overrules the attribute of that name, as do `time_major`, `reverse` and `keep_order`.
        """
        time_major = self.time_major if time_major is None else time_major
        return_carry = self.return_carry if return_carry is None else return_carry
        reverse = self.reverse if reverse is None else reverse
        keep_order = self.keep_order if keep_order is None else keep_order
        x = jnp.asarray(x)
        if x.ndim < 2:
            raise ValueError(f"RNN expects x with an axis of time and one of features, got x.shape={x.shape}.")
        if x.shape[0 if time_major else -2] == 0:
            raise ValueError(f"RNN expects at least one step, got x.shape={x.shape}.")
        x = jnp.moveaxis(x, 0, -2) if time_major else x
        lengths = None if seq_lengths is None else require_lengths("RNN", seq_lengths, x.shape[:-1])
        if lengths is not None:  # what is padding must not come into gradients either: 0 times NaN would
            real = jnp.broadcast_to(jnp.arange(x.shape[-2]), x.shape[:-1]) < lengths[..., None]
            x = jnp.where(real[..., None], x, 0)
        carry = self._first_carry(x) if initial_carry is None else jax.tree.map(jnp.asarray, initial_carry)
        x = reverse_sequences(x, lengths) if reverse else x
        form, weights = self._form(carry, x, lengths)
        if form == "reference":
            carry, outputs = self._scan(carry, x, lengths)
        else:
            c, h = carry
            outputs, (h, c) = lstm(x, h, c, *weights, lengths=lengths, time_major=False, implementation=form)
            carry = c, h
        if reverse and keep_order:
            outputs = reverse_sequences(outputs, lengths)
        outputs = jnp.moveaxis(outputs, -2, 0) if time_major else outputs
        return (carry, outputs) if return_carry else outputs

    def _first_carry(self, x: Sequences) -> Carry:
        """What the cell remembers at first, no wider than x: its zeros have no precision to lose."""
        carry = self.cell.initialize_carry((*x.shape[:-2], x.shape[-1]))
        return jax.tree.map(lambda leaf: leaf.astype(x.dtype) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf, carry)

    def _form(self, carry: Carry, x: Sequences, lengths: Int[Array, "*batch"] | None) -> tuple[Any, Any]:
        """Which form takes the walk, and with which weights; "reference" is that of `_scan`, which takes them from the cell."""
        if self.implementation == "reference":
            return "reference", None
        cell, weights, reason = cast(LSTMCell, self.cell), (), None
        if type(cell) not in (LSTMCell, OptimizedLSTMCell):  # one that inherits from them may do something else
            reason = f"it walks with an LSTMCell or an OptimizedLSTMCell, and the cell is a {type(cell).__name__}"
        else:
            cell._require(x[..., 0, :])
            weights = cell.side_by_side()
            if len(dtypes := sorted({str(array.dtype) for array in (x, *carry, *weights)})) > 1:
                reason = f"input, carry and weights have to be of one dtype, and are of {' and '.join(dtypes)}"
        if reason and self.implementation is None:
            return "reference", None
        if reason:
            raise ValueError(f"RNN(implementation={self.implementation!r}) cannot run here, because {reason}.")
        c, h = carry
        return lstm_form(x, h, c, *weights, lengths=lengths, implementation=self.implementation), weights

    def _scan(self, carry: Carry, x: Sequences, lengths: Int[Array, "*batch"] | None) -> tuple[Carry, Outputs]:
        steps = jnp.moveaxis(x, -2, 0)  # time first, as scan wants it

        # What a cell changes as it goes (the count of its random keys, running statistics) is carried from step to step, too.
        graph, weights, moving = nnx.split(self.cell, nnx.Param, ...)

        def step(state, now):
            (carry, moving), (t, x) = state, now
            cell = nnx.merge(graph, weights, moving, copy=True)
            new, y = cell(carry, x)
            if lengths is not None:
                real = t < lengths
                new = jax.tree.map(lambda new, old: jnp.where(_like(real, new), new, old), new, carry)
                y = jnp.where(_like(real, y), y, 0)
            return (new, nnx.split(cell, nnx.Param, ...)[2]), y

        # The carry of a sum in float32 and an input in bfloat16 is float32: scan asks that it be so from the start.
        shapes, _ = jax.eval_shape(step, (carry, moving), (jnp.array(0), steps[0]))
        carry = jax.tree.map(lambda leaf, shape: leaf.astype(shape.dtype), carry, shapes[0])
        (carry, moving), outputs = jax.lax.scan(step, (carry, moving), (jnp.arange(len(steps)), steps))
        nnx.update(self.cell, moving)
        return carry, jnp.moveaxis(outputs, 0, -2)


def _like(mask, array):
    """A mask over the batch, spread over the features behind it."""
    return jnp.broadcast_to(mask.reshape(*mask.shape, *(1,) * (array.ndim - mask.ndim)), array.shape)


def concatenate(forward: Array, backward: Array) -> Array:
    """Both outputs side by side on the last axis."""
    return jnp.concatenate([forward, backward], axis=-1)


class Bidirectional(nnx.Module):
    """Two walks, one in each direction, whose outputs are merged: each step knows what came before and what comes after.

    A drop-in for `flax.nnx.Bidirectional`.

    Args:
      forward_rnn: walks from the first step to the last.
      backward_rnn: walks from the last to the first; its outputs are put in the order of the inputs.
      merge_fn: makes one output of (forward, backward).
      return_carry: whether to return ((forward carry, backward carry), outputs).

    Reference: Schuster and Paliwal 1997, "Bidirectional Recurrent Neural Networks".
    """

    def __init__(
        self,
        forward_rnn: RNN,
        backward_rnn: RNN,
        *,
        merge_fn: Callable[[Array, Array], Array] = concatenate,
        return_carry: bool = False,
    ):
        self.forward_rnn, self.backward_rnn = forward_rnn, backward_rnn
        self.merge_fn, self.return_carry = merge_fn, return_carry

    def __call__(
        self,
        x: Sequences,
        *,
        initial_carry: tuple[Carry, Carry] | None = None,
        seq_lengths: Int[Array | np.ndarray, "*batch"] | None = None,
        return_carry: bool | None = None,
    ) -> Any:
        """Outputs (*batch, time, merged), or (both carries, outputs). Arguments as in `RNN`."""
        first, second = (None, None) if initial_carry is None else initial_carry
        options: Any = dict(seq_lengths=seq_lengths, return_carry=True)
        carry_forward, forward = self.forward_rnn(x, initial_carry=first, **options)
        carry_backward, backward = self.backward_rnn(x, initial_carry=second, reverse=True, keep_order=True, **options)
        outputs = self.merge_fn(forward, backward)
        return_carry = self.return_carry if return_carry is None else return_carry
        return ((carry_forward, carry_backward), outputs) if return_carry else outputs
