"""Clothes described by hand: can a garment be named from its description by what has seen only seven others?

Run:     python -m nn.data fetch fashion_mnist, then call `unseen_accuracies(0)`
Cost:    about 15 s on two cores for one seed: 120 choices of three classes.
Expect:  of three unseen classes, the right one in two of three pictures, on average over all 120 choices of three; a third
         with the same descriptions dealt out at random. `tests/transfer/experiments` holds the direction.

The method is that of `described_digits`; here descriptions say more of a picture. They are those with which the experiment
was first tried, and have not been changed since; so are both
weights, each example counting as much.
"""

from itertools import combinations

import numpy as np
from jaxtyping import Float, Int

from transfer.experiments.described_digits import centred
from transfer.experiments.experiment import generator
from transfer.experiments.images import images
from transfer.zero_shot import eszsl, eszsl_scores

CLASSES = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
# Which classes have it; a half where some have.
DESCRIPTIONS: dict[str, dict[str, float]] = {
    "worn on the foot": {"Sandal": 1, "Sneaker": 1, "Ankle boot": 1},
    "worn above the waist": {"T-shirt/top": 1, "Pullover": 1, "Dress": 1, "Coat": 1, "Shirt": 1},
    "sleeves": {"T-shirt/top": 1, "Pullover": 1, "Coat": 1, "Shirt": 1},
    "long sleeves": {"Pullover": 1, "Coat": 1, "Shirt": 0.5},
    "opens in front": {"Coat": 1, "Shirt": 0.5},
    "worn below the waist": {"Trouser": 1, "Dress": 1},
    "long and narrow": {"Trouser": 1, "Dress": 1},
    "high shaft": {"Ankle boot": 1},
    "straps": {"Sandal": 1},
    "handle": {"Bag": 1},
}
CONFIGURATION = {"data": "fashion_mnist", "unseen": 3, "examples": 1500, "random_features": 512, "gamma": 12.5, "lam": 1.0}
FEATURES, EXAMPLES, SHUFFLE = range(3)  # purposes of random numbers


def class_attributes() -> Float[np.ndarray, "10 attributes"]:
    """How far the class of the row has the attribute of the column (`DESCRIPTIONS`), from 0 to 1."""
    return np.array([[described.get(name, 0.0) for described in DESCRIPTIONS.values()] for name in CLASSES])


def choices() -> list[tuple[int, ...]]:
    """The 120 ways to leave three classes out."""
    return list(combinations(range(len(CLASSES)), CONFIGURATION["unseen"]))


def clothes(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Features and classes, to learn from and to test on: pixels around their mean, and 512 random combinations, cut at 0."""
    x, y = images("fashion_mnist", "train[:5000]")
    test_x, test_y = images("fashion_mnist", "test")
    chosen = generator(seed, EXAMPLES).permutation(len(y))[: CONFIGURATION["examples"]]
    mean, pixels = x[chosen].mean(0), x.shape[1]
    directions = generator(seed, FEATURES).normal(size=(pixels, CONFIGURATION["random_features"])) / np.sqrt(pixels)

    def features(x: np.ndarray) -> np.ndarray:
        return np.concatenate([x - mean, np.maximum(0, (x - mean) @ directions)], 1)

    return features(x[chosen]), y[chosen], features(test_x), test_y


def unseen_accuracies(seed: int, *, shuffle: int | None = None) -> Float[np.ndarray, " choices"]:
    """For every choice of three classes: learn from the seven others, then say which of the three a test picture shows.

    Args:
      seed: draws the pictures to learn from, and the random features.
      shuffle: None for the right descriptions; a number for one way to deal them out to the classes at random, anew for each
        choice, the same in learning and in testing.

    Returns:
      The accuracy on test pictures of the three, for each of the 120 `choices()`.
    """
    arrays, table = clothes(seed), class_attributes()
    tables = [table] * len(choices())
    if shuffle is not None:
        random = generator(seed, SHUFFLE + shuffle)
        tables = [random.permutation(table) for _ in tables]  # rows are dealt out anew for each choice
    return np.array([accuracy(np.array(unseen), table, *arrays) for unseen, table in zip(choices(), tables, strict=True)])


def accuracy(
    unseen: Int[np.ndarray, " unseen"],
    table: Float[np.ndarray, "10 attributes"],
    x: Float[np.ndarray, "examples width"],
    y: Int[np.ndarray, " examples"],
    test_x: Float[np.ndarray, "tests width"],
    test_y: Int[np.ndarray, " tests"],
) -> float:
    """The accuracy of `unseen_accuracies` for one choice of unseen classes."""
    seen = np.setdiff1d(np.arange(len(CLASSES)), unseen)
    table = centred(table, seen)
    among_seen, asked = np.isin(y, seen), np.isin(test_y, unseen)
    labels = np.searchsorted(seen, y[among_seen])
    v = eszsl(x[among_seen], labels, table[seen], gamma=CONFIGURATION["gamma"], lam=CONFIGURATION["lam"])
    return float((unseen[eszsl_scores(test_x[asked], v, table[unseen]).argmax(1)] == test_y[asked]).mean())
