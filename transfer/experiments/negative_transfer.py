"""Negative transfer: digits with 50 labels, beside 5,000 images of MNIST whose labels are right, or shifted by one.

Run:     python -m transfer --experiment negative_transfer
Cost:    about half a minute on two cores (5 seeds).
Expect:  joint training with shifted source labels costs some 5 to 10 points against training on the 50 digits alone, in
         every seed; right labels gain some 2 to 4, and labels dealt out at random, the control, neither. Frozen features gain
         nothing that shows; those of shuffled labels cost some 4 points, random ones some 2.
         `tests/transfer/experiments` holds the direction.

What the right labels are worth hangs on how large MNIST is drawn. With its strokes as large as those of the digits (`images`)
it gains 2.0 points over ten seeds [0.4, 3.7]; as small as with a border of two pixels it costs 4.2 [2.2, 6.2], and 6.0 when
shifted [4.0, 8.0].
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np

from nn.data import Dataset
from nn.models import MLP, MLPConfig
from nn.training import evaluate, fit
from transfer.experiments.experiment import Experiment, Number, generator, rngs
from transfer.experiments.images import SIDE, few_of_each, images
from transfer.fine_tuning import cosine_adam, fine_tune, linear_probe, replace_head
from transfer.negative_transfer import JointBatches, shift_labels
from transfer.report import Method

CONFIGURATION = {
    "source": "mnist_5k, all 5,000 images",
    "target": "digits; tested on 797 images",
    "classes": 10,
    "hidden": [256, 256, 128],
    "pretraining_steps": 500,
    "steps": 300,
    "batch_size": 64,
    "learning_rate": 1e-3,
    "probe_learning_rate": 1e-2,
}
BODY, HEAD, EXAMPLES, SHUFFLE = range(4)  # purposes of random numbers


def untrained(seed: int) -> MLP:
    """The network as it begins, the same for every arm of a seed."""
    config = MLPConfig(in_features=SIDE * SIDE, hidden=tuple(CONFIGURATION["hidden"]), out_features=CONFIGURATION["classes"])
    return MLP(config, rngs=rngs(seed, BODY))


def source(seed: int, *, share: float = 0.0, shuffled: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """MNIST: images, and labels of which a share is shifted by one; or all are dealt out at random."""
    x, y = images("mnist_5k", "train+test")
    if shuffled:
        return x, generator(seed, SHUFFLE).permutation(y)
    return x, shift_labels(y, CONFIGURATION["classes"], share=share, seed=seed)


@lru_cache(maxsize=32)
def pretrained(seed: int, share: float = 0.0, *, shuffled: bool = False) -> MLP:
    """The network after training on the source, with labels as `source` has them. Do not change it: it is kept."""
    model = untrained(seed)
    fine_tune(
        model,
        *source(seed, share=share, shuffled=shuffled),
        steps=CONFIGURATION["pretraining_steps"],
        learning_rate=CONFIGURATION["learning_rate"],
        batch_size=CONFIGURATION["batch_size"],
        seed=seed,
    )
    return model


def target(seed: int, shots: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The digits: images and labels to train on, `shots` a class, and those to test on."""
    return *few_of_each("digits", shots, generator(seed, EXAMPLES)), *images("digits", "test")


def joint_with(seed: int, source_x: np.ndarray, source_y: np.ndarray, x: np.ndarray, y: np.ndarray) -> MLP:
    """The network trained on source and target at once, through one head, with as many target steps as from scratch."""
    others = Dataset.from_arrays({"image": source_x, "label": source_y})
    digits = Dataset.from_arrays({"image": x, "label": y})
    size = min(CONFIGURATION["batch_size"], len(digits))
    model, steps = untrained(seed), CONFIGURATION["steps"]
    fit(
        model,
        JointBatches(others.batches(size, seed=seed + 1000), digits.batches(size, seed=seed)),
        optimizer=cosine_adam(CONFIGURATION["learning_rate"], steps),
        steps=steps,
        log_every=steps,
    )
    return model


def run_seed(seed: int, shots: Sequence[int], methods: frozenset[str]) -> Iterator[Number]:
    """Every method at every number of examples, under one seed."""
    training = {"steps": CONFIGURATION["steps"], "batch_size": CONFIGURATION["batch_size"], "seed": seed}
    probing = {**training, "learning_rate": CONFIGURATION["probe_learning_rate"]}

    def from_scratch(x, y):
        model = untrained(seed)
        fine_tune(model, x, y, **training)
        return model

    def probe(start, x, y):
        model = replace_head(start, CONFIGURATION["classes"], rngs=rngs(seed, HEAD))
        linear_probe(model, x, y, **probing)
        return model

    arms = {
        "scratch": from_scratch,
        "joint": lambda x, y: joint_with(seed, *source(seed), x, y),
        "joint, shifted labels": lambda x, y: joint_with(seed, *source(seed, share=1.0), x, y),
        "joint, shuffled labels": lambda x, y: joint_with(seed, *source(seed, shuffled=True), x, y),
        "frozen features": lambda x, y: probe(pretrained(seed), x, y),
        "frozen, shuffled labels": lambda x, y: probe(pretrained(seed, shuffled=True), x, y),
        "random features": lambda x, y: probe(untrained(seed), x, y),
    }
    for n in shots:
        x, y, test_x, test_y = target(seed, n)
        for name, train in arms.items():
            if name in methods:
                yield n, name, evaluate(train(x, y), test_x, test_y)


NEGATIVE_TRANSFER = Experiment(
    name="negative_transfer",
    title="Negative transfer",
    question="Do 5,000 images of MNIST help to read digits from 50 labels, and what if their labels mean something else?",
    methods=(
        Method(name="scratch", description="the network trained on the digits alone"),
        Method(name="joint", description="digits and MNIST at once, through one head"),
        Method(name="joint, shifted labels", description="the same, with each MNIST label y moved to y + 1"),
        Method(name="joint, shuffled labels", description="the same, MNIST's labels dealt out at random", kind="control"),
        Method(name="frozen features", description="a fresh head on features learned from MNIST that do not move"),
        Method(
            name="frozen, shuffled labels",
            description="the same, learned from MNIST's labels dealt out at random",
            kind="control",
        ),
        Method(name="random features", description="a fresh head on the untrained network", kind="control"),
    ),
    shots=(5,),
    most_shots=80,
    seeds=5,
    run_seed=run_seed,
    configuration=CONFIGURATION,
)
