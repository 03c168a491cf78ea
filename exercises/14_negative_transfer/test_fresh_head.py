"""What `fresh_head` must do. The networks have no hidden layer: their head is the first thing drawn from their key."""

import numpy as np
import pytest
from flax import nnx

from exercises.runner.expectations import expect, expect_that
from nn.models import MLP, MLPConfig


@pytest.fixture(scope="module")
def fresh_head(answer):
    return answer


def network(seed):
    return MLP(MLPConfig(in_features=4, hidden=(), out_features=3), rngs=nnx.Rngs(seed))


def weights(model):
    return None if model is None else np.array(model.head.kernel[...])


def differs(one, other):
    return one is not None and one.shape == other.shape and abs(one - other).max() > 1e-3


CALL = "fresh_head(model, 3, seed=7) with model = MLP(config, rngs=nnx.Rngs(7)); the kernel of its head"


def test_it_is_not_what_the_source_began_with(fresh_head):
    model = network(7)
    own = weights(model)  # before: a model that is changed has a test of its own
    head = weights(fresh_head(model, 3, seed=7))
    because = "a head that begins as the source's began fits the source's classes in their order, and misleads you"
    expect_that(differs(head, own), CALL, head, "other numbers than in the model's own head", because)


@pytest.mark.parametrize("seed", [6, 8])
def test_nor_what_the_network_of_a_neighbouring_seed_began_with(fresh_head, seed):
    head = weights(fresh_head(network(7), 3, seed=7))
    expected = f"other numbers than in the head of MLP(config, rngs=nnx.Rngs({seed}))"
    expect_that(differs(head, weights(network(seed))), CALL, head, expected, "seeds must not borrow from each other")


def test_some_columns_are_not_the_old_ones(fresh_head):
    model = network(7)
    own = weights(model)
    head = weights(fresh_head(model, 5, seed=7))
    call = CALL.replace("model, 3,", "model, 5,")
    expect_that(head is not None and head.shape == (4, 5), call, head, "shape (4, 5)", "a column for each of five classes")
    because = "what is left of the old head knows the old classes"
    columns = None if head is None else head[:, :3]
    expect_that(differs(columns, own), call, head, "none of the old head's columns", because)


def test_all_arms_of_a_seed_begin_with_the_same_head(fresh_head):
    pretrained, untrained = network(1), network(2)
    one, other = (weights(fresh_head(model, 3, seed=7)) for model in (pretrained, untrained))
    because = "arms of one seed are compared in pairs: what is not in question has to be equal"
    expect(one, other, "fresh_head(one, 3, seed=7) and fresh_head(other, 3, seed=7); the kernels of their heads", because)


def test_each_seed_has_a_head_of_its_own(fresh_head):
    model = network(1)
    one, other = (weights(fresh_head(model, 3, seed=seed)) for seed in (7, 8))
    call = "fresh_head(model, 3, seed=7) and fresh_head(model, 3, seed=8); the kernels of their heads"
    expect_that(differs(one, other), call, one, "two different ones", "the luck of a start belongs into the spread over seeds")


def test_the_model_stays_as_it_is(fresh_head):
    model = network(7)
    before = weights(model)
    fresh_head(model, 3, seed=7)
    expect(weights(model), before, "fresh_head(model, 3, seed=7); the model's own head afterwards", "the next arm needs it")
