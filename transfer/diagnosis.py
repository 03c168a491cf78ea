"""Why does a source hurt? Training runs with one thing changed at a time, and the causes that their outcome is consistent with.

Negative transfer has several causes, and what mends one does nothing for another. One accuracy cannot tell them apart. A
counterfactual can: train again with the suspected cause taken away, and see whether the harm goes with it.
"""

import dataclasses
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich import box
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from nn.models import Classifier
from nn.training import predict
from transfer.counterfactuals import ARMS, Counterfactuals, Labelled, draw_shots
from transfer.domain_distances import proxy_a_distance
from transfer.report.statistics import LEVEL, Comparison, Interval, holm, mean_interval, paired_difference
from transfer.report.wording import difference_text

Sign = int  # of a difference: 1 shown to be above 0, −1 shown to be below 0, 0 neither

HARM = (("one head", "scratch"), ("frozen", "scratch"), ("fine-tuned", "scratch"))
"""The ways of transferring that can be found to hurt, each against training on the target alone."""


@dataclass(frozen=True)
class Contrast:
    """A question that two training runs answer, and what it speaks for where the first is shown to be better, or worse."""

    question: str
    arm: str
    reference: str
    better: str
    worse: str


CONTRASTS = (
    Contrast("Does one head hurt?", *HARM[0], "one head helps", "harm: one head"),
    Contrast("Do frozen features hurt?", *HARM[1], "useful features", "harm: frozen"),
    Contrast("Does fine-tuning hurt?", *HARM[2], "fine-tuning helps", "harm: fine-tuned"),
    Contrast("Are the names right?", "one head", "one head, permuted", "names that fit", "wrong names"),
    Contrast("Does renaming mend it?", "one head, renamed", "one head", "conditional shift", "names that fit"),
    Contrast("Is harm left after it?", "one head, renamed", "scratch", "a useful source", "unrelated classes"),
    Contrast("Do two heads mend it?", "a head each", "one head", "a head for each", "a head to share"),
    Contrast("Has it learned features?", "frozen", "random", "learned features", "discarded features"),
    Contrast("Do random features lose?", "random", "scratch", "no need to move", "freezing costs"),
    Contrast("Does moving mend it?", "fine-tuned", "frozen", "features must move", "features to keep"),
    Contrast("Does the old head fit?", "fine-tuned, old head", "fine-tuned", "the same classes", "another meaning"),
)
"""Every question asked, in the order shown; short, so that on a terminal of 110 columns each is one line of the table."""

ADVICE = {
    "conditional shift": "Call the source's classes what the target calls them, or give each task a head of its own.",
    "unrelated classes share a head": "Give each task a head of its own, or pretrain on the source and put a fresh head on it.",
    "features discard what the target needs": "Let the features move, take those of an earlier layer, or try another source.",
    "the price of freezing": "Let the features move: fine-tune everything, or first the head and then everything.",
}
"""What to try next, for each cause that can be named."""


@dataclass(frozen=True)
class Evidence:
    """A contrast with its outcome: differences are arm − reference, pair by pair; p_holm is adjusted for all contrasts."""

    question: str
    arm: str
    reference: str
    comparison: Comparison
    p_holm: float
    sign: Sign
    speaks_for: str


@dataclass(frozen=True)
class Diagnosis:
    """What the training runs are consistent with.

    Attributes:
      causes: names from `ADVICE`; none where it is inconclusive.
      harm: the ways of transferring that were shown to lose against scratch, such as "one head".
      evidence: a row for each contrast.
      advice: what to try next.
      accuracies: for each arm, the share of test images that are right, by seed.
      distance: proxy A-distance of source and target images: 0 where they cannot be told apart, 2 where they always can.
      level: of the intervals, and 1 − level bounds the chance of any false row.
    """

    causes: tuple[str, ...]
    harm: tuple[str, ...]
    evidence: tuple[Evidence, ...]
    advice: tuple[str, ...]
    accuracies: dict[str, dict[int, float]]
    distance: Interval | None
    level: float

    @property
    def cause(self) -> str:
        """The causes in words, or "inconclusive"."""
        return ", and ".join(self.causes) or "inconclusive"

    def as_dict(self) -> dict[str, Any]:
        """Everything in plain values, for JSON; where there is one seed, the ends of intervals are infinite."""
        return {"cause": self.cause, **dataclasses.asdict(self)}

    def __rich__(self) -> Group:
        table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
        for heading in ("question", "difference", "points", "p, Holm", "speaks for"):
            table.add_column(Text(heading), no_wrap=heading == "points")
        for row in self.evidence:
            pair, numbers = f"{row.arm} − {row.reference}", difference_text(row.comparison)
            p = "< 0.001" if row.p_holm < 0.001 else f"{row.p_holm:.3f}"
            style = {1: "green", -1: "red", 0: "dim"}[row.sign]
            table.add_row(row.question, pair, numbers, p, Text(row.speaks_for or "nothing shown", style=style))
        harm = f"Harm was shown: {', '.join(self.harm)}." if self.harm else "No harm was shown."
        lines = [Text(f"Consistent with: {self.cause}.", style="bold"), Text(harm), table]
        if self.distance is not None:
            where = "(0: alike, 2: always told apart)"
            lines.append(Text(f"Proxy A-distance of the images: {self.distance.mean:.2f} {where}"))
        return Group(*lines, *(Text(f"Try: {advice}") for advice in self.advice))

    def __str__(self) -> str:
        page = io.StringIO()
        # As wide as the terminal or the notebook. In a notebook Rich would show the page, and write nothing to the file.
        Console(file=page, width=Console().width, color_system=None, force_jupyter=False).print(self)
        return "\n".join(line.rstrip() for line in page.getvalue().splitlines()).rstrip()


def diagnose_negative_transfer(
    make_model: Callable[[int, int], Classifier],
    source: Labelled,
    target: Labelled,
    test: Labelled,
    *,
    shots: int,
    seeds: Sequence[int] = range(8),
    pretraining_steps: int = 300,
    steps: int = 200,
    batch_size: int = 64,
    learning_rate: float = 1e-3,
    probe_learning_rate: float = 1e-2,
    level: float = LEVEL,
    on_number: Callable[[], None] = lambda: None,
    kept: Mapping[int, Mapping[str, Any]] | None = None,
    on_seed: Callable[[int, dict[str, Any]], None] = lambda seed, trial: None,
) -> Diagnosis:
    """Runs every arm under every seed, and says which causes of negative transfer the outcome is consistent with.

    A cause is named only where a way of transferring is shown to lose against scratch, after Holm's adjustment over all
    contrasts. So where nothing hurts, a cause is named with a chance of at most 1 − level, whatever the other contrasts say.

    Args:
      make_model: maps (seed, classes) to an untrained network, another one for each seed.
      source: images and labels from 0. Classes of the same number in source and target are taken to be the same class.
      target: all images that may be trained on, and their labels from 0.
      test: target images and labels to measure on. Nothing is trained on them or chosen by them.
      shots: how many target examples of each class to train on; each seed draws its own.
      seeds: at least two.
      pretraining_steps, steps: batches of the source beforehand, and of each training on the target.
      batch_size, learning_rate, probe_learning_rate: as for `fine_tune` and `linear_probe`.
      level: of the intervals, and 1 − the chance of a false alarm.
      on_number: called after each of the `len(ARMS)` arms of a seed that is run.
      kept: what `on_seed` was given under some seeds, with the same arguments: they are not run again.
      on_seed: called with each seed that was run, and what came of it in JSON values.

    Raises:
      ValueError: for fewer than two seeds or one of them twice, images of different shapes, labels that do not fit, or a
        target class with fewer images than shots.

    References:
      Wang et al. 2019, "Characterizing and Avoiding Negative Transfer": what counts as harm, and from where.
      Holm 1979, "A Simple Sequentially Rejective Multiple Test Procedure".
    """
    if len(seeds) < 2 or len(set(seeds)) < len(seeds):
        raise ValueError(f"diagnose_negative_transfer expects two different seeds or more, got {list(seeds)}.")
    classes = _require_fitting(source, target, test, shots)
    trials = dict(kept or {})
    for seed in seeds:
        if seed in trials:
            continue
        chosen = draw_shots(target[1], shots, np.random.default_rng((seed, 0)))
        arms = Counterfactuals(
            start=make_model(seed, classes[0]),
            source=source,
            target=(target[0][chosen], target[1][chosen]),
            classes=classes,
            seed=seed,
            pretraining_steps=pretraining_steps,
            options={"steps": steps, "seed": seed, "batch_size": batch_size, "learning_rate": learning_rate},
            probe_learning_rate=probe_learning_rate,
        )
        accuracies = {}
        for name in ARMS:
            if (model := arms.train(name)) is not None:
                # A head may have outputs for classes that only the source has: the question is which of the target's it is.
                scores = predict(model, test[0])[:, : classes[1]]
                accuracies[name] = float((scores.argmax(1) == test[1]).mean())
            on_number()
        trials[seed] = trial = {"accuracies": accuracies, "distance": _image_distance(source[0], target[0], seed)}
        on_seed(seed, trial)
    trained = [name for name in ARMS if name in trials[seeds[0]]["accuracies"]]  # under each seed the same
    by_arm = {name: {seed: trials[seed]["accuracies"][name] for seed in seeds} for name in trained}
    return diagnosis_of(by_arm, [trials[seed]["distance"] for seed in seeds], level=level)


def diagnosis_of(
    accuracies: Mapping[str, Mapping[int, float]], distances: Sequence[float] = (), *, level: float = LEVEL
) -> Diagnosis:
    """The diagnosis that belongs to accuracies of the arms, by seed: all but the training.

    Args:
      accuracies: for each name of `ARMS` a number for each seed; "fine-tuned, old head" may be missing.
      distances: proxy A-distances of source and target images, if known.
      level: as for `diagnose_negative_transfer`.

    Raises:
      ValueError: if another arm is missing, or a seed in one of them.
    """
    if missing := [name for name in ARMS if name not in accuracies and name != "fine-tuned, old head"]:
        raise ValueError(f"diagnosis_of expects accuracies of {', '.join(ARMS)}; got none of {', '.join(missing)}.")
    asked = [contrast for contrast in CONTRASTS if contrast.arm in accuracies]
    comparisons = {
        (c.arm, c.reference): paired_difference(
            accuracies[c.arm], accuracies[c.reference], level, names=(f"{c.arm!r}", f"{c.reference!r}")
        )
        for c in asked
    }
    adjusted = holm([comparison.p_value for comparison in comparisons.values()])
    signs = {
        pair: shown_sign(comparison.mean, p, 1 - level)
        for (pair, comparison), p in zip(comparisons.items(), adjusted, strict=True)
    }
    evidence = tuple(
        Evidence(
            c.question,
            c.arm,
            c.reference,
            comparisons[c.arm, c.reference],
            p,
            sign := signs[c.arm, c.reference],
            {1: c.better, -1: c.worse, 0: ""}[sign],
        )
        for c, p in zip(asked, adjusted, strict=True)
    )
    causes, harm = consistent_causes(signs), tuple(arm for arm, scratch in HARM if signs[arm, scratch] < 0)
    if causes:
        advice = tuple(ADVICE[cause] for cause in causes)
    elif harm:
        advice = ("The harm is plain and its cause is not: more seeds would narrow the intervals.",)
    else:
        advice = ("More seeds would show a smaller harm, if there is one.",)
    return Diagnosis(
        causes=causes,
        harm=harm,
        evidence=evidence,
        advice=advice,
        accuracies={name: dict(by_seed) for name, by_seed in accuracies.items()},
        distance=mean_interval(distances, level) if len(distances) else None,
        level=level,
    )


def shown_sign(mean: float, p_value: float, alpha: float) -> Sign:
    """1 or −1, the sign of a mean difference, where its p-value is below alpha; 0 where it is not."""
    return 0 if not p_value < alpha or mean == 0 else 1 if mean > 0 else -1


def consistent_causes(signs: Mapping[tuple[str, str], Sign]) -> tuple[str, ...]:
    """The causes of negative transfer that the shown differences are consistent with; none where there is no harm.

    One head that hurts: it is a *conditional shift* if renaming the source's classes mends it and none is shown after it, and
    *unrelated classes share a head* if harm is left when they are renamed, and a head for each mends it.
    Frozen features that hurt: they *discard what the target needs* if those of an untrained network are better; it is *the
    price of freezing* if those are worse, freezing costs the untrained network too, and fine-tuning mends it.

    Args:
      signs: for pairs of arms, (arm, reference), 1 where the arm is shown to be better, −1 where it is shown to be worse, and
        0 where nothing is shown. It reads the pairs of `CONTRASTS`.
    """
    causes = []
    if signs["one head", "scratch"] < 0:
        if signs["one head, renamed", "one head"] > 0 and signs["one head, renamed", "scratch"] >= 0:
            causes.append("conditional shift")
        elif signs["one head, renamed", "scratch"] < 0 and signs["a head each", "one head"] > 0:
            causes.append("unrelated classes share a head")
    if signs["frozen", "scratch"] < 0:
        if signs["frozen", "random"] < 0:
            causes.append("features discard what the target needs")
        elif (
            signs["frozen", "random"] > 0
            and signs["random", "scratch"] < 0
            and signs["fine-tuned", "frozen"] > 0
            and signs["fine-tuned", "scratch"] >= 0
        ):
            causes.append("the price of freezing")
    return tuple(causes)


def _image_distance(source: np.ndarray, target: np.ndarray, seed: int, most: int = 150) -> float:
    """Proxy A-distance of some images of either set, as rows of pixels."""
    random = np.random.default_rng((seed, 2))
    rows = [images[random.permutation(len(images))[:most]].reshape(-1, images[0].size) for images in (source, target)]
    return proxy_a_distance(*rows, seed=seed)


def _require_fitting(source: Labelled, target: Labelled, test: Labelled, shots: int) -> tuple[int, int]:
    """The numbers of classes of source and target; a ValueError where the sets do not fit."""
    name = "diagnose_negative_transfer"
    shapes = [images.shape[1:] for images, _ in (source, target, test)]
    if len(set(shapes)) > 1 or any(len(images) != len(labels) or not len(labels) for images, labels in (source, target, test)):
        sizes = "; ".join(f"{images.shape} with {labels.shape}" for images, labels in (source, target, test))
        raise ValueError(f"{name} expects images of one shape, each with its label, in source, target and test, got {sizes}.")
    counts = np.bincount(target[1][target[1] >= 0])
    if target[1].min() < 0 or source[1].min() < 0 or len(counts) < 2 or not 1 <= shots <= counts.min():
        raise ValueError(
            f"{name} expects labels from 0 and {shots} shots or more of each of at least two target classes, "
            f"got {counts.tolist()} examples of the classes, and labels from {min(target[1].min(), source[1].min())}."
        )
    if test[1].min() < 0 or test[1].max() >= len(counts):
        raise ValueError(f"{name} expects test labels from 0 to {len(counts) - 1}, got {test[1].min()} to {test[1].max()}.")
    return int(source[1].max()) + 1, len(counts)
