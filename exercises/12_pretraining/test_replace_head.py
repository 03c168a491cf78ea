"""What `replace_head` must do: seen in a small network of Flax, whose running averages are not those that it began with."""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from exercises.runner.expectations import compact, expect, expect_that


@dataclass(frozen=True)
class Config:
    """What a `Network` is made of."""

    out_features: int


class Network(nnx.Module):
    """head(features(x)), as the models of the course."""

    def __init__(self, config: Config, *, rngs: nnx.Rngs):
        self.config = config
        self.hidden = nnx.Linear(4, 3, rngs=rngs)
        self.norm = nnx.BatchNorm(3, rngs=rngs)
        self.head = nnx.Linear(3, config.out_features, rngs=rngs)

    def features(self, x):
        """The network's features of x."""
        return nnx.relu(self.norm(self.hidden(x)))

    def __call__(self, x):
        return self.head(self.features(x))


def pretrained():
    """A network for 5 classes that has been trained, as its running averages show."""
    model = Network(Config(out_features=5), rngs=nnx.Rngs(0))
    model.norm.mean[...] = jnp.array([1.0, 2.0, 3.0])
    return model


def numbers(model):
    """Name → numbers, for all that the model holds."""
    return {".".join(map(str, path)): np.array(value[...]) for path, value in nnx.to_flat_state(nnx.state(model))}


def called(classes, seed=7):
    return f"replace_head(model, {classes}, rngs=nnx.Rngs({seed})) with a model for 5 classes"


@pytest.fixture(scope="module")
def replace_head(answer):
    def ask(model, classes, seed=7):
        copy = answer(model, classes, rngs=nnx.Rngs(seed))
        expect_that(isinstance(copy, Network), called(classes, seed), copy, "a network of the same kind")
        kind, because = type(copy.head).__name__, "the new head stands where the old one stood, right behind the features"
        expect_that(hasattr(copy.head, "kernel"), f"{called(classes, seed)}; copy.head", kind, "a linear layer", because)
        return copy

    return ask


@pytest.mark.parametrize("classes", [2, 5, 9])
def test_all_but_the_head_is_as_it_was(replace_head, classes):
    model = pretrained()
    before = numbers(model)
    after = numbers(replace_head(model, classes))
    for name in before:
        if not name.startswith("head"):
            because = "what was pretrained is kept: parameters, and running averages too"
            expect(after.get(name), before[name], f"{called(classes)}; the copy's {name}", because)


@pytest.mark.parametrize("classes", [2, 5, 9])
def test_the_head_gives_a_score_for_each_class(replace_head, classes):
    copy = replace_head(pretrained(), classes)
    shape = np.shape(copy.head(jnp.ones((2, 3))))
    because = "two rows of 3 features become two rows of scores, one for each class"
    expect_that(
        shape == (2, classes),
        f"{called(classes)}; the shape of copy.head(h), h.shape = (2, 3)",
        shape,
        f"(2, {classes})",
        because,
    )
    said = copy.config.out_features
    because = "config says what the model is made of, and whoever builds it again from that gets as many scores"
    expect_that(said == classes, f"{called(classes)}; copy.config.out_features", said, str(classes), because)


@pytest.mark.parametrize("classes", [2, 5, 9])
def test_no_weight_of_the_old_head_is_in_the_new_one(replace_head, classes):
    model = pretrained()
    old = np.array(model.head.kernel[...])
    new = np.array(replace_head(model, classes).head.kernel[...])
    same = (new[:, :, None] == old[:, None, :]).any()
    because = "the old weights score the old classes: a new class that gets one begins with another's opinion"
    expect_that(not same, f"{called(classes)}; copy.head.kernel", new, f"none of the old weights {compact(old)}", because)


def test_the_new_weights_come_from_rngs(replace_head):
    first, again, other = (np.array(replace_head(pretrained(), 2, seed).head.kernel[...]) for seed in (7, 7, 8))
    expect(again, first, f"{called(2)}, twice; copy.head.kernel", "the same key makes the same head")
    because = "with one head for all seeds, all seeds are one seed"
    expect_that(
        (first != other).all(),
        f"{called(2, 8)}; copy.head.kernel",
        other,
        f"other weights than from nnx.Rngs(7), {compact(first)}",
        because,
    )


def test_the_model_itself_is_left_as_it_is(replace_head):
    model = pretrained()
    before, head, config = numbers(model), model.head, model.config
    replace_head(model, 2)
    call = f"{called(2)}; looked at the model afterwards"
    because = "it may have many targets: each wants the model as it was pretrained"
    expect_that(
        model.head is head,
        f"{call}: its head",
        f"another head, for {model.head.out_features} classes",
        "the head it had",
        because,
    )
    expect_that(model.config == config, f"{call}: its config", model.config, str(config), because)
    for name, array in numbers(model).items():
        expect(array, before[name], f"{call}: its {name}", because)


def test_training_the_copy_does_not_train_the_model(replace_head):
    model = pretrained()
    before = numbers(model)
    copy = replace_head(model, 2)
    copy.hidden.kernel[...] = jnp.zeros((4, 3))
    copy.norm.mean[...] = jnp.zeros(3)
    for name, array in numbers(model).items():
        call = f"{called(2)}; the model's {name}, after the copy's hidden.kernel and norm.mean were set to 0"
        expect(array, before[name], call, "a copy has variables of its own")
