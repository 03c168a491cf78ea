"""How much should move? A network that reads MNIST, given 100 images of other digits: fine-tune it, its head, or in between.

Run:     python -m transfer --experiment fine_tuning fine_tuning_elsewhere
Cost:    about three quarters of a minute on two cores for both (5 seeds).
Expect:  on new images of the same kind the ways of fine-tuning are hard to tell apart, and a random head on features that do
         not move is a little behind. On images of the *other* kind (MNIST, which the 100 labels say nothing of) it is the other
         way round: the less has moved, the more is left. A control fine-tunes what has learned the same images with their
         labels dealt out at random: level with the rest on the target, and on MNIST some 17 points behind fine-tuning, a
         little behind training from scratch. So what is left there is what the labels had taught.
         `tests/transfer/experiments` holds the direction.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np
import optax

from nn.models import MLP, MLPConfig
from nn.training import cosine_adam, evaluate
from transfer.adapters import apply_lora
from transfer.experiments.experiment import Experiment, Number, generator, rngs
from transfer.experiments.images import SIDE, few_of_each, images
from transfer.fine_tuning import fine_tune, linear_probe, linear_probe_then_fine_tune, replace_head
from transfer.freezing import trainable_filter
from transfer.regularization import l2_sp
from transfer.report import Method

CONFIGURATION = {
    "source": "mnist_5k, its 4,000 training images",
    "target": "digits; tested on 797 images, and on 1,000 of mnist_5k",
    "classes": 10,
    "hidden": [256, 256, 128],
    "pretraining_steps": 1000,
    "steps": 300,
    "batch_size": 64,
    "learning_rate": 1e-3,
    "probe_learning_rate": 1e-2,
    "second_learning_rate": 3e-4,
    "lora_rank": 4,
    "lora_learning_rate": 3e-3,
    "l2_sp": 2e-2,
}
BODY, HEAD, EXAMPLES, ADAPTERS, SHUFFLE = range(5)  # purposes of random numbers


def untrained(seed: int) -> MLP:
    """The network as it begins, the same for every arm of a seed."""
    config = MLPConfig(in_features=SIDE * SIDE, hidden=tuple(CONFIGURATION["hidden"]), out_features=CONFIGURATION["classes"])
    return MLP(config, rngs=rngs(seed, BODY))


@lru_cache(maxsize=32)
def pretrained(seed: int, *, shuffled: bool = False) -> MLP:
    """The network after training on MNIST, with its labels or with these dealt out at random.

    Do not change it: it is kept for the next who asks.
    """
    model = untrained(seed)
    x, y = images("mnist_5k", "train")
    fine_tune(
        model,
        x,
        generator(seed, SHUFFLE).permutation(y) if shuffled else y,
        steps=CONFIGURATION["pretraining_steps"],
        learning_rate=CONFIGURATION["learning_rate"],
        batch_size=CONFIGURATION["batch_size"],
        seed=seed,
    )
    return model


def target(seed: int, shots: int) -> tuple[np.ndarray, np.ndarray]:
    """The digits to learn from, `shots` a class: images and labels."""
    return few_of_each("digits", shots, generator(seed, EXAMPLES))


@lru_cache(maxsize=128)
def trained(seed: int, shots: int, method: str) -> MLP:
    """The network that a method makes of the target's images. Do not change it: it is kept for the next who asks."""
    x, y = target(seed, shots)
    options = {"steps": CONFIGURATION["steps"], "batch_size": CONFIGURATION["batch_size"], "seed": seed}
    if method in ("scratch", "random features"):
        start = untrained(seed)
    else:
        start = pretrained(seed, shuffled=method == "fine-tune, shuffled")
    model = replace_head(start, CONFIGURATION["classes"], rngs=rngs(seed, HEAD))
    if method in ("scratch", "fine-tune", "fine-tune, gently", "fine-tune, shuffled"):
        rate = CONFIGURATION["second_learning_rate" if method == "fine-tune, gently" else "learning_rate"]
        fine_tune(model, x, y, learning_rate=rate, **options)
    elif method in ("linear probe", "random features"):
        linear_probe(model, x, y, learning_rate=CONFIGURATION["probe_learning_rate"], **options)
    elif method == "probe, then fine-tune":
        linear_probe_then_fine_tune(
            model,
            x,
            y,
            probe_steps=CONFIGURATION["steps"],
            probe_learning_rate=CONFIGURATION["probe_learning_rate"],
            learning_rate=CONFIGURATION["second_learning_rate"],
            **options,
        )
    elif method == "L2-SP":
        fine_tune(model, x, y, optimizer=pulled_back(CONFIGURATION["learning_rate"], CONFIGURATION["steps"]), **options)
    elif method == "LoRA":
        apply_lora(model, "hidden", rank=CONFIGURATION["lora_rank"], rngs=rngs(seed, ADAPTERS))
        chosen = trainable_filter(model, include=("*.lora_a", "*.lora_b", "head"))
        fine_tune(model, x, y, learning_rate=CONFIGURATION["lora_learning_rate"], wrt=chosen, **options)
    else:
        raise ValueError(f"how_much_moves has no method {method!r}.")
    return model


@lru_cache(maxsize=8)
def pulled_back(learning_rate: float, steps: int) -> optax.GradientTransformation:
    """Adam with L2-SP. One object each, for `fit` compiles its step anew for another."""
    return optax.chain(l2_sp(CONFIGURATION["l2_sp"]), cosine_adam(learning_rate, steps))


def on_digits(seed: int, shots: Sequence[int], methods: frozenset[str]) -> Iterator[Number]:
    """Every method under one seed, tested on images like those it was trained on."""
    yield from _tested_on("digits", seed, shots, methods)


def on_mnist(seed: int, shots: Sequence[int], methods: frozenset[str]) -> Iterator[Number]:
    """The same networks, tested on images like those that they were pretrained on."""
    yield from _tested_on("mnist_5k", seed, shots, methods)


def _tested_on(name, seed, shots, methods):
    for n in shots:
        for method in METHODS:
            if method.name in methods:
                yield n, method.name, evaluate(trained(seed, n, method.name), *images(name, "test"))


METHODS = (
    Method(name="scratch", description="the network trained on the target's images alone"),
    Method(name="fine-tune", description="the pretrained network with a fresh head, all of it trained on"),
    Method(name="linear probe", description="a fresh head alone, on pretrained features that do not move"),
    Method(name="probe, then fine-tune", description="the head first, then everything, more gently"),
    Method(name="L2-SP", description="everything, each weight of the features pulled back to where it began"),
    Method(name="LoRA", description="a fresh head, and a product of two thin matrices beside each layer"),
    Method(name="fine-tune, gently", description="all of it, at the rate that comes behind the probe", kind="control"),
    Method(name="fine-tune, shuffled", description="all of it, pretrained on labels dealt out at random", kind="control"),
    Method(name="random features", description="a linear probe on the untrained network", kind="control"),
)
FINE_TUNING = Experiment(
    name="fine_tuning",
    title="How much should move, on new images of the same kind",
    question="A network that reads MNIST gets 100 other digits: how much of it should move?",
    methods=METHODS,
    shots=(10,),
    most_shots=80,
    seeds=5,
    run_seed=on_digits,
    configuration=CONFIGURATION,
    by_default=False,
)
FINE_TUNING_ELSEWHERE = Experiment(
    name="fine_tuning_elsewhere",
    title="How much should move, on images that the labels say nothing of",
    question="The same networks, tested on MNIST again: what is left of what they could do?",
    methods=METHODS,
    baseline="fine-tune",
    shots=(10,),
    most_shots=80,
    seeds=5,
    run_seed=on_mnist,
    configuration=CONFIGURATION,
    by_default=False,
)
