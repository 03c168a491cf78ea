"""What is a description worth, beside one picture? Four kinds of drawn animals that no network has been trained on.

Run:     python -m transfer --experiment zero_shot
Cost:    about 20 s on two cores (5 seeds).
Expect:  descriptions alone name some nine of ten pictures of the four new kinds, without a single picture of them: more than
         a network trained on one picture of each. Beside prototypes of one picture in pretrained features they are not
         clearly better. With descriptions dealt out at random, the same method guesses. `tests/transfer/experiments` holds
         the direction.

The animals are drawn, and their attributes are exact. What handwriting and attributes written by hand make of the same
method is in `described_digits.py`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import scipy.special
from jaxtyping import Array, Float, Int

from nn.data import Dataset, animals, as_images, load
from nn.models import LeNet, LeNetConfig
from nn.training import cosine_adam, evaluate, fit, masked_mean, predict, sigmoid_cross_entropy
from transfer.experiments.experiment import Experiment, Number, generator, rngs
from transfer.experiments.images import first_of_each_class
from transfer.few_shot import prototype_accuracy
from transfer.fine_tuning import extract_features, fine_tune, replace_head
from transfer.report import Method
from transfer.zero_shot import direct_attribute_prediction, eszsl, eszsl_scores

GIRAFFE, ZEBRA = (animals.NAMES.index(name) for name in ("yellow spots long neck", "white stripes short neck"))

CONFIGURATION = {
    "source": "animals, 20 kinds, 100 pictures each",
    "target": "animals, 4 kinds: giraffe, zebra and two chosen by the seed; tested on 40 pictures each",
    "channels": [8, 16],
    "hidden": [64],
    "pretraining_steps": 200,
    "steps": 100,
    "batch_size": 32,
    "learning_rate": 3e-3,
    "probe_rate": 3e-2,
    "shuffles": 10,
    "gamma": 10.0,
    "lam": 1.0,
}
BODY, HEAD, KINDS, EXAMPLES, SHUFFLE = range(5)  # purposes of random numbers


@lru_cache(maxsize=2)
def pictures(split: str) -> tuple[Float[np.ndarray, "examples 24 24 3"], Int[np.ndarray, " examples"]]:
    """The animals, pixels from 0 to 1, and their kinds."""
    arrays = load("animals", split).map(as_images).arrays()
    return arrays["image"], arrays["label"]


def split_kinds(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The 20 kinds that are trained on and the four that are new, by the seed. Giraffe and zebra are always new."""
    others = np.setdiff1d(np.arange(len(animals.KINDS)), [GIRAFFE, ZEBRA])
    new = np.array([GIRAFFE, ZEBRA, *generator(seed, KINDS).choice(others, 2, replace=False)])
    return np.setdiff1d(np.arange(len(animals.KINDS)), new), new


def seen_pictures(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Pictures of the 20 kinds to train on, and their kinds."""
    x, y = pictures("train")
    among_seen = np.isin(y, split_kinds(seed)[0])
    return x[among_seen], y[among_seen]


def untrained(seed: int, outputs: int) -> LeNet:
    """The network as it begins, the same for every arm of a seed but for its head."""
    channels, hidden = tuple(CONFIGURATION["channels"]), tuple(CONFIGURATION["hidden"])
    shape = (animals.SIDE, animals.SIDE, 3)
    return LeNet(LeNetConfig(image_shape=shape, channels=channels, hidden=hidden, out_features=outputs), rngs=rngs(seed, BODY))


@lru_cache(maxsize=16)
def pretrained(seed: int) -> LeNet:
    """A network that tells the 20 kinds apart, and was never told why. Do not change it: it is kept for the next who asks."""
    x, y = seen_pictures(seed)
    seen, _ = split_kinds(seed)
    model = untrained(seed, len(seen))
    fine_tune(model, x, np.searchsorted(seen, y), steps=CONFIGURATION["pretraining_steps"], seed=seed, **training())
    return model


def training() -> dict[str, Any]:
    """What every call of `fine_tune` here has in common."""
    return {"batch_size": CONFIGURATION["batch_size"], "learning_rate": CONFIGURATION["learning_rate"]}


@lru_cache(maxsize=16)
def seen_features(seed: int) -> tuple[Float[np.ndarray, "examples width"], Int[np.ndarray, " examples"]]:
    """Features and kinds of the pictures trained on."""
    x, y = seen_pictures(seed)
    return extract_features(pretrained(seed), x), y


def attribute_loss(model: Callable[..., Any], batch: Mapping[str, Any]) -> Float[Array, ""]:
    """A yes-or-no question for each attribute of each picture: the mean cross-entropy of all. Made for `nn.training.fit`."""
    return masked_mean(sigmoid_cross_entropy(model(batch["image"]), batch["attributes"]))


@lru_cache(maxsize=16)
def attribute_network(seed: int) -> LeNet:
    """The pretrained network with a head that answers each attribute on its own, trained on features that do not move."""
    features, y = seen_features(seed)
    model, steps = replace_head(pretrained(seed), len(animals.ATTRIBUTES), rngs=rngs(seed, HEAD)), CONFIGURATION["steps"]
    data = Dataset.from_arrays({"image": features, "attributes": animals.class_attributes()[y]})
    batches, optimizer = data.batches(CONFIGURATION["batch_size"], seed=seed), cosine_adam(CONFIGURATION["probe_rate"], steps)
    fit(model.head, batches, loss=attribute_loss, optimizer=optimizer, steps=steps, log_every=steps)
    return model


def attribute_probabilities(seed: int, x: np.ndarray) -> Float[np.ndarray, "examples attributes"]:
    """What the attribute network says of each picture."""
    return scipy.special.expit(predict(attribute_network(seed), x))


def described(seed: int, x: np.ndarray, kinds: np.ndarray) -> Float[np.ndarray, "examples kinds"]:
    """Scores of kinds by direct attribute prediction, from their descriptions alone."""
    table = animals.class_attributes()
    priors = table[split_kinds(seed)[0]].mean(0)
    return direct_attribute_prediction(attribute_probabilities(seed, x), table[kinds], attribute_priors=priors)


def mapped(seed: int, x: np.ndarray, kinds: np.ndarray, table: np.ndarray | None = None) -> Float[np.ndarray, "examples kinds"]:
    """Scores of kinds by ESZSL, from their descriptions and the pretrained features."""
    seen, _ = split_kinds(seed)
    table = animals.class_attributes() if table is None else table
    features, y = seen_features(seed)
    v = eszsl(features, np.searchsorted(seen, y), table[seen], gamma=CONFIGURATION["gamma"], lam=CONFIGURATION["lam"])
    return eszsl_scores(extract_features(pretrained(seed), x), v, table[kinds])


def generalized(seed: int, scores: Callable[[int, np.ndarray, np.ndarray], np.ndarray]) -> tuple[float, float]:
    """Accuracy on test pictures of the seen kinds and of the new ones, where any of all 24 may be the answer."""
    x, y = pictures("test")
    right = scores(seed, x, np.arange(len(animals.KINDS))).argmax(1) == y
    among_new = np.isin(y, split_kinds(seed)[1])
    return float(right[~among_new].mean()), float(right[among_new].mean())


def run_seed(seed: int, shots: Sequence[int], methods: frozenset[str]) -> Iterator[Number]:
    """Every method at every number of pictures, under one seed. Descriptions need none: their number is always the same."""
    _, new = split_kinds(seed)
    x, y = pictures("train")
    order = generator(seed, EXAMPLES).permutation(len(y))
    test_x, test_y = pictures("test")
    among_new = np.isin(test_y, new)
    test_x, test_y = test_x[among_new], as_positions(test_y[among_new], new)

    def by_scores(scores: np.ndarray) -> float:
        return float((scores.argmax(1) == test_y).mean())

    def from_scratch(x, y) -> float:
        model = replace_head(untrained(seed, 1), len(new), rngs=rngs(seed, HEAD))
        fine_tune(model, x, y, steps=CONFIGURATION["steps"], seed=seed, **training())
        return evaluate(model, test_x, test_y)

    def prototypes(space: Callable[[np.ndarray], np.ndarray], x, y) -> float:
        return prototype_accuracy(space(x), y, space(test_x), test_y, classes=len(new))

    def by_shuffled_descriptions() -> float:
        table, random = animals.class_attributes(), generator(seed, SHUFFLE)
        tables = [table[random.permutation(len(table))] for _ in range(CONFIGURATION["shuffles"])]
        return float(np.mean([by_scores(mapped(seed, test_x, new, table)) for table in tables]))

    arms = {
        "scratch": from_scratch,
        "description": lambda x, y: by_scores(described(seed, test_x, new)),
        "description, linear map": lambda x, y: by_scores(mapped(seed, test_x, new)),
        "prototypes": lambda x, y: prototypes(lambda images: extract_features(pretrained(seed), images), x, y),
        "shuffled descriptions": lambda x, y: by_shuffled_descriptions(),
        "random features": lambda x, y: prototypes(lambda images: extract_features(untrained(seed, 1), images), x, y),
        "raw pixels": lambda x, y: prototypes(lambda images: images.reshape(len(images), -1), x, y),
    }
    for n in shots:
        chosen = first_of_each_class(y, new, n, order)
        for name, accuracy in arms.items():
            if name in methods:
                yield n, name, accuracy(x[chosen], as_positions(y[chosen], new))


def as_positions(labels: np.ndarray, kinds: np.ndarray) -> Int[np.ndarray, " examples"]:
    """Labels as positions in `kinds`; every label must be there."""
    position = np.full(len(animals.KINDS), -1, np.int32)
    position[kinds] = np.arange(len(kinds), dtype=np.int32)
    return position[labels]


ZERO_SHOT = Experiment(
    name="zero_shot",
    title="A description, or one picture",
    question="Four kinds of animals are new. Is it better to be told what they look like, or to see one picture of each?",
    methods=(
        Method(name="scratch", description="a network trained on the few pictures alone"),
        Method(name="description", description="no picture: attributes predicted and looked up (DAP)"),
        Method(
            name="description, linear map", description="no picture: features and attributes compared by a linear map (ESZSL)"
        ),
        Method(name="prototypes", description="the nearest class mean of features learned on 20 other kinds"),
        Method(
            name="shuffled descriptions",
            description="the linear map, all descriptions dealt out at random; mean of ten deals",
            kind="control",
        ),
        Method(name="random features", description="the nearest class mean of an untrained network", kind="control"),
        Method(name="raw pixels", description="the nearest class mean of the pixels", kind="control"),
    ),
    shots=(1, 5),
    most_shots=100,
    seeds=5,
    run_seed=run_seed,
    configuration=CONFIGURATION,
    by_default=False,
)
