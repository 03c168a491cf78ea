"""What a memory does: the theorems of cells and of walks. That they are Flax's stands in test_drop_in."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from nn.layers import (
    RNN,
    BatchNorm,
    Bidirectional,
    Dropout,
    GRUCell,
    LSTMCell,
    OptimizedLSTMCell,
    RecurrentCell,
    SimpleCell,
    gru_step,
    last_outputs,
    lstm_step,
    reverse_sequences,
    simple_step,
)

BATCH, TIME, INPUTS, HIDDEN = 2, 5, 3, 4
LENGTHS = np.array([2, 5])
CELLS = {"simple": SimpleCell, "lstm": LSTMCell, "optimized lstm": OptimizedLSTMCell, "gru": GRUCell}
every_cell = pytest.mark.parametrize("cls", CELLS.values(), ids=CELLS)
one_memory_and_two = pytest.mark.parametrize("cls", [GRUCell, OptimizedLSTMCell], ids=["gru", "lstm"])

random = np.random.default_rng(0)
X = random.normal(size=(BATCH, TIME, INPUTS))
SEQUENCES = jnp.asarray(X, jnp.float32)


def make(cls, **options):
    """A walk with a cell whose weights, biases included, are all random."""
    rnn = RNN(cls(INPUTS, HIDDEN, rngs=nnx.Rngs(0)), **options)
    values = np.random.default_rng(1)
    state = nnx.state(rnn, nnx.Param)
    nnx.update(rnn, jax.tree.map(lambda leaf: jnp.asarray(values.normal(0, 0.7, leaf.shape), jnp.float32), state))
    return rnn


def same(got, expected, **tolerance):
    for one, other in zip(jax.tree.leaves(got), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(one, other, **{"rtol": 1e-5, "atol": 1e-6, **tolerance})


# The equations in float64, one sum for each gate, from the papers.
def sigmoid_64(x):
    return 1 / (1 + np.exp(-x))


def simple_step_64(h, x, kernel, recurrent, bias):
    return np.tanh(x @ kernel + h @ recurrent + bias)


def lstm_step_64(carry, x, kernel, recurrent, bias):
    c, h = carry
    i, f, g, o = (
        x @ kernel[:, gate] + h @ recurrent[:, gate] + bias[gate]
        for gate in (slice(k * HIDDEN, (k + 1) * HIDDEN) for k in range(4))
    )
    c = sigmoid_64(f) * c + sigmoid_64(i) * np.tanh(g)
    return c, sigmoid_64(o) * np.tanh(c)


def gru_step_64(h, x, kernel, recurrent, bias):
    r, z, n = (slice(k * HIDDEN, (k + 1) * HIDDEN) for k in range(3))
    reset = sigmoid_64(x @ kernel[:, r] + bias[r] + h @ recurrent[:, r])
    keep = sigmoid_64(x @ kernel[:, z] + bias[z] + h @ recurrent[:, z])
    candidate = np.tanh(x @ kernel[:, n] + bias[n] + reset * (h @ recurrent[:, n]))
    return keep * h + (1 - keep) * candidate


EQUATIONS = {
    "simple": (simple_step, simple_step_64, 1),
    "lstm": (lstm_step, lstm_step_64, 4),
    "gru": (gru_step, gru_step_64, 3),
}


@pytest.mark.parametrize("name", EQUATIONS)
def test_values_and_all_gradients_of_a_step_are_those_of_the_equation_in_float64(name, measured_gradient):
    ours, equation, gates = EQUATIONS[name]
    shapes = ((BATCH, HIDDEN), (BATCH, INPUTS), (INPUTS, gates * HIDDEN), (HIDDEN, gates * HIDDEN), (gates * HIDDEN,))
    arrays = [random.normal(size=shape) for shape in shapes]
    weights = np.sin(np.arange(BATCH * HIDDEN)).reshape(BATCH, HIDDEN)

    def total(step, h, *rest):
        carry = (np.float32(0.5) * h, h) if name == "lstm" else h  # one array for both parts of an LSTM's memory
        return sum((weights.astype(h.dtype) * leaf).sum() for leaf in jax.tree.leaves(step(carry, *rest)))

    single = [jnp.asarray(array, jnp.float32) for array in arrays]
    value, gradients = jax.jit(jax.value_and_grad(lambda *a: total(ours, *a), argnums=tuple(range(5))))(*single)
    np.testing.assert_allclose(value, total(equation, *arrays), rtol=1e-5)
    for k, gradient in enumerate(gradients):
        measured = measured_gradient(lambda array, k=k: total(equation, *arrays[:k], array, *arrays[k + 1 :]), arrays[k])
        np.testing.assert_allclose(gradient, measured, rtol=1e-3, atol=1e-5)


def test_an_lstm_whose_forget_gate_is_open_and_input_gate_shut_carries_its_cell_unchanged_however_far():
    rnn = make(OptimizedLSTMCell, return_carry=True)
    i, f, g, o = np.split(np.zeros(4 * HIDDEN), 4)
    rnn.cell.dense_h.bias[...] = jnp.asarray(np.concatenate([i - 200, f + 200, g, o]), jnp.float32)
    begin = jnp.asarray(random.normal(size=(2, BATCH, HIDDEN)), jnp.float32)

    def end(cell):
        (cell, _), _ = rnn(SEQUENCES, initial_carry=(cell, begin[1]))
        return cell

    cell, pull = jax.vjp(end, begin[0])
    np.testing.assert_array_equal(cell, begin[0])
    np.testing.assert_array_equal(pull(begin[1])[0], begin[1])  # and so is the gradient on its way back


def test_a_gru_whose_update_gate_is_1_keeps_its_state_and_at_0_it_forgets_it():
    h, x = (jnp.asarray(random.normal(size=(BATCH, size)), jnp.float32) for size in (HIDDEN, INPUTS))
    kernel, recurrent = (jnp.asarray(random.normal(size=(size, 3 * HIDDEN)), jnp.float32) for size in (INPUTS, HIDDEN))
    zeros = jnp.zeros(HIDDEN)
    np.testing.assert_array_equal(gru_step(h, x, kernel, recurrent, jnp.concatenate([zeros, zeros + 200, zeros])), h)
    forgotten = gru_step(h, x, kernel, recurrent, jnp.concatenate([zeros - 200, zeros - 200, zeros]))  # the reset too
    same(forgotten, jnp.tanh(x @ kernel[:, 2 * HIDDEN :]))


def test_both_lstms_are_one_with_the_same_weights():
    by_name, side_by_side = make(LSTMCell, return_carry=True), make(OptimizedLSTMCell, return_carry=True)
    for dense, letter in ((side_by_side.cell.dense_i, "i"), (side_by_side.cell.dense_h, "h")):
        gates = [getattr(by_name.cell, letter + gate) for gate in ("i", "f_" if letter == "i" else "f", "g", "o")]
        dense.kernel[...] = jnp.concatenate([gate.kernel[...] for gate in gates], axis=1)
    side_by_side.cell.dense_h.bias[...] = jnp.concatenate([gate.bias[...] for gate in gates])
    same(by_name(SEQUENCES), side_by_side(SEQUENCES))


@one_memory_and_two
def test_a_walk_is_the_loop_and_in_two_halves_it_is_the_whole(cls):
    rnn = make(cls, return_carry=True)
    carry = rnn.cell.initialize_carry((BATCH, INPUTS))
    loop = []
    for t in range(TIME):
        carry, y = rnn.cell(carry, SEQUENCES[:, t])
        loop.append(y)
    whole = rnn(SEQUENCES)
    same(whole, (carry, jnp.stack(loop, axis=1)))
    middle, first = rnn(SEQUENCES[:, :3])
    end, second = rnn(SEQUENCES[:, 3:], initial_carry=middle)
    same((end, jnp.concatenate([first, second], axis=1)), whole)


@one_memory_and_two
def test_with_lengths_a_walk_ignores_what_follows_and_so_do_its_gradients(cls):
    rnn = make(cls, return_carry=True)
    short = rnn(SEQUENCES[:1, :2])

    @jax.jit
    def gradient_of(x):
        def walk(x):
            carry, outputs = rnn(x, seq_lengths=jnp.asarray(LENGTHS))
            return (outputs**2).sum() + sum((leaf**2).sum() for leaf in jax.tree.leaves(carry)), (carry, outputs)

        return jax.grad(walk, has_aux=True)(x)

    gradient, (carry, outputs) = gradient_of(SEQUENCES)
    same(jax.tree.map(lambda leaf: leaf[:1], carry), short[0])
    same(outputs[:1, :2], short[1])
    np.testing.assert_array_equal(outputs[0, 2:], 0)
    np.testing.assert_array_equal(gradient[0, 2:], 0)
    assert (gradient[0, :2] != 0).all() and (gradient[1] != 0).all()
    with_other_padding = gradient_of(SEQUENCES.at[0, 2:].set(1000.0))
    same(with_other_padding, (gradient, (carry, outputs)), rtol=0, atol=0)


WALKS = {
    "plain": {},
    "lengths": {"seq_lengths": LENGTHS},
    "reversed, with lengths": {"seq_lengths": LENGTHS, "reverse": True, "keep_order": True},
    "time first, reversed": {"time_major": True, "reverse": True},
}


@pytest.mark.parametrize("options", WALKS.values(), ids=WALKS)
@pytest.mark.parametrize("cls", [LSTMCell, OptimizedLSTMCell])
def test_the_kernel_takes_the_same_walk_and_has_the_same_gradients(cls, options):
    walks = [make(cls, return_carry=True, implementation=form) for form in ("reference", "xla")]
    carry = tuple(jnp.asarray(values, jnp.float32) for values in random.normal(size=(2, BATCH, HIDDEN)))
    x = SEQUENCES.swapaxes(0, 1) if options.get("time_major") else SEQUENCES

    def walk(rnn, weights, x, carry):
        carry, outputs = nnx.merge(nnx.graphdef(rnn), weights)(x, initial_carry=carry, **options)
        total = sum((leaf * jnp.cos(jnp.arange(leaf.size)).reshape(leaf.shape)).sum() for leaf in (outputs, *carry))
        return total, (outputs, carry)

    def both(*arrays):
        return [jax.value_and_grad(partial(walk, rnn), argnums=(0, 1, 2), has_aux=True)(*arrays) for rnn in walks]

    reference, kernel = jax.jit(both)(nnx.state(walks[0]), x, carry)
    same(kernel, reference, rtol=1e-4, atol=1e-5)


def test_the_kernel_walks_in_both_directions_and_under_vmap():
    rnns = {form: [make(OptimizedLSTMCell, implementation=form) for _ in range(2)] for form in ("reference", "xla")}
    batches = jnp.stack([SEQUENCES, -SEQUENCES])

    def walk(form):
        graphdef, state = nnx.split(Bidirectional(*rnns[form]))
        return jax.vmap(lambda x, lengths: nnx.merge(graphdef, state)(x, seq_lengths=lengths))(
            batches, jnp.stack([LENGTHS] * 2)
        )

    same(*jax.jit(lambda: [walk("xla"), walk("reference")])())


def test_second_derivatives_by_the_kernel_are_those_of_the_cell_and_forward_mode_asks_for_the_reference():
    def total(form, x):
        return (make(OptimizedLSTMCell, implementation=form)(x, seq_lengths=jnp.asarray(LENGTHS)) ** 2).sum()

    def changes(form):
        return jax.grad(lambda x: (jax.grad(partial(total, form))(x) ** 2).sum())(SEQUENCES)

    same(*jax.jit(lambda: [changes("xla"), changes("reference")])(), rtol=1e-4, atol=1e-5)
    tangent = jax.jvp(partial(total, "reference"), (SEQUENCES,), (SEQUENCES,))[1]
    np.testing.assert_allclose(tangent, (jax.grad(partial(total, "xla"))(SEQUENCES) * SEQUENCES).sum(), rtol=1e-4)


class Negated(OptimizedLSTMCell):
    """It inherits the weights, and does something else with them."""

    def __call__(self, carry, x):
        carry, y = super().__call__(carry, x)
        return carry, -y


def test_left_to_itself_the_walk_is_the_kernels_if_the_cell_the_size_and_the_dtypes_are(without_type_checks):
    large = jnp.asarray(random.normal(size=(64, 2, INPUTS)), jnp.float32)

    def uses_the_kernel(cls, x, **options):
        rnn = RNN(cls(INPUTS, 32, rngs=nnx.Rngs(0)), **options)
        return "custom_vjp" in str(jax.make_jaxpr(lambda x: rnn(x))(x))

    assert uses_the_kernel(OptimizedLSTMCell, large) and uses_the_kernel(LSTMCell, large)
    assert not uses_the_kernel(OptimizedLSTMCell, large, implementation="reference")
    assert not uses_the_kernel(OptimizedLSTMCell, large[:2])
    assert not uses_the_kernel(OptimizedLSTMCell, large.astype(jnp.bfloat16))  # the weights are float32
    assert not uses_the_kernel(GRUCell, large) and not uses_the_kernel(Negated, large)
    np.testing.assert_array_equal(make(Negated)(SEQUENCES), -make(OptimizedLSTMCell)(SEQUENCES))


@pytest.mark.parametrize(
    ("cls", "dtype", "because"),
    [
        (GRUCell, jnp.float32, "it walks with an LSTMCell or an OptimizedLSTMCell, and the cell is a GRUCell"),
        (Negated, jnp.float32, "it walks with an LSTMCell or an OptimizedLSTMCell, and the cell is a Negated"),
        (LSTMCell, jnp.bfloat16, "input, carry and weights have to be of one dtype, and are of bfloat16 and float32"),
    ],
)
def test_a_named_form_that_cannot_walk_says_why(cls, dtype, because):
    with pytest.raises(ValueError, match=rf"^RNN\(implementation='xla'\) cannot run here, because {because}\.$"):
        make(cls, implementation="xla")(SEQUENCES.astype(dtype))


@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["all steps", "lengths"])
def test_a_walk_in_reverse_is_a_walk_over_the_reversed_sequence(lengths):
    rnn = make(GRUCell, return_carry=True)
    flipped = reverse_sequences(SEQUENCES, lengths)
    carry, outputs = rnn(flipped, seq_lengths=lengths)
    same(rnn(SEQUENCES, seq_lengths=lengths, reverse=True), (carry, outputs))
    in_order = rnn(SEQUENCES, seq_lengths=lengths, reverse=True, keep_order=True)
    same(in_order, (carry, reverse_sequences(outputs, lengths)))
    # Output t belongs to input t: at step 0 is what the walk back says at its end, and at the last real step how it begins.
    same(in_order[1][:, 0], carry)
    same(in_order[1][0, 1 if lengths is not None else -1], outputs[0, 0])


def test_sequences_are_reversed_without_their_padding_and_twice_is_not_at_all():
    back, ahead = reverse_sequences(SEQUENCES, LENGTHS), np.asarray(SEQUENCES)
    np.testing.assert_array_equal(back, np.stack([ahead[0, [1, 0, 2, 3, 4]], ahead[1, ::-1]]))
    np.testing.assert_array_equal(reverse_sequences(back, LENGTHS), ahead)
    np.testing.assert_array_equal(reverse_sequences(SEQUENCES), ahead[:, ::-1])
    # Any number of leading axes, none included.
    np.testing.assert_array_equal(reverse_sequences(SEQUENCES[0], LENGTHS[0, ...]), back[0])
    np.testing.assert_array_equal(reverse_sequences(SEQUENCES[None], LENGTHS[None]), back[None])


def test_the_last_output_is_that_of_the_last_real_step_and_is_the_carry_of_a_walk():
    np.testing.assert_array_equal(last_outputs(SEQUENCES, LENGTHS), np.stack([X[0, 1], X[1, 4]]).astype(np.float32))
    np.testing.assert_array_equal(last_outputs(SEQUENCES), SEQUENCES[:, -1])
    rnn = make(GRUCell, return_carry=True)
    carry, outputs = rnn(SEQUENCES, seq_lengths=LENGTHS)
    np.testing.assert_array_equal(last_outputs(outputs, LENGTHS), carry)


def test_time_may_come_first_and_a_call_overrules_what_the_walk_was_made_with():
    rnn = make(SimpleCell, return_carry=True, reverse=True, keep_order=True)
    carry, outputs = rnn(SEQUENCES, seq_lengths=LENGTHS)
    time_first = rnn(SEQUENCES.swapaxes(0, 1), seq_lengths=LENGTHS, time_major=True)
    same(time_first, (carry, outputs.swapaxes(0, 1)), rtol=0, atol=0)
    forward = rnn(SEQUENCES, reverse=False, return_carry=False)
    same(forward, make(SimpleCell)(SEQUENCES), rtol=0, atol=0)


def test_in_both_directions_the_second_half_is_the_walk_back_in_the_order_of_the_inputs():
    forward, backward = make(GRUCell), make(GRUCell)
    backward.cell.dense_h.kernel[...] = -backward.cell.dense_h.kernel[...]
    both = Bidirectional(forward, backward, return_carry=True)
    (ahead, back), outputs = both(SEQUENCES, seq_lengths=LENGTHS)
    same(outputs[..., :HIDDEN], forward(SEQUENCES, seq_lengths=LENGTHS))
    same(outputs[..., HIDDEN:], backward(SEQUENCES, seq_lengths=LENGTHS, reverse=True, keep_order=True))
    same(ahead, last_outputs(outputs, LENGTHS)[..., :HIDDEN])
    same(back, outputs[:, 0, HIDDEN:])
    # Each step knows what comes before it and what comes after.
    graphdef, state = nnx.split(both)
    gradient = jax.grad(lambda x: nnx.merge(graphdef, state)(x, return_carry=False)[:, 2].sum())(SEQUENCES)
    assert (gradient != 0).all()
    merged = Bidirectional(forward, backward, merge_fn=jnp.add)(SEQUENCES)
    assert merged.shape == (BATCH, TIME, HIDDEN)


class Sum(RecurrentCell):
    """A cell of one's own: it adds up what comes."""

    def __call__(self, carry, x):
        carry = carry + x
        return carry, carry


def test_a_cell_of_your_own_needs_no_more_than_a_call():
    np.testing.assert_allclose(RNN(Sum(INPUTS, INPUTS))(SEQUENCES), np.cumsum(X, axis=1), rtol=1e-5, atol=1e-6)


def test_a_memory_in_float32_stays_so_on_a_walk_over_bfloat16():
    """256 + 1 is 256 in bfloat16: a memory that rounds after every step would never pass it."""
    ones = jnp.ones((1, 300, 1), jnp.bfloat16)
    carry, _ = RNN(Sum(1, 1), return_carry=True)(ones, initial_carry=jnp.zeros((1, 1)))
    assert carry.dtype == jnp.float32 and carry[0, 0] == 300


class Forgetful(RecurrentCell):
    """A sum that loses half of what comes, each time another half, and counts its steps in whole numbers."""

    def __init__(self, features):
        super().__init__(features, features)
        self.dropout, self.norm = Dropout(0.5, rngs=nnx.Rngs(0)), BatchNorm(features, rngs=nnx.Rngs(0))

    def __call__(self, carry, x):
        count, total = carry
        y = self.dropout(x)
        return (count + 1, total + self.norm(y)), y

    def initialize_carry(self, input_shape, rngs=None):
        return jnp.array(0), jnp.zeros(input_shape)


def test_what_a_cell_changes_as_it_goes_is_carried_along_as_in_a_loop():
    """Random keys and running statistics move at each step, and whole numbers stay whole."""
    ones = jnp.ones((3, 6, 64), jnp.bfloat16)
    walk, loop = RNN(Forgetful(64), return_carry=True), Forgetful(64)
    (count, total), outputs = walk(ones)
    carry, expected = loop.initialize_carry((3, 64)), []
    for t in range(6):
        carry, y = loop(carry, ones[:, t])
        expected.append(y)
    np.testing.assert_array_equal(outputs, jnp.stack(expected, axis=1))
    assert count == 6 and jnp.issubdtype(count.dtype, jnp.integer) and total.dtype == jnp.float32
    assert len({np.asarray(outputs[:, t]).tobytes() for t in range(6)}) == 6, "each step draws its own mask"
    assert walk.cell.dropout.rngs.count[...] == loop.dropout.rngs.count[...] == 6
    np.testing.assert_allclose(walk.cell.norm.mean[...], loop.norm.mean[...], rtol=1e-6)
    assert (walk.cell.norm.mean[...] != 0).any()


@every_cell
def test_the_memory_begins_at_zero_in_the_shape_of_the_batch(cls):
    carry = cls(INPUTS, HIDDEN, rngs=nnx.Rngs(0)).initialize_carry((7, BATCH, INPUTS))
    for leaf in jax.tree.leaves(carry):
        np.testing.assert_array_equal(leaf, np.zeros((7, BATCH, HIDDEN)))
    assert len(jax.tree.leaves(carry)) == (2 if "LSTM" in cls.__name__ else 1)


def test_an_empty_batch_has_no_outputs_and_is_no_error():
    rnn = make(GRUCell)
    assert rnn(jnp.zeros((0, TIME, INPUTS)), seq_lengths=np.zeros(0, int)).shape == (0, TIME, HIDDEN)


@every_cell
def test_bad_sizes_are_named(cls, without_type_checks):
    name, rnn = cls.__name__, make(cls)
    with pytest.raises(ValueError, match=rf"{name} expects hidden_features of at least 1, got hidden_features=0\."):
        cls(INPUTS, 0, rngs=nnx.Rngs(0))
    with pytest.raises(ValueError, match=rf"{name} expects 3 features on the last axis of x, got x\.shape=\(2, 4\)\."):
        rnn(jnp.ones((2, TIME, 4)))


@pytest.mark.parametrize(
    ("shape", "lengths", "message"),
    [
        ((INPUTS,), None, r"RNN expects x with an axis of time and one of features, got x\.shape=\(3,\)\."),
        ((2, 0, INPUTS), None, r"RNN expects at least one step, got x\.shape=\(2, 0, 3\)\."),
        ((2, TIME, INPUTS), [1, 2, 3], r"RNN expects a length for each sequence, \(2,\), got \(3,\)\."),
        ((2, TIME, INPUTS), [1.5, 2.0], r"RNN expects lengths in whole numbers, got an array of float64\."),
        ((2, TIME, INPUTS), [2, 6], r"RNN expects lengths from 1 to 5, got 6\."),
        ((2, TIME, INPUTS), [0, 5], r"RNN expects lengths from 1 to 5, got 0\."),
    ],
)
def test_what_cannot_be_walked_is_named(shape, lengths, message, without_type_checks):
    with pytest.raises(ValueError, match=message):
        make(SimpleCell)(jnp.ones(shape), seq_lengths=None if lengths is None else np.array(lengths))


@pytest.mark.parametrize("function", [reverse_sequences, last_outputs])
def test_lengths_beyond_the_sequence_or_of_another_batch_are_named(function, without_type_checks):
    with pytest.raises(ValueError, match=rf"{function.__name__} expects lengths from 1 to 5, got 7\."):
        function(SEQUENCES, np.array([1, 7]))
    with pytest.raises(ValueError, match=rf"{function.__name__} expects a length for each sequence, \(2,\), got \(1,\)\."):
        function(SEQUENCES, np.array([1]))


@pytest.mark.parametrize("function", [reverse_sequences, last_outputs])
def test_lengths_that_are_no_whole_numbers_are_named_where_values_are_not_known_too(function, without_type_checks):
    for call in (function, jax.jit(function)):
        with pytest.raises(ValueError, match=rf"{function.__name__} expects lengths in whole numbers, got .* float32\."):
            call(SEQUENCES, jnp.array([1.5, 2.0]))


def test_a_cell_without_a_call_says_that_it_needs_one():
    with pytest.raises(NotImplementedError, match=r"RecurrentCell has to define __call__\."):
        RNN(RecurrentCell(INPUTS, HIDDEN))(SEQUENCES)


@pytest.mark.parametrize("implementation", ["reference", "xla"])
def test_padding_comes_into_no_gradient_not_even_where_it_is_nan(implementation):
    layer = RNN(LSTMCell(INPUTS, HIDDEN, rngs=nnx.Rngs(0)), implementation=implementation)
    x = jax.random.normal(jax.random.key(1), (BATCH, TIME, INPUTS))
    broken = x.at[0, LENGTHS[0] :].set(jnp.nan)
    energy = lambda layer, x: (layer(x, seq_lengths=LENGTHS) ** 2).sum()  # noqa: E731
    gradients = [nnx.grad(energy)(layer, inputs) for inputs in (x, broken)]
    for expected, found in zip(*map(jax.tree.leaves, gradients), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_arrays_of_numpy_are_taken_in_as_jax_takes_them(without_type_checks):
    layer = RNN(LSTMCell(INPUTS, HIDDEN, rngs=nnx.Rngs(0)), implementation="xla")
    x = np.random.default_rng(0).normal(size=(BATCH, TIME, INPUTS))
    np.testing.assert_array_equal(layer(x), layer(jnp.asarray(x)))


def test_lengths_may_be_constants_of_a_compiled_function():
    layer = RNN(LSTMCell(INPUTS, HIDDEN, rngs=nnx.Rngs(0)))
    x, lengths = jnp.ones((BATCH, TIME, INPUTS)), jnp.asarray(LENGTHS)
    np.testing.assert_allclose(jax.jit(lambda x: layer(x, seq_lengths=lengths))(x), layer(x, seq_lengths=lengths), rtol=1e-6)


def test_the_shape_that_is_named_is_the_one_that_came(without_type_checks):
    with pytest.raises(ValueError, match=r"at least one step, got x.shape=\(0, 4, 3\)"):
        RNN(LSTMCell(INPUTS, HIDDEN, rngs=nnx.Rngs(0)), time_major=True)(jnp.ones((0, 4, 3)))
