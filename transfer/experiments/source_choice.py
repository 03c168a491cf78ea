"""Choosing a source: ten networks on a shelf, some labelled digits, and one network that has to be picked before training.

Each network gets scores from the labelled target images alone, those that its new head is to be trained on. A way to choose
is worth the accuracy of a linear probe on the network that it picks; picking blindly, the baseline, is worth the mean of
all ten. Test images decide nothing.

Run:     python -m transfer --experiment source_choice
Cost:    about a minute on two cores (5 seeds).
Expect:  with 40 labels a class, NCE, H-score, LogME and LEEP pick networks that are worth some 5 to 8 points more than a blind
         pick; the network that is best at its own task is worth no more than a blind pick, and the most source images less.
         With 5 labels a class the H-score is 9 for nearly all networks. `tests/transfer/experiments` holds the direction.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.special import softmax

from nn.data.glyphs import CHARACTERS
from nn.models import MLP, MLPConfig
from nn.training import evaluate, predict
from transfer.experiments.experiment import Experiment, Number, generator, rngs
from transfer.experiments.images import SIDE, few_of_each, images
from transfer.fine_tuning import extract_features, fine_tune, linear_probe, replace_head
from transfer.report import Method
from transfer.transferability import h_score, leep, log_me, nce

CONFIGURATION = {
    "target": "digits; tested on 797 images",
    "classes": 10,
    "source_classes": 39,  # outputs of each network, used by its source or not: one size, one compilation
    "hidden": [128, 128, 64],
    "pretraining_steps": 300,
    "steps": 150,
    "batch_size": 32,
    "learning_rate": 1e-3,
    "probe_learning_rate": 1e-2,
}
BODY, HEAD, EXAMPLES, SOURCE = range(4)  # purposes of random numbers

UNTRAINED = "nothing"
SHELF = (
    "MNIST",
    "MNIST, 200 images",
    "MNIST, 0 to 4",
    "MNIST, inverted",
    "MNIST, pixels shuffled",
    "MNIST, labels shuffled",
    "printed digits",
    "Latin letters",
    "Greek letters",
    UNTRAINED,
)
"""What each of the ten networks has learned."""

SCORES = {"LogME": log_me, "H-score": h_score, "LEEP": leep, "NCE": nce}


@dataclass(frozen=True)
class Candidate:
    """A network on the shelf under one seed and number of examples: what is known of it beforehand, and what came of it.

    Attributes:
      source: what it has learned; one of `SHELF`.
      known: "LogME", "H-score", "LEEP", "NCE", "source accuracy" (on the source's own test images; 0 where there is none),
        "source images" (how many it has learned from), and "trial" (accuracy of a probe on one in five of each class's
        labelled target images, after training on the others).
      accuracy: of a linear probe on all labelled target images, on the target's test images.
    """

    source: str
    known: Mapping[str, float]
    accuracy: float


def source(seed: int, name: str, split: str) -> tuple[np.ndarray, np.ndarray]:
    """The images and labels that a network on the shelf has learned ("train") or that its owner tested it on ("test")."""
    if "letters" in name or name == "printed digits":
        x, y = images("glyphs", split)
        first, last = {"printed digits": "09", "Latin letters": "Ay", "Greek letters": "Γω"}[name]
        among = (CHARACTERS.index(first) <= y) & (y <= CHARACTERS.index(last))
        return x[among], y[among] - CHARACTERS.index(first)
    x, y = images("mnist_5k", split)
    match name.removeprefix("MNIST, "):
        case "200 images" if split == "train":
            chosen = generator(seed, SOURCE).permutation(len(y))[:200]
            return x[chosen], y[chosen]
        case "0 to 4":
            return x[y < 5], y[y < 5]
        case "inverted":
            return 1 - x, y
        case "pixels shuffled":
            return x[:, generator(seed, SOURCE).permutation(x.shape[1])], y
        case "labels shuffled":
            return x, generator(seed, SOURCE).permutation(y)
    return x, y


@lru_cache(maxsize=64)
def pretrained(seed: int, name: str) -> MLP:
    """A network of the shelf. All begin alike. Do not change it: it is kept for the next who asks."""
    config = MLPConfig(
        in_features=SIDE * SIDE, hidden=tuple(CONFIGURATION["hidden"]), out_features=CONFIGURATION["source_classes"]
    )
    model = MLP(config, rngs=rngs(seed, BODY))
    if name != UNTRAINED:
        x, y = source(seed, name, "train")
        fine_tune(
            model,
            x,
            y,
            steps=CONFIGURATION["pretraining_steps"],
            learning_rate=CONFIGURATION["learning_rate"],
            batch_size=CONFIGURATION["batch_size"],
            seed=seed,
        )
    return model


def target(seed: int, shots: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The digits: images and labels to train on, `shots` a class, and those to test on."""
    return *few_of_each("digits", shots, generator(seed, EXAMPLES)), *images("digits", "test")


def scores(model: MLP, x: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """Every transferability score of a network, from labelled target images. Nothing is trained."""
    features, probabilities = extract_features(model, x), softmax(predict(model, x).astype(np.float64), axis=1)
    read = {"LogME": features, "H-score": features, "LEEP": probabilities, "NCE": probabilities.argmax(1)}
    return {name: score(read[name], y) for name, score in SCORES.items()}


def probe(seed: int, model: MLP, x: np.ndarray, y: np.ndarray) -> MLP:
    """The network with a head for the target, trained on frozen features."""
    probed = replace_head(model, CONFIGURATION["classes"], rngs=rngs(seed, HEAD))
    options = {"learning_rate": CONFIGURATION["probe_learning_rate"], "batch_size": CONFIGURATION["batch_size"]}
    linear_probe(probed, x, y, steps=CONFIGURATION["steps"], seed=seed, **options)
    return probed


def fine_tuned_accuracy(seed: int, name: str, shots: int) -> float:
    """What comes of a network of the shelf if all of it is trained on the target, for as many steps as a probe."""
    x, y, test_x, test_y = target(seed, shots)
    model = replace_head(pretrained(seed, name), CONFIGURATION["classes"], rngs=rngs(seed, HEAD))
    options = {"learning_rate": CONFIGURATION["learning_rate"], "batch_size": CONFIGURATION["batch_size"]}
    fine_tune(model, x, y, steps=CONFIGURATION["steps"], seed=seed, **options)
    return evaluate(model, test_x, test_y)


@lru_cache(maxsize=64)
def shelf(seed: int, shots: int) -> tuple[Candidate, ...]:
    """Every network with what is known of it beforehand, and what comes of it."""
    x, y, test_x, test_y = target(seed, shots)
    held_out = np.tile(np.arange(shots) >= shots - max(1, shots // 5), CONFIGURATION["classes"])  # x comes class by class
    candidates = []
    for name in SHELF:
        model, known = pretrained(seed, name), {"source accuracy": 0.0, "source images": 0.0, "trial": 0.0}
        if name != UNTRAINED:
            source_x, source_y = source(seed, name, "test")
            known["source accuracy"] = evaluate(model, source_x[:400], source_y[:400])
            known["source images"] = float(len(source(seed, name, "train")[1]))
        if shots > 1:  # of one image a class none can be held out
            known["trial"] = evaluate(probe(seed, model, x[~held_out], y[~held_out]), x[held_out], y[held_out])
        accuracy = evaluate(probe(seed, model, x, y), test_x, test_y)
        candidates.append(Candidate(name, known | scores(model, x, y), accuracy))
    return tuple(candidates)


def pick(candidates: Sequence[Candidate], by: str) -> float:
    """The accuracy of the network with the largest number of this kind; where several tie, their mean: one is drawn."""
    # Float32 accuracies and rounding must not decide between equals.
    values = np.array([round(candidate.known[by], 6) for candidate in candidates])
    return float(np.mean([candidate.accuracy for candidate in candidates], where=values == values.max()))


def run_seed(seed: int, shots: Sequence[int], methods: frozenset[str]) -> Iterator[Number]:
    """Every way to choose at every number of examples, under one seed."""
    for n in shots:
        candidates = shelf(seed, n)
        accuracies = [candidate.accuracy for candidate in candidates]
        worth = {"blindly": float(np.mean(accuracies)), "the best there is": max(accuracies)}
        for method in SOURCE_CHOICE.methods:
            if method.name in methods:
                yield n, method.name, worth[method.name] if method.name in worth else pick(candidates, method.name)


SOURCE_CHOICE = Experiment(
    name="source_choice",
    title="Choosing a source",
    question="Which of ten pretrained networks to build on, if only one can be tried?",
    methods=(
        Method(name="blindly", description="the mean of all ten networks: one is drawn"),
        Method(name="LogME", description="the network whose features have the largest evidence"),
        Method(name="H-score", description="the network whose features put the class means furthest apart"),
        Method(name="LEEP", description="the network whose own classes foretell the target's best"),
        Method(name="NCE", description="the same, by its best guesses alone"),
        Method(name="source accuracy", description="the network that is best at its own task", kind="control"),
        Method(name="source images", description="a network that has learned from the most images", kind="control"),
        Method(name="trial", description="a probe of each, tested on one in five labelled images and trained on the others"),
        Method(name="the best there is", description="what nobody can know beforehand", kind="control"),
    ),
    baseline="blindly",
    shots=(5, 40),
    most_shots=80,
    seeds=5,
    run_seed=run_seed,
    configuration=CONFIGURATION,
    by_default=False,
)
