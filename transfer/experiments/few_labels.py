"""Few labels, new classes: does what a network learned on 117 characters help it with 20 that it has never seen?

Run:     python -m transfer --experiment few_labels
Cost:    about three quarters of a minute on two cores (5 seeds).
Expect:  with 1 example a class, a linear probe gains some 25 points over training from scratch, fine-tuning a third of that,
         and prototypes of pretrained features lead; with 20 examples the gains are less. Random features and raw pixels, two
         of the controls, show that it is the pretraining and not the method. The third shows that it is what the labels say:
         features that learned the same pictures with their labels dealt out at random lose some 5 to 12 points.
         `tests/transfer/experiments` holds the direction.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np

from nn.models import MLP, MLPConfig
from nn.training import evaluate
from transfer.experiments.experiment import Experiment, Number, generator, rngs
from transfer.experiments.images import SIDE, first_of_each_class, images
from transfer.few_shot import prototype_accuracy
from transfer.fine_tuning import extract_features, fine_tune, linear_probe, replace_head
from transfer.report import Method

CONFIGURATION = {
    "source": "glyphs, 117 characters chosen by the seed, 80 images each",
    "target": "glyphs, the 20 characters left; tested on 40 images each",
    "classes": 137,
    "new_classes": 20,
    "hidden": [256, 256, 128],
    "pretraining_steps": 1500,
    "steps": 300,
    "batch_size": 64,
    "learning_rate": 1e-3,
    "probe_learning_rate": 1e-2,
}
BODY, HEAD, CLASSES, EXAMPLES, SHUFFLE = range(5)  # purposes of random numbers


def split_classes(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Which characters are seen in pretraining and which are new, by the seed."""
    order = generator(seed, CLASSES).permutation(CONFIGURATION["classes"])
    return order[CONFIGURATION["new_classes"] :], order[: CONFIGURATION["new_classes"]]


def relabel(labels: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Labels as positions in `classes`; every label must be there."""
    position = np.full(CONFIGURATION["classes"], -1, np.int32)
    position[classes] = np.arange(len(classes), dtype=np.int32)
    return position[labels]


def untrained(seed: int, classes: int) -> MLP:
    """The network as it begins, the same for every arm of a seed."""
    config = MLPConfig(in_features=SIDE * SIDE, hidden=tuple(CONFIGURATION["hidden"]), out_features=classes)
    return MLP(config, rngs=rngs(seed, BODY))


@lru_cache(maxsize=32)
def pretrained(seed: int, *, shuffled: bool = False) -> MLP:
    """The network after pretraining on the seed's 117 characters, with their labels or with these dealt out at random.

    Do not change it: it is kept for the next who asks.
    """
    seen, _ = split_classes(seed)
    x, y = images("glyphs", "train")
    among_seen = np.isin(y, seen)
    model, labels = untrained(seed, len(seen)), relabel(y[among_seen], seen)
    fine_tune(
        model,
        x[among_seen],
        generator(seed, SHUFFLE).permutation(labels) if shuffled else labels,
        steps=CONFIGURATION["pretraining_steps"],
        learning_rate=CONFIGURATION["learning_rate"],
        batch_size=CONFIGURATION["batch_size"],
        seed=seed,
    )
    return model


def target(seed: int, shots: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The new characters: images and labels to train on, `shots` a class, and those to test on."""
    _, new = split_classes(seed)
    x, y = images("glyphs", "train")
    order = generator(seed, EXAMPLES).permutation(len(y))
    chosen = first_of_each_class(y, new, shots, order)
    test_x, test_y = images("glyphs", "test")
    among_new = np.isin(test_y, new)
    return x[chosen], relabel(y[chosen], new), test_x[among_new], relabel(test_y[among_new], new)


def run_seed(seed: int, shots: Sequence[int], methods: frozenset[str]) -> Iterator[Number]:
    """Every method at every number of examples, under one seed."""
    classes = CONFIGURATION["new_classes"]
    training = {"steps": CONFIGURATION["steps"], "batch_size": CONFIGURATION["batch_size"], "seed": seed}
    probing = {**training, "learning_rate": CONFIGURATION["probe_learning_rate"]}
    fresh = untrained(seed, CONFIGURATION["classes"] - classes)

    for n in shots:
        x, y, test_x, test_y = target(seed, n)

        def trained(how, start, options, x=x, y=y, test_x=test_x, test_y=test_y) -> float:
            model = replace_head(start, classes, rngs=rngs(seed, HEAD))
            how(model, x, y, **options)
            return evaluate(model, test_x, test_y)

        arms = {
            "scratch": lambda: trained(fine_tune, fresh, training),
            "fine-tune": lambda: trained(fine_tune, pretrained(seed), training),
            "linear probe": lambda: trained(linear_probe, pretrained(seed), probing),
            "prototypes": lambda x=x, y=y, test_x=test_x, test_y=test_y: prototype_accuracy(
                extract_features(pretrained(seed), x), y, extract_features(pretrained(seed), test_x), test_y, classes=classes
            ),
            "random features": lambda: trained(linear_probe, fresh, probing),
            "shuffled labels": lambda: trained(linear_probe, pretrained(seed, shuffled=True), probing),
            "raw pixels": lambda x=x, y=y, test_x=test_x, test_y=test_y: prototype_accuracy(
                x, y, test_x, test_y, classes=classes
            ),
        }
        for name, accuracy in arms.items():
            if name in methods:
                yield n, name, accuracy()


FEW_LABELS = Experiment(
    name="few_labels",
    title="Few labels, new classes",
    question="Does pretraining on 117 characters help with 20 characters never seen before?",
    methods=(
        Method(name="scratch", description="the network trained on the few examples alone"),
        Method(name="fine-tune", description="the pretrained network with a fresh head, all of it trained on"),
        Method(name="linear probe", description="a fresh head alone, on pretrained features that do not move"),
        Method(name="prototypes", description="the nearest class mean of pretrained features, nothing trained"),
        Method(name="random features", description="a linear probe on the untrained network", kind="control"),
        Method(name="shuffled labels", description="the same after pretraining on labels dealt out at random", kind="control"),
        Method(name="raw pixels", description="the nearest class mean of the pixels", kind="control"),
    ),
    shots=(1, 5, 20),
    most_shots=80,
    seeds=5,
    run_seed=run_seed,
    configuration=CONFIGURATION,
)
