"""Two tasks in one network: digits with 50 labels, and MNIST with 4,000, whose labels mean the same or something else.

Run:     python -m transfer --experiment two_tasks
Cost:    about half a minute on two cores (5 seeds).
Expect:  through one head MNIST helps the digits by some 4 points if its labels mean the same, and costs 9 if they are shifted;
         PCGrad mends little of that. With a head each the shift costs nothing: what hurts is the shared head. Labels dealt out
         at random, the control, cost nothing that shows, through one head or two: a wrong rule hurts, no rule does not.
         `tests/transfer/experiments` holds the direction.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from nn.data import Dataset
from nn.models import MLP, MLPConfig
from nn.training import History, cosine_adam, evaluate, fit, predict
from transfer.experiments.experiment import Experiment, Number, generator, rngs
from transfer.experiments.images import SIDE, few_of_each, images
from transfer.multitask import MultitaskLoss, SharedBody, TaskBatches
from transfer.negative_transfer import shift_labels
from transfer.report import Method

CONFIGURATION = {
    "first_task": "digits; tested on 797 images",
    "second_task": "mnist_5k, its 4,000 training images",
    "classes": 10,
    "hidden": [256, 256, 128],
    "steps": 300,
    "batch_size": 50,
    "learning_rate": 1e-3,
}
BODY, HEADS, EXAMPLES, SHUFFLE = range(4)  # purposes of random numbers

# Of each arm: whether MNIST takes part, what its labels say, whether through the digits' head, and how losses are weighed.
ARMS: dict[str, dict[str, Any]] = {
    "alone": {"second": False},
    "one head": {"one_head": True},
    "one head, in conflict": {"labels": "shifted", "one_head": True},
    "one head, in conflict, PCGrad": {"labels": "shifted", "one_head": True, "weighting": "pcgrad"},
    "one head, shuffled labels": {"labels": "shuffled", "one_head": True},
    "two heads": {},
    "two heads, in conflict": {"labels": "shifted"},
    "two heads, weighed": {"weighting": "uncertainty"},
    "two heads, shuffled labels": {"labels": "shuffled"},
}


def target(seed: int, shots: int) -> tuple[np.ndarray, np.ndarray]:
    """The digits to learn from, `shots` a class: images and labels."""
    return few_of_each("digits", shots, generator(seed, EXAMPLES))


def network(seed: int) -> SharedBody:
    """A body and two heads as they begin, the same for every arm of a seed."""
    classes, hidden = CONFIGURATION["classes"], tuple(CONFIGURATION["hidden"])
    body = MLP(MLPConfig(in_features=SIDE * SIDE, hidden=hidden, out_features=classes), rngs=rngs(seed, BODY))
    return SharedBody(body, hidden[-1], (classes, classes), rngs=rngs(seed, HEADS))


def trained(
    seed: int,
    shots: int,
    *,
    second: bool = True,
    labels: str = "right",
    one_head: bool = False,
    weighting: str = "sum",
    log_every: int | None = None,
) -> tuple[SharedBody, History]:
    """The network after training, and how it went. In all arms the digits get the same batches and as many steps."""
    x, y = target(seed, shots)
    mnist_x, mnist_y = images("mnist_5k", "train")
    if labels == "shifted":
        mnist_y = shift_labels(mnist_y, CONFIGURATION["classes"])
    elif labels == "shuffled":
        mnist_y = generator(seed, SHUFFLE).permutation(mnist_y)
    size, steps = min(CONFIGURATION["batch_size"], len(x)), CONFIGURATION["steps"]
    first = Dataset.from_arrays({"image": x, "label": y}).batches(size, seed=seed)
    other = Dataset.from_arrays({"image": mnist_x, "label": mnist_y}).batches(size, seed=seed + 1000)
    model = network(seed)
    history = fit(
        model,
        TaskBatches((first, other) if second else (first,)),
        loss=MultitaskLoss(tasks=1 + second, one_head=one_head, weighting=weighting),
        optimizer=cosine_adam(CONFIGURATION["learning_rate"], steps),
        steps=steps,
        log_every=log_every or steps,
    )
    return model, history


def accuracy(model: SharedBody, name: str, task: int) -> float:
    """The share of a set's test images that a task's head gets right."""
    x, y = images(name, "test")
    return evaluate(model.heads[task], predict(model.body, x, method="features"), y)


def run_seed(seed: int, shots: Sequence[int], methods: frozenset[str]) -> Iterator[Number]:
    """Every arm at every number of examples, under one seed: accuracy on the digits."""
    for n in shots:
        for name, choices in ARMS.items():
            if name in methods:
                yield n, name, accuracy(trained(seed, n, **choices)[0], "digits", 0)


TWO_TASKS = Experiment(
    name="two_tasks",
    title="Two tasks in one network",
    question="Do digits with 50 labels gain from sharing a network with MNIST, alike or in conflict, with one head or two?",
    methods=(
        Method(name="alone", description="the digits alone"),
        Method(name="one head", description="digits and MNIST through one body and one head"),
        Method(name="one head, in conflict", description="the same, each MNIST label y moved to y + 1"),
        Method(name="one head, in conflict, PCGrad", description="the same, gradients rid of what works against the other"),
        Method(
            name="one head, shuffled labels", description="one head for both, MNIST's labels dealt out anew", kind="control"
        ),
        Method(name="two heads", description="one body, a head for each"),
        Method(name="two heads, in conflict", description="the same, each MNIST label y moved to y + 1"),
        Method(name="two heads, weighed", description="a head for each, losses weighed by learned uncertainty"),
        Method(name="two heads, shuffled labels", description="a head for each, MNIST's labels dealt out anew", kind="control"),
    ),
    baseline="alone",
    shots=(5,),
    most_shots=80,
    seeds=5,
    run_seed=run_seed,
    configuration=CONFIGURATION,
    by_default=False,
)
