"""Pretraining without labels: is there something to learn from pictures of characters alone, before the few labels come?

Run:     python -m transfer --experiment without_labels
Cost:    about a minute on two cores (5 seeds).
Expect:  in all arms but scratch a linear probe on features that do not move. Features that learned to tell two views of a
         picture from other pictures gain some 8 points over random ones; those that learned to rebuild a picture gain nothing
         that shows. Labels of the other characters, where there are any, are worth three times as much and more; dealt out at
         random, nothing with 1 or 5 examples, and some 5 points with 20. With 20 labels a class the network from scratch does
         better than any but the right labels, for all of it may move.
         `tests/transfer/experiments` holds the direction.

The characters are those of `few_labels`, and so are the network and its start.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np

from nn.models import MLP
from nn.training import evaluate
from transfer.experiments import few_labels
from transfer.experiments.experiment import Experiment, Number, rngs
from transfer.experiments.images import images
from transfer.fine_tuning import fine_tune, linear_probe, replace_head
from transfer.pretraining import pretrain_contrastive, pretrain_denoising
from transfer.report import Method

CONFIGURATION = {
    **few_labels.CONFIGURATION,
    "unlabelled_steps": 400,
    "unlabelled_batch_size": 64,
    "temperature": 0.5,
    "share": 0.3,
}


@lru_cache(maxsize=2)
def unlabelled(seed: int) -> np.ndarray:
    """The pictures of the seed's 117 characters, without a word of which is which."""
    seen, _ = few_labels.split_classes(seed)
    x, y = images("glyphs", "train")
    return x[np.isin(y, seen)]


@lru_cache(maxsize=32)
def pretrained(seed: int, task: str) -> MLP:
    """The network after pretraining by "contrast" or by "denoising". Do not change it: it is kept for the next who asks."""
    model = few_labels.untrained(seed, len(few_labels.split_classes(seed)[0]))
    steps, size = CONFIGURATION["unlabelled_steps"], CONFIGURATION["unlabelled_batch_size"]
    if task == "contrast":
        temperature = CONFIGURATION["temperature"]
        pretrain_contrastive(model, unlabelled(seed), steps=steps, seed=seed, batch_size=size, temperature=temperature)
    elif task == "denoising":
        pretrain_denoising(model, unlabelled(seed), steps=steps, seed=seed, batch_size=size, share=CONFIGURATION["share"])
    else:
        raise ValueError(f'pretrained expects the task "contrast" or "denoising", got {task!r}.')
    return model


def run_seed(seed: int, shots: Sequence[int], methods: frozenset[str]) -> Iterator[Number]:
    """Every way of pretraining at every number of examples, under one seed."""
    classes = CONFIGURATION["new_classes"]
    training = {"steps": CONFIGURATION["steps"], "batch_size": CONFIGURATION["batch_size"], "seed": seed}
    probing = {**training, "learning_rate": CONFIGURATION["probe_learning_rate"]}

    for n in shots:
        x, y, test_x, test_y = few_labels.target(seed, n)

        def trained(how, start, options, x=x, y=y, test_x=test_x, test_y=test_y) -> float:
            model = replace_head(start, classes, rngs=rngs(seed, few_labels.HEAD))
            how(model, x, y, **options)
            return evaluate(model, test_x, test_y)

        fresh = few_labels.untrained(seed, CONFIGURATION["classes"] - classes)
        arms = {
            "scratch": lambda fresh=fresh, trained=trained: trained(fine_tune, fresh, training),
            "contrastive": lambda trained=trained: trained(linear_probe, pretrained(seed, "contrast"), probing),
            "denoising": lambda trained=trained: trained(linear_probe, pretrained(seed, "denoising"), probing),
            "labels": lambda trained=trained: trained(linear_probe, few_labels.pretrained(seed), probing),
            "labels, shuffled": lambda trained=trained: trained(
                linear_probe, few_labels.pretrained(seed, shuffled=True), probing
            ),
            "random features": lambda fresh=fresh, trained=trained: trained(linear_probe, fresh, probing),
        }
        for name, accuracy in arms.items():
            if name in methods:
                yield n, name, accuracy()


WITHOUT_LABELS = Experiment(
    name="without_labels",
    title="Pretraining without labels",
    question="What is pretraining on 117 characters worth for 20 new ones, if nobody says which is which?",
    methods=(
        Method(name="random features", description="a linear probe on the untrained network", kind="control"),
        Method(name="contrastive", description="a probe on features that tell two views of a picture from others (SimCLR)"),
        Method(name="denoising", description="a probe on features that rebuild a picture from a part of its pixels"),
        Method(name="labels", description="a probe on features that were pretrained with labels"),
        Method(name="labels, shuffled", description="the same with labels dealt out at random", kind="control"),
        Method(name="scratch", description="the network trained on the few examples alone"),
    ),
    baseline="random features",
    shots=(1, 5, 20),
    most_shots=80,
    seeds=5,
    run_seed=run_seed,
    configuration=CONFIGURATION,
    by_default=False,
)
