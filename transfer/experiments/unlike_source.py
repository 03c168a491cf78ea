"""A source of something else: digits with 50 labels, and 5,000 pictures of clothes.

Run:     python -m nn.data fetch fashion_mnist && python -m transfer --experiment unlike_source
Cost:    about a minute on two cores (10 seeds).
Expect:  frozen features of clothes cost some 9 points against training on the 50 digits alone, three times what the frozen
         random features of an untrained network cost. It is not what the labels say: where those were dealt out at random, a
         control, frozen features cost about as much. One head for both costs some 7 points. There it is the labels: dealt out
         at random they cost one. Fine-tuning with a fresh head costs nothing that can be told from 0.
         `tests/transfer/experiments` holds the direction.

`negative_transfer` asks the same of MNIST, with its right labels and with wrong ones. Here every label is right, and means
something else: shirt and 6 share an output of the network, and nothing besides.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np

from nn.models import MLP
from nn.training import evaluate
from transfer.experiments import negative_transfer
from transfer.experiments.experiment import Experiment, Number, generator, rngs
from transfer.experiments.images import images
from transfer.experiments.negative_transfer import HEAD, SHUFFLE, joint_with, target, untrained
from transfer.fine_tuning import fine_tune, linear_probe, replace_head
from transfer.report import Method

# The network and its training are those of `negative_transfer`, that the two can be compared.
CONFIGURATION = {**negative_transfer.CONFIGURATION, "source": "fashion_mnist, the first 5,000 images"}


def clothes() -> tuple[np.ndarray, np.ndarray]:
    """The source: images and labels. TFDS has shuffled the set, so the first are any."""
    return images("fashion_mnist", "train[:5000]")


def shuffled_clothes(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The same images, and their labels dealt out at random."""
    x, y = clothes()
    return x, generator(seed, SHUFFLE).permutation(y)


@lru_cache(maxsize=32)
def pretrained(seed: int, *, shuffled: bool = False) -> MLP:
    """The network after training on the clothes, with their labels or with shuffled ones. Do not change it: it is kept."""
    model = untrained(seed)
    batches = {"batch_size": CONFIGURATION["batch_size"], "learning_rate": CONFIGURATION["learning_rate"], "seed": seed}
    x, y = shuffled_clothes(seed) if shuffled else clothes()
    fine_tune(model, x, y, steps=CONFIGURATION["pretraining_steps"], **batches)
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
        "joint, shuffled labels": lambda x, y: joint_with(seed, *shuffled_clothes(seed), x, y),
        "frozen features": lambda x, y: probed(fresh(pretrained(seed)), x, y),
        "frozen, shuffled labels": lambda x, y: probed(fresh(pretrained(seed, shuffled=True)), x, y),
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
        Method(name="joint, shuffled labels", description="the same, the clothes' labels dealt out at random", kind="control"),
        Method(name="frozen features", description="a fresh head on features learned from clothes that do not move"),
        Method(
            name="frozen, shuffled labels",
            description="the same, learned from the clothes' labels dealt out at random",
            kind="control",
        ),
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
