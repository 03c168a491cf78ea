"""What the workloads say of themselves: their names, and how much work they are, counted in the program that JAX traces."""

from math import prod

import jax
import pytest
from flax import nnx

from benchmarks.attention import Attention
from benchmarks.catalogue import FIVE, FLOOR, GROWING, WORKLOADS, workload
from benchmarks.cnn import CNN
from benchmarks.gpt import GPT
from benchmarks.lstm import LSTM
from benchmarks.mlp import MLP


def products(jaxpr, times=1):
    """Additions and multiplications of all matrix products and convolutions in a traced program, loops unrolled."""
    total = 0
    for equation in jaxpr.eqns:
        shapes = [variable.aval.shape for variable in equation.invars]
        (out, *_) = (variable.aval.shape for variable in equation.outvars)
        if equation.primitive.name == "dot_general":
            ((contracted, _), _) = equation.params["dimension_numbers"]
            total += times * 2 * prod(out) * prod(shapes[0][axis] for axis in contracted)
        elif equation.primitive.name == "conv_general_dilated":
            numbers = equation.params["dimension_numbers"]
            total += times * 2 * prod(out) * prod(shapes[1]) // shapes[1][numbers.rhs_spec[0]]
        for value in equation.params.values():
            inner = getattr(value, "jaxpr", value)
            if hasattr(inner, "eqns"):
                total += products(inner, times * equation.params.get("length", 1))
    return total


@pytest.mark.parametrize(
    "small",
    [
        MLP(batch_size=4, widths=(8, 6, 5, 3)),
        CNN(batch_size=2, side=8, channels=(3, 4), classes=3),
        LSTM(time=5, batch_size=3, features=4, hidden=6, classes=3),
        GPT(batch_size=2, length=6, vocabulary=11, features=8, heads=2, layers=2),
        Attention(length=8, batch_size=2, features=8, heads=2),
    ],
    ids=lambda small: small.family,
)
def test_the_work_of_inference_is_that_of_the_products_in_flax_s_program(small):
    with jax.numpy_rank_promotion("allow"):
        graphdef, state = nnx.split(small.flax_nnx(small.weights()))
        traced = jax.make_jaxpr(lambda state, x: nnx.merge(graphdef, state)(x))(state, small.inputs())
    assert products(traced.jaxpr) == small.operations().infer


@pytest.mark.parametrize(
    "small",
    [
        MLP(batch_size=4, widths=(8, 6, 5, 3)),
        CNN(batch_size=2, side=8, channels=(3, 4), classes=3),
        Attention(length=8, batch_size=2, features=8, heads=2),
    ],
    ids=lambda small: small.family,
)
def test_the_work_of_training_is_that_of_the_products_of_its_gradient(small):
    with jax.numpy_rank_promotion("allow"):
        graphdef, state = nnx.split(small.flax_nnx(small.weights()))
        loss = jax.grad(lambda state, x: nnx.merge(graphdef, state)(x).sum())
        traced = jax.make_jaxpr(loss)(state, small.inputs())
    # What is last needs no gradient of its own outputs here: they are summed, which is one product with ones as any other.
    assert products(traced.jaxpr) == pytest.approx(small.operations().train, rel=0.35)


def test_the_five_are_those_that_are_known_by_their_work():
    """In GFLOP a training step, as counted when the first figures were taken; the generator now makes its fakes twice."""
    found = {one.name: round(one.operations().train / 1e9, 2) for one in FIVE}
    assert found == {"mlp": 0.31, "lstm": 4.3, "cnn": 2.91, "gpt": 45.9, "dcgan": 10.39}


def test_cost_is_shown_from_256_to_4096_tokens_and_from_64_to_1024_steps():
    sizes = {family: sorted(one.size for one in WORKLOADS.values() if one.family == family) for family in ("attention", "lstm")}
    assert sizes == {"attention": [256, 512, 1024, 2048, 4096], "lstm": [64, 128, 256, 512, 1024]}


def test_each_is_found_by_its_own_name_and_an_unknown_one_by_none():
    assert len(WORKLOADS) == len(FIVE) + len(GROWING)
    assert all(workload(name).name == name for name in WORKLOADS)
    assert workload("floor") is FLOOR
    with pytest.raises(ValueError, match=r"The workloads are mlp, lstm, .*; got 'rnn'"):
        workload("rnn")
