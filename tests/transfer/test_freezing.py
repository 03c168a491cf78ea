"""What is frozen stays, bit for bit: parameters, running averages and dropout, whatever is called in between."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from nn.data import Dataset
from nn.layers import BatchNorm, Linear
from nn.models import MLP, MLPConfig
from nn.training import fit
from transfer import freeze, trainable_filter
from transfer.freezing import what_moved

ADAMW = optax.adamw(1e-2, weight_decay=0.1)
BODY = ("hidden", "norms", "dropouts")


def network(seed=0, hidden=(8, 6), **choices):
    config = MLPConfig(in_features=4, hidden=hidden, out_features=3, **{"normalization": "batch", "dropout": 0.3, **choices})
    return MLP(config, rngs=nnx.Rngs(seed))


def inputs():
    return np.random.default_rng(0).normal(size=(64, 4)).astype(np.float32)


def train(model, wrt, optimizer=ADAMW):
    data = Dataset.from_arrays({"image": inputs(), "label": np.arange(64, dtype=np.int32) % 3})
    fit(model, data.batches(16, seed=0), optimizer=optimizer, steps=4, wrt=wrt)


def leaves(model, *filters):
    """Every array of a model by its dotted path, random keys as the numbers inside them."""
    flat = nnx.to_flat_state(nnx.state(model, *filters))
    arrays = {".".join(map(str, path)): variable[...] for path, variable in flat}
    return {
        name: np.array(jax.random.key_data(a) if jnp.issubdtype(a.dtype, jax.dtypes.prng_key) else a)
        for name, a in arrays.items()
    }


def moved(before, after):
    assert before.keys() == after.keys()
    return {name for name in before if not np.array_equal(before[name], after[name])}


def test_a_frozen_body_is_bit_identical_after_training():
    """Running averages and counts of masks among it, under weight decay, and through a later train()."""
    model = network()
    left = freeze(model, BODY)
    model.train()
    before = leaves(model)
    train(model, left)
    assert moved(before, leaves(model)) == {"head.kernel", "head.bias"}


def test_leaving_parameters_out_of_the_optimizer_does_not_hold_what_the_forward_pass_moves():
    """Why `freeze` is more than a filter."""
    model = network()
    before, copy = leaves(model), nnx.clone(model)
    train(model, trainable_filter(model, include="head"))
    averages = [f"norms.{layer}.{name}" for layer in range(2) for name in ("mean", "var")]
    assert what_moved(copy, model) == ["head.bias", "head.kernel", *averages]
    surplus = moved(before, leaves(model)) - {"head.kernel", "head.bias"}
    assert {name.split(".")[-1] for name in surplus} == {"mean", "var", "count"}


def test_a_frozen_body_computes_in_training_what_it_computes_in_evaluation():
    model, x = network(), jnp.asarray(inputs())
    train(model, nnx.Param)
    freeze(model, BODY)
    model.eval()
    expected = model.features(x)
    model.train()
    np.testing.assert_array_equal(model.features(x), expected)
    np.testing.assert_array_equal(model.features(x[:1]), model.features(x[:1]))


def test_what_is_not_frozen_still_moves():
    model = network()
    before = leaves(model)
    train(model, freeze(model, ("hidden.0", "norms.0", "dropouts.0")))
    still = set(before) - moved(before, leaves(model))
    first_layer = {name for name in before if name.split(".")[1] == "0"}
    assert still == first_layer | {"dropouts.1.rngs.key"}


@pytest.mark.parametrize(
    ("patterns", "left"),
    [
        ("hidden.1", lambda name: not name.startswith("hidden.1.")),  # hidden.10 is another layer
        ("*.bias", lambda name: not name.endswith(".bias")),
        (("hidden.*.kernel", "head"), lambda name: name.startswith("hidden") and name.endswith(".bias")),
    ],
)
def test_a_pattern_means_a_path_or_all_that_is_in_it(patterns, left):
    model = network(hidden=(4,) * 11, normalization=None, dropout=0.0)
    chosen = leaves(model, freeze(model, patterns))
    assert set(chosen) == {name for name in leaves(model, nnx.Param) if left(name)}
    assert set(leaves(model, trainable_filter(model, exclude=patterns))) == set(chosen)


def test_include_and_exclude_together():
    model = network()
    chosen = trainable_filter(model, include=("head", "hidden.1"), exclude="*.bias")
    assert set(leaves(model, chosen)) == {"head.kernel", "hidden.1.kernel"}


@pytest.mark.parametrize(
    ("call", "function"),
    [
        (lambda model: freeze(model, ("hidden", "hiden.0")), "freeze"),
        (lambda model: trainable_filter(model, include=("head", "hiden.0")), "trainable_filter"),
        (lambda model: trainable_filter(model, exclude="hiden.0"), "trainable_filter"),
    ],
)
def test_a_pattern_that_matches_nothing_is_named(call, function):
    model = network()
    with pytest.raises(ValueError, match=rf"{function} expects patterns that match something; \['hiden\.0'\] match none of"):
        call(model)
    assert not any(layer.frozen for layer in (*model.norms, *model.dropouts))


def test_a_running_average_is_frozen_with_its_layer_or_not_at_all():
    """A pattern for the statistic alone would be obeyed by nobody: the layer moves it."""
    model = network()
    with pytest.raises(ValueError, match=r"\['norms\.0\.mean'\] match none of"):
        freeze(model, "norms.0.mean")


def test_nothing_left_to_train_is_refused():
    model = network()
    with pytest.raises(ValueError, match="leaves nothing to train"):
        trainable_filter(model, include="head", exclude="*")
    with pytest.raises(ValueError, match="wrt to select something to train"):
        train(model, freeze(model, "*"))


def test_a_star_freezes_a_layer_that_is_the_whole_model():
    norm = BatchNorm(4, rngs=nnx.Rngs(0))
    freeze(norm, "*")
    before = leaves(norm)
    norm(jnp.asarray(inputs()))
    assert not moved(before, leaves(norm))


class Mixed(nnx.Module):
    """A body of Flax's own layers, and a head."""

    def __init__(self, layer):
        self.norm, self.body, self.head = BatchNorm(4, rngs=nnx.Rngs(0)), layer, Linear(4, 3, rngs=nnx.Rngs(0))


@pytest.mark.parametrize(
    "layer", [nnx.BatchNorm(4, rngs=nnx.Rngs(0)), nnx.Dropout(0.5, rngs=nnx.Rngs(0))], ids=lambda layer: type(layer).__name__
)
def test_a_layer_of_flax_that_cannot_be_held_is_refused_by_name(layer):
    model, name = Mixed(layer), type(layer).__name__
    with pytest.raises(ValueError, match=rf"held in evaluation mode; body is a flax\.nnx\..*{name}"):
        freeze(model, ("norm", "body"))
    assert not model.norm.frozen  # all or nothing
    freeze(model, "head")  # where it is not in the frozen part, it is welcome


def test_equal_filters_are_one_filter():
    """So that the compiled step of one is the compiled step of the other."""
    first, second = (freeze(network(seed), ["hidden", "norms"]) for seed in (0, 1))
    assert first == second and hash(first) == hash(second)
    assert first != freeze(network(), "hidden")


def test_gradients_and_optimizer_state_hold_trainable_leaves_alone():
    """A clipping by norm would count the gradients of what is frozen, if there were any."""
    seen = {}

    def update(gradients, state, parameters):
        seen["gradients"], seen["parameters"] = (jax.tree.map(jnp.shape, tree) for tree in (gradients, parameters))
        return gradients, state

    def init(parameters):
        seen["state"] = jax.tree.map(jnp.shape, parameters)
        return optax.EmptyState()

    model = network()
    train(model, freeze(model, BODY), optimizer=optax.GradientTransformation(init, update))
    for tree in seen.values():
        shapes = jax.tree.leaves(tree, is_leaf=lambda leaf: isinstance(leaf, tuple))
        assert sorted(shapes) == [(3,), (6, 3)]
    assert set(seen) == {"state", "gradients", "parameters"}


def test_a_wildcard_for_all_of_a_layer_freezes_its_running_averages_too():
    model = network()
    freeze(model, "norms.0.*")
    assert [norm.frozen for norm in model.norms] == [True] + [False] * (len(model.norms) - 1)


def test_the_last_call_says_what_is_frozen():
    model = network()
    freeze(model, "norms")
    freeze(model, "dropouts")
    assert not any(norm.frozen for norm in model.norms) and all(dropout.frozen for dropout in model.dropouts)
    freeze(model, ())
    assert not any(dropout.frozen for dropout in model.dropouts)
