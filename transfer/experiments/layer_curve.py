"""How transferable is each layer? Copy the first n layers of a network that read other characters, and see what they are worth.

Run:     python -m transfer --experiment layer_curve
Cost:    about a minute on two cores (5 seeds).
Expect:  the first layer of A, left as it is, costs B some 4 points, all four some 17; random layers cost far more, the more
         of them the worse. Allowed to move, A's four layers gain some 4 points over B alone, and B's own, which have had twice
         the training on B, some 7. Layers that learned A's labels dealt out at random lose some.
         `tests/transfer/experiments` holds the direction.

So it is where the networks are small and their training ends early. `layer_curve_longer` has twice the width and ten times as
many examples to train on (some five minutes). There the first layer of A costs nothing that shows, −0.3 points [−1.2, 0.7], the
first two 1.3, and all four 6.3 [4.8, 7.8]; and moving, they gain as much as B's own layers, some 2 points.

The glyphs are dealt into two halves, A and B. A network is trained on each. Then the first n of four hidden layers are
copied into a new one, which is trained on B: frozen (A n B in Yosinski et al. 2014, "How transferable are features in deep
neural networks?") or moving on with the rest (A n B+). B's own layers stand beside both (B n B, B n B+). What is lost when they
are frozen is lost by taking a network apart, not by the other characters; when they move, they say what training on B for
longer is worth. And is it what A's labels say that helps? As a control A's network learns from the same labels, dealt out at
random.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache, partial

import numpy as np

from nn.models import MLP, MLPConfig
from nn.training import evaluate
from transfer.experiments.experiment import Experiment, Number, generator, rngs
from transfer.experiments.images import SIDE, images
from transfer.fine_tuning import copy_layers, fine_tune
from transfer.freezing import freeze
from transfer.report import Method

CONFIGURATION = {
    "source": "A: glyphs, 68 characters chosen by the seed, 80 images each",
    "target": "B: glyphs, 68 others; tested on 40 images each",
    "classes": 137,
    "half": 68,
    "hidden": [96, 96, 96, 96],
    "steps": 300,
    "batch_size": 32,
    "learning_rate": 2e-3,
}
# Wide enough, and trained long enough, that little is left to gain.
LONGER = {**CONFIGURATION, "hidden": [200, 200, 200, 200], "steps": 1500, "batch_size": 64, "learning_rate": 1e-3}
CLASSES, A, B, FRESH, RANDOM, SHUFFLE = range(6)  # purposes of random numbers


def half(seed: int, side: int, split: str) -> tuple[np.ndarray, np.ndarray]:
    """The images of one half of the characters, A or B, and their labels from 0 to 67."""
    order, size = generator(seed, CLASSES).permutation(CONFIGURATION["classes"]), CONFIGURATION["half"]
    chosen = order[:size] if side == A else order[size : 2 * size]
    x, y = images("glyphs", split)
    position = np.full(CONFIGURATION["classes"], -1, np.int32)
    position[chosen] = np.arange(size, dtype=np.int32)
    among_chosen = position[y] >= 0
    return x[among_chosen], position[y[among_chosen]]


def untrained(seed: int, purpose: int, *, longer: bool = False) -> MLP:
    """A network as it begins; another one for another purpose. `longer`: as `LONGER` has it."""
    hidden, outputs = tuple((LONGER if longer else CONFIGURATION)["hidden"]), CONFIGURATION["half"]
    return MLP(MLPConfig(in_features=SIDE * SIDE, hidden=hidden, out_features=outputs), rngs=rngs(seed, purpose))


@lru_cache(maxsize=16)
def base(seed: int, side: int, *, shuffled: bool = False, longer: bool = False) -> MLP:
    """A network trained on one half, or on its labels dealt out at random. Do not change it: it is kept for who asks next."""
    return trained(untrained(seed, side, longer=longer), seed, side, shuffled=shuffled, longer=longer)


def trained(
    model: MLP, seed: int, side: int, frozen: Sequence[str] = (), *, shuffled: bool = False, longer: bool = False
) -> MLP:
    """The model after training on one half, in place; some layers may be kept from moving. `longer`: as `LONGER` has it."""
    configuration = LONGER if longer else CONFIGURATION
    options = {name: configuration[name] for name in ("steps", "batch_size", "learning_rate")}
    x, y = half(seed, side, "train")
    labels = generator(seed, SHUFFLE).permutation(y) if shuffled else y
    fine_tune(model, x, labels, seed=seed, wrt=freeze(model, frozen), **options)
    return model


@lru_cache(maxsize=16)
def scratch(seed: int, *, longer: bool = False) -> float:
    """What the network trained on B alone reaches."""
    return evaluate(base(seed, B, longer=longer), *half(seed, B, "test"))


def run_seed(seed: int, layers: Sequence[int], methods: frozenset[str], *, longer: bool = False) -> Iterator[Number]:
    """Every method with every number of layers copied, under one seed: accuracy on B. `longer`: as `LONGER` has it."""
    learned, begun = partial(base, seed, longer=longer), partial(untrained, seed, longer=longer)
    fresh = begun(FRESH)  # what is not copied begins alike in all arms
    for n in layers:
        names = [f"hidden.{layer}" for layer in range(n)]

        def copied(source: MLP, frozen: Sequence[str] = (), names=names) -> float:
            model = trained(copy_layers(source, fresh, names), seed, B, frozen, longer=longer)
            return evaluate(model, *half(seed, B, "test"))

        arms = {
            "B": lambda: scratch(seed, longer=longer),
            "A frozen": lambda copied=copied, names=names: copied(learned(A), names),
            "A moving": lambda copied=copied: copied(learned(A)),
            "A shuffled moving": lambda copied=copied: copied(learned(A, shuffled=True)),
            "B frozen": lambda copied=copied, names=names: copied(learned(B), names),
            "B moving": lambda copied=copied: copied(learned(B)),
            "random frozen": lambda copied=copied, names=names: copied(begun(RANDOM), names),
        }
        for name, accuracy in arms.items():
            if name in methods:
                yield n, name, accuracy()


LAYER_CURVE = Experiment(
    name="layer_curve",
    title="How transferable is each layer?",
    question="What are the first n layers of a network that learned 68 characters worth for 68 others?",
    methods=(
        Method(name="B", description="a network trained on B alone, nothing copied"),
        Method(name="A frozen", description="the first n layers of A's network, which do not move"),
        Method(name="A moving", description="the first n layers of A's network, trained on with the rest"),
        Method(name="A shuffled moving", description="the same, with A's labels dealt out at random", kind="control"),
        Method(name="B frozen", description="the first n layers of B's own network, which do not move", kind="control"),
        Method(name="B moving", description="the first n layers of B's own network, trained on", kind="control"),
        Method(name="random frozen", description="n random layers, which do not move", kind="control"),
    ),
    baseline="B",
    shots=(1, 2, 3, 4),
    most_shots=4,
    seeds=5,
    run_seed=run_seed,
    configuration=CONFIGURATION,
    by_default=False,
    setting_name="layers copied",
)
LAYER_CURVE_LONGER = replace(
    LAYER_CURVE,
    name="layer_curve_longer",
    title="How transferable is each layer, trained to the end?",
    run_seed=partial(run_seed, longer=True),
    configuration=LONGER,
)
