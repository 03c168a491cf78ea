"""Domain shift: a network taught with MNIST is to read digits of another scanner, of which there are images and no labels.

Run:     python -m transfer --experiment domain_shift
Cost:    about a minute on two cores (5 seeds).
Expect:  the source alone reads some 60% of the target right; CORAL, DANN and MMD gain some 4 to 8 points, MMD the most; a
         target with its pixels scrambled gains nothing; with the source's labels dealt out at random the target is read
         about as by guessing, 7 to 21% by seed; target labels would bring more than 95%. With ten seeds CDAN gains 2.9 points
         [0.8, 4.9], and self-training shows nothing: −0.6 [−3.0, 1.8]. `tests/transfer/experiments` holds the direction.

All weights are fixed beforehand or chosen without target labels; `transfer.domain_adaptation.WEIGHTS` says how.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from nn.models import MLP, MLPConfig
from nn.training import evaluate
from transfer.domain_adaptation import WEIGHTS, AdaptationMethod, adapt, self_train
from transfer.experiments.experiment import Experiment, Number, generator, rngs
from transfer.experiments.images import SIDE, images
from transfer.fine_tuning import fine_tune
from transfer.report import Method

CONFIGURATION: dict[str, Any] = {
    "source": "mnist_5k, 4,000 images with their labels",
    "target": "digits, 1,000 images without labels; tested on 797 others",
    "classes": 10,
    "hidden": [256, 256, 128],
    "steps": 300,
    "batch_size": 32,
    "learning_rate": 1e-3,
    "weights": WEIGHTS,  # fixed beforehand, and the same for every target
    "threshold": 0.9,
    "rounds": 4,
}
BODY, TARGET, PIXELS, SHUFFLE = range(4)  # purposes of random numbers


def untrained(seed: int) -> MLP:
    """The network as it begins, the same for every arm of a seed."""
    config = MLPConfig(in_features=SIDE * SIDE, hidden=tuple(CONFIGURATION["hidden"]), out_features=CONFIGURATION["classes"])
    return MLP(config, rngs=rngs(seed, BODY))


def source() -> tuple[np.ndarray, np.ndarray]:
    """MNIST: images and labels. Its test images are left for those who want to know what adapting did to the source."""
    return images("mnist_5k", "train")


def target(seed: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The digits that there are to adapt to, drawn without a look at their labels; and those labels, for the upper bound."""
    x, y = images("digits", "train")
    chosen = generator(seed, TARGET).permutation(len(y))[:count]
    return x[chosen], y[chosen]


def with_pixels_moved(x: np.ndarray, seed: int) -> np.ndarray:
    """Every image with its pixels in another order, the same for all: the same numbers, and nothing of a digit left."""
    return x[:, generator(seed, PIXELS).permutation(x.shape[1])]


def training(seed: int) -> dict[str, Any]:
    """What all arms of a seed have in common."""
    return {name: CONFIGURATION[name] for name in ("steps", "batch_size", "learning_rate")} | {"seed": seed}


def with_nonsense(seed: int, count: int) -> MLP:
    """The control: the network after learning from the source with labels dealt out at random, and from the target by MMD."""
    model = untrained(seed)
    x, y = source()
    adapt(model, x, generator(seed, SHUFFLE).permutation(y), target(seed, count)[0], method="mmd", **training(seed))
    return model


@lru_cache(maxsize=64)
def adapted(seed: int, method: AdaptationMethod, count: int, *, weight: float | None = None, scrambled: bool = False) -> MLP:
    """The network after learning from the source and from so many images of the target. Do not change it: it is kept."""
    model = untrained(seed)
    x, _ = target(seed, count)
    if scrambled:
        x = with_pixels_moved(x, seed)
    adapt(model, *source(), x, method=method, weight=weight, **training(seed))
    return model


def self_trained(seed: int, count: int) -> MLP:
    """The network after learning from the source and from what it says itself of the target."""
    model = untrained(seed)
    choices = {name: CONFIGURATION[name] for name in ("threshold", "rounds")}
    self_train(model, *source(), target(seed, count)[0], **choices, **training(seed))
    return model


def with_target_labels(seed: int, count: int) -> MLP:
    """The upper bound: the network after learning from the target, whose labels it is given."""
    model = untrained(seed)
    fine_tune(model, *target(seed, count), **training(seed))
    return model


def run_seed(seed: int, shots: Sequence[int], methods: frozenset[str]) -> Iterator[Number]:
    """Every method at every number of target images, under one seed; `shots` are images per class on average."""
    for n in shots:
        count = n * CONFIGURATION["classes"]
        arms = {
            "source only": lambda count=count: adapted(seed, "none", count),
            "CORAL": lambda count=count: adapted(seed, "coral", count),
            "MMD": lambda count=count: adapted(seed, "mmd", count),
            "DANN": lambda count=count: adapted(seed, "dann", count),
            "CDAN": lambda count=count: adapted(seed, "cdan", count),
            "self-training": lambda count=count: self_trained(seed, count),
            "MMD, target scrambled": lambda count=count: adapted(seed, "mmd", count, scrambled=True),
            "MMD, source shuffled": lambda count=count: with_nonsense(seed, count),
            "target labels": lambda count=count: with_target_labels(seed, count),
        }
        for name, train in arms.items():
            if name in methods:
                yield n, name, evaluate(train(), *images("digits", "test"))


DOMAIN_SHIFT = Experiment(
    name="domain_shift",
    title="Domain shift",
    question="How well does a network taught with MNIST read digits of which it has images and no labels?",
    methods=(
        Method(name="source only", description="the network trained on MNIST alone"),
        Method(name="CORAL", description="with features whose covariances are alike in both domains"),
        Method(name="MMD", description="with features whose distributions are alike in both domains"),
        Method(name="DANN", description="with features that a classifier of domains cannot tell apart"),
        Method(name="CDAN", description="the same, class by class as the network sees the classes"),
        Method(name="self-training", description="then trained on those target labels that it is sure of itself"),
        Method(name="MMD, target scrambled", description="MMD with the target's pixels in another order", kind="control"),
        Method(name="MMD, source shuffled", description="MMD with MNIST's labels dealt out at random", kind="control"),
        Method(name="target labels", description="trained on the target with its labels: an upper bound", kind="control"),
    ),
    baseline="source only",
    shots=(100,),
    most_shots=100,
    seeds=5,
    run_seed=run_seed,
    configuration=CONFIGURATION,
    by_default=False,
)
