"""One name for an array, wherever it stands."""

import jax
import jax.numpy as jnp
import pytest
from flax import nnx

from nn.models import MLP, MLPConfig
from nn.training.names import dotted_name

MODEL = MLP(MLPConfig(in_features=4, hidden=(8,), out_features=3), rngs=nnx.Rngs(0))
EXPECTED = ["head.bias", "head.kernel", "hidden.0.bias", "hidden.0.kernel"]


def names(tree):
    return [dotted_name(path) for path, _ in jax.tree_util.tree_flatten_with_path(tree)[0]]


AROUND = {
    "in its state": lambda state: state,
    "in plain dictionaries": nnx.to_pure_dict,
    "in a tuple": lambda state: ((state,), ()),
}


@pytest.mark.parametrize("where", AROUND)
def test_a_parameter_has_the_name_that_it_has_in_its_model(where):
    assert sorted(names(AROUND[where](nnx.state(MODEL, nnx.Param)))) == EXPECTED


def test_it_is_the_name_under_which_weights_are_saved():
    assert sorted(".".join(map(str, path)) for path, _ in nnx.to_flat_state(nnx.state(MODEL, nnx.Param))) == EXPECTED


def test_what_has_no_name_has_a_place():
    assert names((jnp.zeros(1), [jnp.zeros(1)])) == ["[0]", "[1][0]"]
