"""Each library's network, small, does what ours does: outputs, losses, and through steps of descent every gradient."""

import importlib.util
import os
from dataclasses import replace

import jax
import numpy as np
import pytest

from benchmarks.agreement import STEPS, TOLERANCE, Answers, agreement, answers, require_agreement
from benchmarks.attention import EQUATION, Attention
from benchmarks.cnn import CNN
from benchmarks.dcgan import DCGAN
from benchmarks.gpt import GPT
from benchmarks.lstm import LSTM
from benchmarks.mlp import MLP
from benchmarks.optimizers import Optimizer
from benchmarks.weights import from_nnx, into_nnx, require_same_names
from benchmarks.worker import module_of
from benchmarks.workload import COMPILED, HALF, KERAS, LINEN, MESH, NNX, OURS, TORCH

SMALL = {
    "mlp": MLP(batch_size=4, widths=(8, 6, 5, 3)),
    "cnn": CNN(batch_size=2, side=8, channels=(3, 4), classes=3),
    "lstm": LSTM(time=5, batch_size=3, features=4, hidden=6, classes=3),
    "gpt": GPT(batch_size=2, length=6, vocabulary=11, features=8, heads=2, layers=2),
    "dcgan": DCGAN(batch_size=6, latent=5, side=16, channels=(6, 4), steps=(2, 1)),
    "attention": Attention(length=8, features=8, heads=2),
}
TIGHT = 1e-5


@pytest.fixture(autouse=True)
def as_other_people_run_it(monkeypatch):
    """Their layers broadcast over ranks, and Keras looks for its back end in the environment when it is imported."""
    monkeypatch.setitem(os.environ, "KERAS_BACKEND", "jax")
    with jax.numpy_rank_promotion("allow"):
        yield


@pytest.fixture(scope="module")
def ours():
    """What ours says of each workload, and the weights that it begins with."""
    heard = {}

    def of(name):
        if name not in heard:
            weights = SMALL[name].weights()
            heard[name] = weights, answers(SMALL[name], OURS, weights)
        return heard[name]

    return of


def require(library):
    if importlib.util.find_spec(module_of(library)) is None:
        pytest.skip(f"{library} is not installed; `make benchmark` brings it")


@pytest.mark.filterwarnings("ignore:::keras", "ignore:::torch")
@pytest.mark.parametrize("library", [MESH, NNX, LINEN, KERAS, TORCH])
@pytest.mark.parametrize("name", SMALL)
def test_a_library_computes_what_ours_does(name, library, ours):
    require(library)
    weights, first = ours(name)
    found = agreement(first, answers(SMALL[name], library, weights))
    assert max(found) < TIGHT, found


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
@pytest.mark.parametrize("name", SMALL)
def test_compiled_by_pytorch_it_computes_the_same(name, ours):
    require(COMPILED)
    weights, first = ours(name)
    assert max(agreement(first, answers(SMALL[name], COMPILED, weights))) < TIGHT


def test_all_scores_at_once_give_what_the_layer_does(ours):
    weights, first = ours("attention")
    assert max(agreement(first, answers(SMALL["attention"], EQUATION, weights))) < TIGHT


@pytest.mark.filterwarnings("ignore:::keras", "ignore:::torch")
@pytest.mark.parametrize("library", HALF)
def test_in_half_the_precision_it_is_near_and_not_the_same(library, ours):
    require(library)
    weights, first = ours("mlp")
    found = agreement(first, answers(SMALL["mlp"], library, weights))
    require_agreement("mlp", {library: found})
    assert max(found) > TIGHT


@pytest.mark.parametrize("name", SMALL)
def test_gradients_that_are_wrong_by_one_percent_are_noticed(name, ours):
    weights, first = ours(name)
    found = agreement(first, answers(SMALL[name], OURS, weights, faster=1.01))
    if name == "dcgan":  # whose running averages move the outputs most
        assert max(found) > 10 * TIGHT
    else:
        assert found.change > TOLERANCE
        with pytest.raises(ValueError, match=f"On {name} these do not compute what ours does: liar, to 0.001"):
            require_agreement(name, {"liar": found})


def test_the_differences_are_shares_of_what_they_are_differences_of():
    one = Answers(before=np.array([1.0, -2.0]), losses=np.array([4.0, 2.0]), after=np.array([1.0, -1.5]))
    other = Answers(before=np.array([1.2, -2.0]), losses=np.array([4.0, 2.2]), after=np.array([1.2, -1.25]))
    np.testing.assert_allclose(agreement(one, other), [0.1, 0.1, 0.5])
    require_agreement("any", {"itself": agreement(one, one)})


def test_outputs_of_another_shape_are_refused_by_both_shapes():
    one = Answers(np.zeros((2, 3)), np.ones(STEPS), np.ones((2, 3)))
    with pytest.raises(ValueError, match=r"one shape, got \(2, 3\) and \(2, 1\)"):
        agreement(one, one._replace(before=np.zeros((2, 1))))


def test_not_a_number_is_no_agreement():
    one = Answers(np.ones(2), np.ones(STEPS), np.zeros(2))
    broken = one._replace(after=np.full(2, np.nan))
    with pytest.raises(ValueError, match="broken"):
        require_agreement("any", {"broken": agreement(one, broken)})


def test_networks_with_other_weights_are_refused_by_name():
    with pytest.raises(ValueError, match=r"ours lacks \['a'\], and theirs lacks \['b'\]"):
        require_same_names({"a": 0, "c": 0}, {"b": 0, "c": 0})
    weights = SMALL["mlp"].weights()
    with pytest.raises(ValueError, match="ours lacks"):
        into_nnx(replace(SMALL["mlp"], widths=(8, 6, 5, 4, 3)).ours(), weights)


def test_weights_go_in_and_come_out_as_they_were():
    weights = {name: np.full_like(array, 0.5) for name, array in SMALL["gpt"].weights().items()}
    out = from_nnx(into_nnx(SMALL["gpt"].ours(), weights))
    assert out.keys() == weights.keys()
    for name, array in weights.items():
        np.testing.assert_array_equal(out[name], array)


@pytest.mark.parametrize("library", [OURS, NNX, LINEN, KERAS, TORCH])
def test_inputs_of_several_batches_are_answered_batch_by_batch(library, ours):
    require(library)
    weights, first = ours("mlp")
    program = SMALL["mlp"].program(library, Optimizer("adam", 1e-3), weights)
    np.testing.assert_allclose(program.infer(np.concatenate([SMALL["mlp"].inputs()] * 3)), [*first.before] * 3, rtol=1e-5)
    assert program.train(20) < first.losses[0]
