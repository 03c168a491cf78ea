"""A source of something else: digits with 50 labels, and 5,000 pictures of clothes.

Run:     python -m nn.data fetch fashion_mnist && python -m transfer --experiment unlike_source
Cost:    about a minute on two cores (10 seeds).
Expect:  frozen features of clothes cost some 6 points against training on the 50 digits alone, twice what the frozen random
         features of an untrained network cost. One head for both costs 0 to 3 points: it takes ten seeds to see. Fine-tuning
         with a fresh head costs nothing that can be told from 0. `tests/transfer/experiments` holds the direction.

`negative_transfer` asks the same of MNIST, with its right labels and with wrong ones. Here every label is right, and means
something else: shirt and 6 share an output of the network, and nothing besides.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np

from nn.models import MLP
from nn.training import evaluate
from transfer.experiments import negative_transfer
from transfer.experiments.experiment import Experiment, Number, rngs
from transfer.experiments.images import images
from transfer.experiments.negative_transfer import HEAD, joint_with, target, untrained
from transfer.fine_tuning import fine_tune, linear_probe, replace_head
from transfer.report import Method

# The network and its training are those of `negative_transfer`, that the two can be compared.
CONFIGURATION = {**negative_transfer.CONFIGURATION, "source": "fashion_mnist, the first 5,000 images"}


def clothes() -> tuple[np.ndarray, np.ndarray]:
    """The source: images and labels. TFDS has shuffled the set, so the first are any."""
    return images("fashion_mnist", "train[:5000]")


@lru_cache(maxsize=16)
def pretrained(seed: int) -> MLP:
    """The network after training on the clothes. Do not change it: it is kept."""
    model = untrained(seed)
    batches = {"batch_size": CONFIGURATION["batch_size"], "learning_rate": CONFIGURATION["learning_rate"], "seed": seed}
    fine_tune(model, *clothes(), steps=CONFIGURATION["pretraining_steps"], **batches)
    return model


def run_seed(seed: int, shots: Sequence[int], methods: frozenset[str]) -> Iterator[Number]:
    """Every method at every number of examples, under one seed."""
    training = {"steps": CONFIGURATION["steps"], "batch_size": CONFIGURATION["batch_size"], "seed": seed}

    def tuned(model: MLP, x, y) -> MLP:
        fine_tune(model, x, y, learning_rate=CONFIGURATION["learning_rate"], **training)
        return model

    def probed(model: MLP, x, y) -> MLP:
        linear_probe(model, x, y, learning_rate=CONFIGURATION["probe_learning_rate"], **training)
        return model

    def fresh(model: MLP) -> MLP:
        return replace_head(model, CONFIGURATION["classes"], rngs=rngs(seed, HEAD))

    arms = {
        "scratch": lambda x, y: tuned(untrained(seed), x, y),
        "joint": lambda x, y: joint_with(seed, *clothes(), x, y),
        "frozen features": lambda x, y: probed(fresh(pretrained(seed)), x, y),
        "fine-tuned": lambda x, y: tuned(fresh(pretrained(seed)), x, y),
        "random features": lambda x, y: probed(fresh(untrained(seed)), x, y),
    }
    for n in shots:
        x, y, test_x, test_y = target(seed, n)
        for name, train in arms.items():
            if name in methods:
                yield n, name, evaluate(train(x, y), test_x, test_y)


UNLIKE_SOURCE = Experiment(
    name="unlike_source",
    title="A source of something else",
    question="Do 5,000 pictures of clothes harm a reader of digits with 50 labels, and does it depend on what is moved?",
    methods=(
        Method(name="scratch", description="the network trained on the digits alone"),
        Method(name="joint", description="digits and clothes at once, through one head"),
        Method(name="frozen features", description="a fresh head on features learned from clothes that do not move"),
        Method(name="fine-tuned", description="a fresh head on features learned from clothes, all of it trained"),
        Method(name="random features", description="a fresh head on the untrained network", kind="control"),
    ),
    shots=(5,),
    most_shots=80,
    seeds=10,
    run_seed=run_seed,
    configuration=CONFIGURATION,
    by_default=False,
)
