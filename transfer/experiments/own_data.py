"""The main job on your own pictures: is it worth starting from this source, or from which of these, and in which way?

Run:     python -m transfer --source mnist_5k --target digits
         python -m transfer --source ~/pictures/birds ~/pictures/cats --target ~/pictures/dogs --shots 1 5 20
Cost:    a minute or two on two cores for one source and small pictures (5 seeds); a further source adds half of that. Where a
         method loses, a diagnosis follows, of nine more training runs a seed; its seeds are kept like the others.
Expect:  what comes of your pictures nobody knows beforehand; that is what it is for. From `mnist_5k` to `digits`, fine-tuning
         gains a point or two with 5 and 20 examples a class, and prototypes lose with 20.

A small convolutional network learns each source. Then it gets a few labelled pictures of the target, in several ways, each
beside training from scratch on the same pictures. The target's test pictures decide nothing.
"""

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from scipy.special import softmax

from nn.data.folders import as_floats
from nn.models import LeNet, LeNetConfig
from nn.training import evaluate, predict
from transfer.diagnosis import diagnose_negative_transfer
from transfer.experiments.answer import COLUMNS, Arm, answer, listed, mean, source_table
from transfer.experiments.experiment import Detail, Experiment, Number, generator, rngs
from transfer.experiments.images import first_of_each_class
from transfer.experiments.journal import Journal
from transfer.experiments.pictures import Labelled, Pictures, same_pictures, tell_apart
from transfer.few_shot import prototype_accuracy
from transfer.fine_tuning import extract_features, fine_tune, linear_probe, linear_probe_then_fine_tune, replace_head
from transfer.report import Method, Results, Section, outcomes
from transfer.report.wording import setting_text
from transfer.transferability import h_score, leep, log_me

SIDE = 28  # pixels, unless another number is asked for
SHOTS = (1, 5, 20)
TRAINING = {
    "channels": [8, 16],
    "hidden": [64],
    "pretraining_steps": 400,
    "steps": 100,
    "batch_size": 16,
    "learning_rate": 3e-3,
    "probe_learning_rate": 3e-2,
    "second_learning_rate": 1e-3,
}
BODY, HEAD, EXAMPLES, SHUFFLE = range(4)  # purposes of random numbers

# Each way of transfer: what it is, and the control that does the same without what the source's labels teach.
WAYS = {
    "fine-tune": ("the pretrained network with a fresh head, all of it trained on", "shuffled labels"),
    "linear probe": ("a fresh head alone, on pretrained features that do not move", "random features"),
    "probe, then fine-tune": ("the head first, then everything, more gently", "shuffled labels"),
    "prototypes": ("the nearest class mean of pretrained features, nothing trained", "random features"),
}
CONTROLS = {
    "shuffled labels": "fine-tuned after training on the source's pictures with labels dealt out at random",
    "random features": "a linear probe on the untrained network",
}
OF_SEVERAL = ("fine-tune", "linear probe")  # what is tried by default with each of several sources
DIAGNOSED = ("fine-tune", "linear probe")  # the ways that `transfer.diagnosis` has among its training runs


@dataclass(frozen=True, eq=False)
class OwnData:
    """One or several sources, a target, and how they are trained on."""

    sources: tuple[Pictures, ...]
    target: Pictures
    arms: tuple[Arm, ...]
    training: Mapping[str, Any]

    @property
    def channels(self) -> int:
        """3 if any of the sets has a coloured picture, else 1."""
        return max(pictures.channels for pictures in (*self.sources, self.target))

    def untrained(self, seed: int, classes: int) -> LeNet:
        """The network as it begins, the same for every arm of a seed but for its head."""
        shape = (*self.target.train[0].shape[1:3], self.channels)
        channels, hidden = tuple(self.training["channels"]), tuple(self.training["hidden"])
        config = LeNetConfig(image_shape=shape, channels=channels, hidden=hidden, out_features=classes)
        return LeNet(config, rngs=rngs(seed, BODY))

    def pretrained(self, seed: int, source: Pictures, *, shuffled: bool) -> LeNet:
        """The network after training on a source, whose labels are right, or dealt out at random."""
        x, y = source.floats("train", self.channels)
        model = self.untrained(seed, len(source.classes))
        y = generator(seed, SHUFFLE).permutation(y) if shuffled else y
        fine_tune(model, x, y, steps=self.training["pretraining_steps"], seed=seed, **self.options())
        return model

    def options(self, rate: str = "learning_rate") -> dict[str, Any]:
        """What the calls of `fine_tune` have in common."""
        return {"batch_size": self.training["batch_size"], "learning_rate": self.training[rate]}

    def few(self, seed: int, shots: int) -> tuple[np.ndarray, np.ndarray]:
        """The target's pictures to learn from, `shots` of each class, class by class."""
        pictures, labels = self.target.train
        order = generator(seed, EXAMPLES).permutation(len(labels))
        chosen = first_of_each_class(labels, np.arange(len(self.target.classes)), shots, order)
        return as_floats(pictures[chosen], self.channels), labels[chosen].astype(np.int32)

    def learn(self, seed: int, start: LeNet, way: str, x: np.ndarray, y: np.ndarray) -> LeNet:
        """The network with a head for the target, trained on its pictures in one of the ways."""
        model = replace_head(start, len(self.target.classes), rngs=rngs(seed, HEAD))
        steps = self.training["steps"]
        if way == "linear probe":
            linear_probe(model, x, y, steps=steps, seed=seed, **self.options("probe_learning_rate"))
        elif way == "probe, then fine-tune":
            linear_probe_then_fine_tune(
                model,
                x,
                y,
                probe_steps=steps,
                steps=steps,
                seed=seed,
                probe_learning_rate=self.training["probe_learning_rate"],
                **self.options("second_learning_rate"),
            )
        else:
            fine_tune(model, x, y, steps=steps, seed=seed, **self.options())
        return model

    def run_seed(self, seed: int, shots: Sequence[int], methods: frozenset[str]) -> Iterator[Number | Detail]:
        """Every arm at every number of examples, and what is known of each source beforehand, under one seed."""
        test_x, test_y = self.target.floats("test", self.channels)
        classes = len(self.target.classes)
        untrained = self.untrained(seed, classes)

        @cache
        def start(source: str | None, shuffled: bool) -> LeNet:
            found = [pictures for pictures in self.sources if pictures.name == source]
            return self.pretrained(seed, found[0], shuffled=shuffled) if found else untrained

        for n in shots:
            x, y = self.few(seed, n)
            for arm in self.arms:
                if arm.name not in methods:
                    continue
                model = start(arm.source, arm.way == "shuffled labels")
                if arm.way == "prototypes":
                    features, test_features = extract_features(model, x), extract_features(model, test_x)
                    yield n, arm.name, prototype_accuracy(features, y, test_features, test_y, classes=classes)
                else:
                    way = "linear probe" if arm.way == "random features" else arm.way
                    yield n, arm.name, evaluate(self.learn(seed, model, way, x, y), test_x, test_y)
        for source in self.sources:
            yield Detail(f"known of {source.name}", self.known(seed, source, start(source.name, False), max(shots)))

    def known(self, seed: int, source: Pictures, model: LeNet, shots: int) -> dict[str, float | None]:
        """What can be known of a source before it is used: scores and a trial, from the target's labelled pictures alone.

        Returns:
          "own test": the accuracy on the source's own test pictures, which says whether the network has learned it at all;
          LogME, H-score and LEEP; and "trial": of a linear probe that is tested on one in five of each class of the target's
          labelled pictures (at least one), and trained on the others (None where a class has but one).
        """
        x, y = self.few(seed, shots)
        features, probabilities = extract_features(model, x), softmax(predict(model, x).astype(np.float64), axis=1)
        held_out = np.tile(np.arange(shots) >= shots - max(1, shots // 5), len(self.target.classes))  # x comes class by class
        trial = None
        if shots > 1:
            trial = evaluate(self.learn(seed, model, "linear probe", x[~held_out], y[~held_out]), x[held_out], y[held_out])
        return {
            "own test": evaluate(model, *source.floats("test", self.channels)),
            "LogME": log_me(features, y),
            "H-score": h_score(features, y) if len(y) > features.shape[1] else None,  # else it is the same for any features
            "LEEP": leep(probabilities, y),
            "trial": trial,
        }

    def warnings(self, results: Results) -> Iterator[str]:
        """Sentences on networks that have learned nothing, which no difference between them may hide."""
        for source in self.sources:
            known = results.details[f"known of {source.name}"]
            own = float(np.mean([known[seed]["own test"] for seed in results.finished]))
            if source.is_guessed(own):
                yield (
                    f"It is not shown that the networks have learned {source.name}: {100 * own:.1f}% right on its own "
                    f"{len(source.test[1])} test pictures, where guessing is right in {100 * source.guessing:.1f}%."
                )
        highest = {n: max(mean(results, [method.name], n) for method in results.methods) for n in results.settings}
        if guessed := [n for n in results.settings if self.target.is_guessed(highest[n])]:
            yield (
                f"With {listed(results, guessed)} no network is shown to be better than a guess, which is right in "
                f"{100 * self.target.guessing:.1f}% of {len(self.target.test[1])} test pictures: differences say nothing."
            )

    def sections(self, results: Results, directory: Path | None) -> Iterator[Section]:
        """What stands below the table: the sources, ranked; how the data were read; the diagnosis, if a method lost."""
        known = {source.name: results.details[f"known of {source.name}"] for source in self.sources}
        yield Section("The sources" if len(self.sources) > 1 else "The source", source_table(results, self.arms, known))
        yield Section("The data", "\n".join(self.notes()))
        yield from self.diagnosis(results, directory)  # the last, for it takes the longest, and may be interrupted

    def diagnosis(self, results: Results, directory: Path | None) -> Iterator[Section]:
        """What may be wrong with the source that a method lost the most with. Nothing where none lost, or seeds are missing.

        A loss counts if it outlives Holm's adjustment. A line is printed first, for this takes a while; each seed is kept in
        the folder as soon as it is finished.
        """
        lost = [
            (row.comparison.mean, row.setting, arm)
            for row in outcomes(results)
            for arm in self.arms
            if arm.name == row.method.name and arm.control and row.comparison
            if row.comparison.verdict == "negative" and not row.fragile
        ]
        if results.partial or not lost:
            return
        _, shots, arm = min(lost, key=lambda loss: loss[0])
        (source,) = (pictures for pictures in self.sources if pictures.name == arm.source)
        loses = f"{arm.name} loses, with {setting_text(results, shots)}"
        title = f"What may be wrong with {source.name}? ({loses})"
        print(f"{loses}: a diagnosis is made, which takes a while. Ctrl-C leaves it out for now.", flush=True)
        plan = {"diagnosis": source.name, "configuration": results.configuration, "shots": shots}
        journal = Journal(directory, plan) if directory else None
        try:
            found = diagnose_negative_transfer(
                self.untrained,
                self.with_names_of_target(source),
                self.target.floats("train", self.channels),
                self.target.floats("test", self.channels),
                shots=int(shots),
                seeds=results.finished,
                pretraining_steps=self.training["pretraining_steps"],
                steps=self.training["steps"],
                probe_learning_rate=self.training["probe_learning_rate"],
                **self.options(),
                **({"kept": journal.seeds, "on_seed": journal.write} if journal else {}),
            )
        except ValueError as error:  # what is said so far shall not be lost with it
            yield Section(title, f"No diagnosis could be made: {error}")
            return
        page = io.StringIO()
        Console(file=page, width=COLUMNS, color_system=None, force_jupyter=False).print(found)
        text = "\n".join(line.rstrip() for line in page.getvalue().splitlines()).rstrip()
        if arm.way not in DIAGNOSED:
            text += f"\n{arm.name} itself is not among these runs; they tell of the same source."
        yield Section(title, text)

    def with_names_of_target(self, source: Pictures) -> Labelled:
        """The source's pictures, with their labels numbered so that classes of one name have one number in both sets."""
        x, y = source.floats("train", self.channels)
        target = self.target.classes
        free = (number for number in count() if number >= len(target) or target[number] not in source.classes)
        number = [target.index(name) if name in target else next(free) for name in source.classes]
        return x, np.array(number, np.int32)[y]

    def notes(self) -> Iterator[str]:
        """Sentences on the sets, on what was left out, and on pictures that are where they should not be."""
        side = self.target.train[0].shape[1]
        for role, pictures in (*(("source", source) for source in self.sources), ("target", self.target)):
            counts = f"{len(pictures.train[1])} pictures to learn from, {len(pictures.test[1])} for the test"
            commonest = f"Who always names the commonest class of the test is right in {100 * pictures.guessing:.1f}%."
            yield f"{pictures.name} ({role}): {len(pictures.classes)} classes, {counts}. {commonest}"
            yield from pictures.notes
        colours = "grey" if self.channels == 1 else "colour"
        yield f"All are read in {colours} at {side} × {side} pixels, proportions kept, the rest in the colour of the rim."
        for source in self.sources:
            if twice := same_pictures(self.target.test[0], source.train[0]):
                seen = f"{twice} of the test pictures of {self.target.name}"
                yield f"Beware: {source.name} has {seen}: the network has learned from what it is tested on."
            if twice := same_pictures(self.target.train[0], source.train[0]):
                seen = f"{twice} of the pictures that {self.target.name} has to learn from"
                yield f"Beware: {source.name} has {seen}, with labels: the network learns from more than the few."
        if twice := same_pictures(self.target.test[0], self.target.train[0]):
            yield f"Beware: {self.target.name} has {twice} of its test pictures among those to learn from, too."


def choose_ways(names: Sequence[str] | None, sources: int) -> tuple[str, ...]:
    """The ways of transfer of these names, in the order of `WAYS`; hyphens and underscores may stand for spaces.

    Raises:
      ValueError: for a name that is none of them.
    """
    if names is None:
        return tuple(WAYS) if sources == 1 else OF_SEVERAL

    def plain(name: str) -> str:
        return name.lower().replace("_", " ").replace("-", " ")

    known = {plain(way): way for way in WAYS} | {"lp ft": "probe, then fine-tune"}
    if unknown := [name for name in names if plain(name) not in known]:
        raise ValueError(f"--methods expects some of {', '.join(map(repr, WAYS))} with --source; got {unknown[0]!r}.")
    wanted = {known[plain(name)] for name in names}
    return tuple(way for way in WAYS if way in wanted)


def own_data(
    sources: Sequence[Pictures],
    target: Pictures,
    *,
    methods: Sequence[str] | None = None,
    training: Mapping[str, Any] = TRAINING,
) -> Experiment:
    """The experiment on these sets: each way of transfer from each source, beside scratch and its control.

    Args:
      sources: one, or several to choose from. Folders of one name are told apart by what they lie in.
      target: what is to be learned from few pictures.
      methods: names of ways of transfer, see `choose_ways`. Their controls come along.
      training: sizes of the network, steps and rates, as `TRAINING` has them.

    Raises:
      ValueError: for an unknown way, a source that comes twice, or a target class without a picture to learn from.
    """
    *sources, target = tell_apart([*sources, target])
    names = [source.name for source in sources]
    if len(set(names)) < len(names):
        raise ValueError(f"--source expects each set once, got {', '.join(names)}.")
    counts = np.bincount(target.train[1], minlength=len(target.classes))
    if counts.min() == 0:
        raise ValueError(f"{target.name} has no picture of {target.classes[counts.argmin()]!r} to learn from.")
    ways = choose_ways(methods, len(sources))
    arms = make_arms(ways, names)
    job = OwnData(tuple(sources), target, arms, dict(training))
    descriptions = {"scratch": "the network trained on the few pictures alone", **CONTROLS, **{w: WAYS[w][0] for w in ways}}
    classes = f"the {len(target.classes)} classes of {target.name}"
    return Experiment(
        name=f"{'_'.join(names)}_to_{target.name}".replace("/", "-"),
        title=f"From {', '.join(names)} to {target.name}",
        question=f"Does pretraining on {names[0]} help to tell {classes} from few pictures?"
        if len(names) == 1
        else f"Which of {', '.join(names)} helps to tell {classes} from few pictures, if any?",
        methods=tuple(
            Method(name=arm.name, description=descriptions[arm.way], kind="control" if arm.way in CONTROLS else "method")
            for arm in arms
        ),
        shots=tuple(n for n in SHOTS if n <= counts.min()),
        most_shots=int(counts.min()),
        why_no_more=f"Of {target.classes[counts.argmin()]!r}, the smallest class of {target.name}, there are {counts.min()} "
        "pictures to learn from beside those that are kept for the test.",
        seeds=5,
        run_seed=job.run_seed,
        configuration={
            "sources": {source.name: source.checksum for source in sources},
            "target": {target.name: target.checksum},
            "side": target.train[0].shape[1],
            **training,
        },
        by_default=False,
        answer=lambda results: answer(results, arms, job.warnings(results)),
        sections=job.sections,
    )


def make_arms(ways: Sequence[str], sources: Sequence[str]) -> tuple[Arm, ...]:
    """Scratch, each way from each source, and the controls of these ways; with several sources their names are in the arms'."""

    def name(way: str, source: str) -> str:
        return way if len(sources) == 1 else f"{way} from {source}"

    controls = {WAYS[way][1] for way in ways}
    arms = [Arm("scratch", "scratch")]
    for source in sources:
        for way in ways:
            control = WAYS[way][1]
            arms.append(Arm(name(way, source), way, source, name(control, source) if control == "shuffled labels" else control))
    if "shuffled labels" in controls:
        arms += [Arm(name("shuffled labels", source), "shuffled labels", source) for source in sources]
    if "random features" in controls:
        arms.append(Arm("random features", "random features"))
    return tuple(arms)
