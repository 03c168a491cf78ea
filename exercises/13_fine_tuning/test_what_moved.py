"""What `what_moved` must do: asked of a small network of Flax and of copies of it, in which something has moved."""

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from exercises.runner.expectations import expect_refusal, expect_that


class Network(nnx.Module):
    """A hidden layer, batch normalization, dropout and a head."""

    def __init__(self):
        rngs = nnx.Rngs(0)
        self.hidden = nnx.Linear(2, 3, rngs=rngs)
        self.norm = nnx.BatchNorm(3, rngs=rngs)
        self.dropout = nnx.Dropout(0.5, rngs=rngs)
        self.head = nnx.Linear(3, 2, rngs=rngs)

    def __call__(self, x):
        return self.head(self.dropout(self.norm(self.hidden(x))))


class Deeper(Network):
    """With one more layer."""

    def __init__(self):
        super().__init__()
        self.second = nnx.Linear(3, 3, rngs=nnx.Rngs(1))


@pytest.fixture(scope="module")
def pair(answer):
    def ask(moved, call, expected, because):
        before = Network()
        after = nnx.clone(before)
        moved(after)
        got = answer(before, after)
        right = isinstance(got, (list, tuple)) and list(got) == expected
        expect_that(right, f"what_moved(before, after), {call}", got, str(expected), because)

    return ask


def test_in_a_copy_nothing_has_moved(pair):
    pair(lambda model: None, "after a copy of before", [], "a copy holds the same numbers, in variables of its own")


def test_running_averages_move_without_an_optimizer(pair):
    def forward(model):
        model.train()
        model(jnp.array([[1.0, 2.0], [3.0, -4.0]]))

    call = "a copy that has computed its outputs once, in training"
    because = (
        "no optimizer was asked, no parameter has changed, and yet the features are others: the averages went to the new rows. "
        "(The keys of dropout have moved too; they are to)"
    )
    pair(forward, call, ["norm.mean", "norm.var"], because)


def test_one_number_is_enough(pair):
    def touched(model):
        model.hidden.kernel[...] = model.hidden.kernel[...].at[1, 2].add(1.0)

    pair(touched, "one number of hidden.kernel changed by 1", ["hidden.kernel"], "five numbers of six stay, and one moved")


def test_to_the_last_bit(pair):
    def nudged(model):
        kernel = np.array(model.head.kernel[...])
        kernel[0, 0] = np.nextafter(kernel[0, 0], np.float32(9))
        model.head.kernel[...] = jnp.asarray(kernel)

    because = "frozen is exactly as before. What moves a little in one step moves far in a thousand"
    pair(nudged, "one number of head.kernel changed by its last bit", ["head.kernel"], because)


def test_numbers_that_change_places_have_moved(pair):
    def reordered(model):
        model.norm.scale[...] = jnp.array([1.0, 2.0, 3.0])

    def swapped(model):
        model.hidden.kernel[...] = model.hidden.kernel[...][::-1]

    pair(swapped, "the rows of hidden.kernel swapped", ["hidden.kernel"], "sum and size are the same, the layer is another one")
    pair(reordered, "norm.scale set to [1, 2, 3]", ["norm.scale"], "the first of its numbers stayed, the others moved")


def test_all_are_named_in_alphabetical_order(pair):
    def changed(model):
        for variable in (model.norm.var, model.hidden.bias, model.head.kernel, model.norm.bias):
            variable[...] = variable[...] + 1

    because = "each by its whole path: there are two kernels and three biases"
    call = "with 1 added to norm.var, hidden.bias, head.kernel and norm.bias"
    pair(changed, call, ["head.kernel", "hidden.bias", "norm.bias", "norm.var"], because)


@pytest.mark.parametrize("larger", ["before", "after"])
def test_two_different_networks_are_refused(answer, larger):
    before, after = (Deeper(), Network()) if larger == "before" else (Network(), Deeper())
    call = f"what_moved(before, after), where only {larger} has a layer called second"
    expect_refusal(lambda: answer(before, after), call, "a parameter without a partner has neither moved nor stayed")
