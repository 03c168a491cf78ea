"""The spam filter of user A for user B: real mail, dealt to two made-up users who do not call the same things spam.

Run:     python -m nn.data fetch mail && python -m transfer --experiment spam_filter
Cost:    about a minute on two cores (5 seeds).
Expect:  A's filter reads hardly more than half of B's mail right. Without a label of B, MMD brings it to some 84%; whether 40
         labels of B bring a new network further, five seeds do not say. CORAL and DANN gain some 7 to 9 points, and DANN does
         not bring the two closer by the proxy A-distance. 40 labels and A's filter to start from give some 3 points more than
         the labels alone; all of B's labels 92%. With A's labels shuffled, nothing is left of that gain;
         a head alone, on the features of an untrained network, reads some 14 points fewer right than a new network does.
         `tests/transfer/experiments` holds the direction.

A reads mailing lists (`easy-ham-1`, `spam-1`). B has asked for newsletters and offers (`hard-ham-1`), which look much like
spam, and gets other spam (`spam-2`). So to A's filter the shift is in the ham above all: much of what it takes for a sign of
spam, HTML to begin with, is in what B wants. Either has as much ham as spam; no message is in both. The weights of domain
adaptation are those of `domain_shift`, and so are fixed without a look at B's labels.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from flax import nnx
from jaxtyping import Int

from nn.data import load
from nn.data.mail import GROUPS
from nn.models import MLP, MLPConfig
from nn.training import evaluate
from transfer.domain_adaptation import WEIGHTS, AdaptationMethod, adapt
from transfer.domain_distances import proxy_a_distance
from transfer.experiments.experiment import Detail, Experiment, Number, generator, rngs
from transfer.experiments.images import first_of_each_class
from transfer.fine_tuning import extract_features, fine_tune, linear_probe
from transfer.report import Method

CONFIGURATION: dict[str, Any] = {
    "source": "mail: 400 messages of easy-ham-1 and 400 of spam-1, with their labels",
    "target": "mail: 100 of hard-ham-1 and 100 of spam-2 to learn from, tested on 150 others of either",
    "source_messages": 400,
    "target_messages": 100,
    "test_messages": 150,
    "words": 1000,
    "hidden": [64, 32],
    "steps": 200,
    "batch_size": 32,
    "learning_rate": 1e-3,
    "probe_learning_rate": 1e-2,
    "weights": WEIGHTS,  # fixed beforehand, and the same for every target
}
USER_A, USER_B = ("easy-ham-1", "spam-1"), ("hard-ham-1", "spam-2")  # ham and spam of either
BODY, DRAW_A, DRAW_B, EXAMPLES, SHUFFLE = range(5)  # purposes of random numbers
Examples = tuple[np.ndarray, np.ndarray]  # (messages, words) float32, and (messages,) int32


@lru_cache(maxsize=1)
def messages() -> dict[str, list[str]]:
    """The texts of each group, each text once."""
    arrays = load("mail", "train").arrays()
    texts: dict[str, dict[str, None]] = {group: {} for group in GROUPS}
    for text, group in zip(arrays["text"], arrays["group"], strict=True):
        texts[GROUPS[group]][text.decode()] = None
    return {group: list(once) for group, once in texts.items()}


def draw(groups: tuple[str, str], count: int, random: np.random.Generator) -> tuple[list[str], Int[np.ndarray, " messages"]]:
    """So many messages of a user's ham and as many of the spam, in a random order; and 0 for ham, 1 for spam."""
    chosen = [
        (messages()[group][i], label)
        for label, group in enumerate(groups)
        for i in random.permutation(len(messages()[group]))[:count]
    ]
    order = random.permutation(len(chosen))
    return [chosen[i][0] for i in order], np.array([chosen[i][1] for i in order], np.int32)


@lru_cache(maxsize=16)
def users(seed: int) -> tuple[Examples, Examples, Examples]:
    """A's mail, B's mail to learn from, and B's mail to test on, as numbers: drawn by the seed.

    For each message the logarithm of 1 + how often it has each of the 1,000 commonest words of A's messages, scaled to a mean
    square of 1: a long message says no more than a short one. Names of HTML tags are words like others.
    """
    from sklearn.feature_extraction.text import CountVectorizer

    texts_a, labels_a = draw(USER_A, CONFIGURATION["source_messages"], generator(seed, DRAW_A))
    count, tests = CONFIGURATION["target_messages"], CONFIGURATION["test_messages"]
    texts_b, labels_b = draw(USER_B, count + tests, generator(seed, DRAW_B))
    counter = CountVectorizer(max_features=CONFIGURATION["words"], token_pattern="[a-z]{2,20}").fit(texts_a)

    def numbers(texts: list[str]) -> np.ndarray:
        logs = np.log1p(counter.transform(texts).toarray().astype(np.float32))
        return logs / np.sqrt((logs**2).mean(1, keepdims=True) + 1e-6)

    x_b = numbers(texts_b)
    to_learn = np.zeros(len(labels_b), bool)
    to_learn[first_of_each_class(labels_b, np.arange(2), count, np.arange(len(labels_b)))] = True
    return (numbers(texts_a), labels_a), (x_b[to_learn], labels_b[to_learn]), (x_b[~to_learn], labels_b[~to_learn])


def untrained(seed: int) -> MLP:
    """The network as it begins, the same for every arm of a seed."""
    config = MLPConfig(in_features=CONFIGURATION["words"], hidden=tuple(CONFIGURATION["hidden"]), out_features=2)
    return MLP(config, rngs=rngs(seed, BODY))


def training(seed: int) -> dict[str, Any]:
    """What all arms of a seed have in common."""
    return {name: CONFIGURATION[name] for name in ("steps", "batch_size", "learning_rate")} | {"seed": seed}


@lru_cache(maxsize=64)
def filter_of_a(seed: int, method: AdaptationMethod) -> MLP:
    """A's filter, with B's messages but not their labels, as the method uses them. Do not change it: it is kept."""
    model = untrained(seed)
    (x, y), (target_x, _), _ = users(seed)
    adapt(model, x, y, target_x, method=method, **training(seed))
    return model


def trained_on(start: MLP, seed: int, x: np.ndarray, y: np.ndarray) -> MLP:
    """A copy of a network, trained on some messages."""
    model = nnx.clone(start)
    fine_tune(model, x, y, **training(seed))
    return model


def probed(start: MLP, seed: int, x: np.ndarray, y: np.ndarray) -> MLP:
    """A copy of a network whose head alone learned from some messages; its features did not move."""
    model = nnx.clone(start)
    linear_probe(model, x, y, **training(seed) | {"learning_rate": CONFIGURATION["probe_learning_rate"]})
    return model


def distances(seed: int) -> dict[str, float]:
    """The proxy A-distance of A's mail and B's in the features of A's filter, as it is and adapted: at most 2."""
    (x, _), (_, _), (other_x, _) = users(seed)
    methods: tuple[AdaptationMethod, ...] = ("none", "coral", "mmd", "dann")
    features = {method: [extract_features(filter_of_a(seed, method), part) for part in (x, other_x)] for method in methods}
    return {method: proxy_a_distance(*pair, seed=seed) for method, pair in features.items()}


def run_seed(seed: int, shots: Sequence[int], methods: frozenset[str]) -> Iterator[Number | Detail]:
    """Every method at every number of B's labels, under one seed. A's filter and adaptation use none: their number stays."""
    (x, y), (pool_x, pool_y), test = users(seed)
    order = generator(seed, EXAMPLES).permutation(len(pool_y))

    def meaningless() -> MLP:
        return trained_on(untrained(seed), seed, x, generator(seed, SHUFFLE).permutation(y))

    arms = {
        "filter of A": lambda few: filter_of_a(seed, "none"),
        "scratch": lambda few: trained_on(untrained(seed), seed, *few),
        "fine-tuned": lambda few: trained_on(filter_of_a(seed, "none"), seed, *few),
        "CORAL": lambda few: filter_of_a(seed, "coral"),
        "MMD": lambda few: filter_of_a(seed, "mmd"),
        "DANN": lambda few: filter_of_a(seed, "dann"),
        "fine-tuned, shuffled": lambda few: trained_on(meaningless(), seed, *few),
        "random features": lambda few: probed(untrained(seed), seed, *few),
        "all labels of B": lambda few: trained_on(untrained(seed), seed, pool_x, pool_y),
    }
    for n in shots:
        chosen = first_of_each_class(pool_y, np.arange(2), n, order)
        for name, train in arms.items():
            if name in methods:
                yield n, name, evaluate(train((pool_x[chosen], pool_y[chosen])), *test)
    if {"CORAL", "MMD", "DANN"} <= methods:
        yield Detail("proxy A-distance", distances(seed))


SPAM_FILTER = Experiment(
    name="spam_filter",
    title="The spam filter of somebody else",
    question="Does the spam filter of A help B, who wants newsletters: as it is, adapted without labels, or with a few of B's?",
    methods=(
        Method(name="filter of A", description="the network trained on A's mail alone"),
        Method(name="scratch", description="the network trained on B's few labels alone"),
        Method(name="fine-tuned", description="A's filter, trained further on B's few labels", reference="scratch"),
        Method(name="CORAL", description="A's filter with like covariances for B's mail, without B's labels"),
        Method(name="MMD", description="A's filter with like distributions for B's mail, without B's labels"),
        Method(name="DANN", description="A's filter with features in which A and B cannot be told apart, without B's labels"),
        Method(
            name="fine-tuned, shuffled",
            description="fine-tuned from a network that was taught nonsense on A's mail",
            kind="control",
            reference="scratch",
        ),
        Method(
            name="random features",
            description="B's few labels for the head alone, on an untrained network",
            kind="control",
            reference="scratch",
        ),
        Method(name="all labels of B", description="trained on 200 messages of B with their labels", kind="control"),
    ),
    baseline="filter of A",
    shots=(5, 20),
    most_shots=100,
    seeds=5,
    run_seed=run_seed,
    configuration=CONFIGURATION,
    by_default=False,
)
