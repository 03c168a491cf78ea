"""The whole learning curve: fine-tuning beside scratch on 20 new characters, evaluated while they are trained.

Run:     python -m transfer --experiment learning_curves
Cost:    about half a minute on two cores (5 seeds).
Expect:  a higher end, more area and a threshold reached sooner; hardly a jumpstart, for the fresh head knows nothing at step 0;
         and much of the source forgotten. `tests/transfer/experiments` holds the direction.

All arms are trained by plain gradient descent, which has no memory: training can stop to be looked at, and go on, and nothing
is changed by that. The pretraining comes before the curves begin, and is no part of them.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import optax
from flax import nnx

from nn.data import Dataset
from nn.models import MLP
from nn.training import evaluate, fit
from transfer.experiments import few_labels
from transfer.experiments.experiment import Detail, Experiment, Number, rngs
from transfer.experiments.few_labels import HEAD, pretrained, relabel, split_classes, target, untrained
from transfer.experiments.images import images
from transfer.fine_tuning import replace_head
from transfer.report import Method, Results, Section
from transfer.report.learning_curves import curve_gains, gains_table

CONFIGURATION = {
    **few_labels.CONFIGURATION,
    "steps": [0, 10, 20, 40, 80, 120, 160, 200, 240],
    "learning_rate_of_the_curves": 0.1,
    "threshold": 0.5,
}
DESCENT = optax.sgd(CONFIGURATION["learning_rate_of_the_curves"])


def learning_curve(model: MLP, seed: int, shots: int) -> list[float]:
    """Accuracies on the test images at each of the steps of the configuration; the model is trained in place."""
    x, y, test_x, test_y = target(seed, shots)
    data = Dataset.from_arrays({"image": x, "label": y})
    size, steps = min(CONFIGURATION["batch_size"], len(data)), CONFIGURATION["steps"]
    curve = [evaluate(model, test_x, test_y)]
    for part, (begin, end) in enumerate(pairwise(steps)):
        batches = data.batches(size, seed=1000 * seed + part)  # the same for all arms
        fit(model, batches, optimizer=DESCENT, steps=end - begin, log_every=end - begin)
        curve.append(evaluate(model, test_x, test_y))
    return curve


def source_accuracy(seed: int, features: MLP) -> float:
    """Accuracy on the source's test images of a network's features with the head of the pretrained network."""
    seen, _ = split_classes(seed)
    x, y = images("glyphs", "test")
    among_seen = np.isin(y, seen)
    model = nnx.clone(features)
    model.head = nnx.clone(pretrained(seed).head)
    return evaluate(model, x[among_seen], relabel(y[among_seen], seen))


def run_seed(seed: int, shots: Sequence[int], methods: frozenset[str]) -> Iterator[Number | Detail]:
    """Every curve at every number of examples, under one seed; the number is what a curve ends with."""
    classes = CONFIGURATION["new_classes"]
    fresh = untrained(seed, CONFIGURATION["classes"] - classes)
    for n in shots:
        starts = {
            "scratch": lambda: fresh,
            "fine-tune": lambda: pretrained(seed),
            "shuffled labels": lambda: pretrained(seed, shuffled=True),
        }
        for name, start in starts.items():
            if name not in methods:
                continue
            model = replace_head(start(), classes, rngs=rngs(seed, HEAD))
            curve = learning_curve(model, seed, n)
            yield n, name, curve[-1]
            yield Detail(f"{name}, {n}", curve)
            if name == "fine-tune":
                yield Detail(f"source, {n}", [source_accuracy(seed, pretrained(seed)), source_accuracy(seed, model)])


def sections(results: Results, directory: Path | None = None) -> tuple[Section, ...]:
    """The gains of each number of examples, and what pretraining cost."""
    steps, pretraining = CONFIGURATION["steps"], CONFIGURATION["pretraining_steps"]
    parts = []
    for n in results.settings:
        for name in (method.name for method in results.methods if method.name != "scratch"):
            curves = ({s: results.details[f"{arm}, {n}"][s] for s in results.finished} for arm in (name, "scratch"))
            source = None
            if name == "fine-tune":
                source = {s: tuple(results.details[f"source, {n}"][s]) for s in results.finished}
            gains = curve_gains(steps, *curves, threshold=CONFIGURATION["threshold"], source=source)
            parts.append(Section(f"Learning curves, {n} examples per class: {name} beside scratch", gains_table(gains)))
    cost = (
        f"The curves begin when pretraining is over, which took {pretraining} steps; a curve has {steps[-1]}.\n"
        "Whoever pretrains for this target alone has to count them in; whoever has the network already does not.\n"
        "p after Holm's adjustment for the gains of a table. A loss on the source is what was forgotten."
    )
    return (*parts, Section("What it cost", cost))


LEARNING_CURVES = Experiment(
    name="learning_curves",
    title="Learning curves",
    question="Does pretraining on 117 characters give 20 new ones a better start, a better end, or the same end sooner?",
    methods=(
        Method(name="scratch", description="the network trained on the few examples alone"),
        Method(name="fine-tune", description="the pretrained network with a fresh head, all of it trained on"),
        Method(
            name="shuffled labels", description="the same after pretraining with labels dealt out at random", kind="control"
        ),
    ),
    shots=(5,),
    most_shots=80,
    seeds=5,
    run_seed=run_seed,
    configuration=CONFIGURATION,
    by_default=False,
    sections=sections,
)
