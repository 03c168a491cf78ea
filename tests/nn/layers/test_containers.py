"""Three ways through a stack of layers: the same numbers, with less memory or a shorter program."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax.sharding import NamedSharding, PartitionSpec

from nn.layers import BatchNorm, Dropout, Linear, in_turn
from nn.layers.containers import List

WAYS = [dict(rematerialize=True), dict(scan=True), dict(rematerialize=True, scan=True)]
every_way = pytest.mark.parametrize("way", WAYS, ids=lambda way: " and ".join(way))


class Layer(nnx.Module):
    """With all that a call moves: running averages and random numbers."""

    def __init__(self, features, *, rngs):
        self.linear = Linear(features, features, rngs=rngs)
        self.norm = BatchNorm(features, rngs=rngs)
        self.dropout = Dropout(0.3, rngs=rngs)

    def __call__(self, x, shift, *, sign=1):
        return self.dropout(jnp.tanh(self.norm(self.linear(x)) + sign * shift))


class Stack(nnx.Module):
    def __init__(self, depth=3, features=4):
        rngs = nnx.Rngs(0)
        self.layers = List([Layer(features, rngs=rngs) for _ in range(depth)])

    def __call__(self, x, **way):
        return in_turn(self.layers, x, 0.5 * x, sign=-1, **way)


X = jnp.asarray(np.random.default_rng(0).normal(size=(8, 4)), jnp.float32)


def slopes(model, x, **way):
    """The gradient of a scalar by the weights and by x, and the model's other variables after two calls."""
    graphdef, weights, moving = nnx.split(model, nnx.Param, ...)

    def value(weights, x):
        model = nnx.merge(graphdef, weights, moving, copy=True)
        y = model(model(x, **way), **way)
        return (y**2).sum(), nnx.split(model, nnx.Param, ...)[2]

    return jax.jit(jax.value_and_grad(value, argnums=(0, 1), has_aux=True))(weights, x)


def numbers(tree):
    keys = jax.dtypes.prng_key
    return [jax.random.key_data(leaf) if jnp.issubdtype(leaf.dtype, keys) else leaf for leaf in jax.tree.leaves(tree)]


@every_way
def test_every_way_gives_the_same_values_slopes_masks_and_running_averages(way):
    ours, expected = slopes(Stack(), X, **way), slopes(Stack(), X)
    assert jax.tree.structure(ours) == jax.tree.structure(expected)
    for one, other in zip(numbers(ours), numbers(expected), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


@every_way
def test_outside_of_jit_the_layers_themselves_move(way):
    ours, expected = Stack(), Stack()
    np.testing.assert_allclose(ours(X, **way), expected(X), rtol=1e-5, atol=1e-6)
    for one, other in zip(numbers(nnx.state(ours)), numbers(nnx.state(expected)), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    assert [int(layer.dropout.rngs.count[...]) for layer in ours.layers] == [1, 1, 1]


@every_way
def test_in_evaluation_mode_layers_are_left_alone_and_may_be_held_by_others(way):
    """As by a jit or a gradient around a model that it does not take as an argument."""
    stack = Stack()
    for layer in stack.layers:
        layer.eval()
    before = numbers(nnx.state(stack))
    y, slope = jax.jit(jax.value_and_grad(lambda x: stack(x, **way).sum()))(X)
    expected, right = jax.value_and_grad(lambda x: stack(x).sum())(X)
    np.testing.assert_allclose(y, expected, rtol=1e-5)
    np.testing.assert_allclose(slope, right, rtol=1e-5, atol=1e-6)
    for one, other in zip(numbers(nnx.state(stack)), before, strict=True):
        np.testing.assert_array_equal(one, other)


class Noisy(nnx.Module):
    """A layer that draws from random numbers that others may draw from, too."""

    def __init__(self, rngs):
        self.rngs = rngs

    def __call__(self, x):
        return x + jax.random.normal(self.rngs.noise(), x.shape)


def test_layers_that_share_what_a_call_moves_go_without_scan():
    def noise(**way):
        rngs = nnx.Rngs(noise=0)
        return in_turn(List([Noisy(rngs) for _ in range(3)]), jnp.zeros(4), **way)

    np.testing.assert_allclose(noise(rematerialize=True), noise(), rtol=1e-6)
    with pytest.raises(ValueError, match="each layer with its own random numbers and running averages; these layers of Noisy"):
        noise(scan=True)


def gradient_of(depth, features=32, examples=512, **way):
    """A gradient to be compiled, and its arguments: all of them, for XLA would draw the masks of a constant key itself."""
    graphdef, weights, moving = nnx.split(Stack(depth, features), nnx.Param, ...)

    def value(weights, moving, x):
        return nnx.merge(graphdef, weights, moving, copy=True)(x, **way).sum()

    return jax.jit(jax.grad(value)), weights, moving, jnp.zeros((examples, features))


def lowered(depth, **way):
    gradient, *inputs = gradient_of(depth, **way)
    return gradient.lower(*inputs)


def memory(program):
    return program.memory_analysis().temp_size_in_bytes


def test_rematerialized_a_gradient_needs_less_memory():
    program = lowered(12, scan=True, rematerialize=True).compile()
    assert memory(program) < memory(lowered(12).compile()) / 2
    assert memory(program) < memory(lowered(12, scan=True).compile()) / 2


def test_scanned_a_program_hardly_grows_with_depth():
    def lines(depth, **way):
        return lowered(depth, **way).as_text().count("\n")

    assert lines(12, scan=True) - lines(6, scan=True) < (lines(12) - lines(6)) / 3
    assert lines(24, scan=True) < 2 / 3 * lines(24)


@pytest.mark.parametrize("way", [{}, *WAYS])
def test_no_layers_give_back_what_came(way):
    assert in_turn([], X, **way) is X


def unlike(change):
    stack = Stack()
    change(stack.layers)
    return stack


@pytest.mark.parametrize(
    ("stack", "message"),
    [
        (unlike(lambda layers: layers[1].eval()), "of one kind, shape and mode, and Layer 1 is not like Layer 0"),
        (unlike(lambda layers: setattr(layers[2], "linear", Linear(4, 4, use_bias=False, rngs=nnx.Rngs(0)))), "Layer 2 is not"),
        (unlike(lambda layers: setattr(layers[0], "linear", Linear(5, 4, rngs=nnx.Rngs(0)))), "Layer 1 is not like Layer 0"),
    ],
)
def test_layers_that_are_not_alike_are_refused_by_scan_alone(stack, message):
    with pytest.raises(ValueError, match=rf"in_turn\(scan=True\) expects layers .*{message}.*They go without scan"):
        stack(X, scan=True)


def test_what_scan_cannot_do_it_refuses_in_words():
    layer = Layer(4, rngs=nnx.Rngs(0))
    with pytest.raises(ValueError, match=r"in_turn\(scan=True\) expects each layer once"):
        in_turn([layer, layer], X, X, scan=True)
    narrower = [Linear(4, 3, rngs=nnx.Rngs(0))]
    with pytest.raises(ValueError, match=r"output is like their input, got float32\(8, 3\) from float32\(8, 4\) out of Linear"):
        in_turn(narrower, X, scan=True)


@pytest.mark.compile_check
@pytest.mark.parametrize("machine", ["sm_90"], indirect=True)  # the TPU's compiler takes minutes for twelve layers one by one
def test_on_a_gpu_rematerialization_saves_memory_without_a_loop_too(machine):
    place = NamedSharding(machine.mesh(), PartitionSpec())

    def needed(**way):
        gradient, *inputs = gradient_of(8, features=128, examples=2**13, **way)
        like = [
            jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=place), tree) for tree in inputs
        ]
        return memory(machine.compile(gradient, *like))

    assert needed(rematerialize=True) < 0.75 * needed()
