"""What an experiment is: a question, methods that are compared on the same seeds, and a function that runs one seed."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax
import numpy as np
from flax import nnx

from transfer.experiments.journal import Journal
from transfer.report import Method, Results, Section

# (examples per class, name of the method, accuracy in [0, 1])
Number = tuple[int, str, float]

UNFINISHED = Section("Interrupted", "What belongs here was not finished; the same command makes it.")


@dataclass(frozen=True)
class Detail:
    """What a seed has to say beside accuracies, as a JSON value: a score of a source, or a learning curve."""

    name: str
    value: Any


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """A named experiment. The command line, the lessons and the tests all run these.

    Args:
      name: as on the command line.
      title: a heading of a few words.
      question: what the numbers are to answer.
      methods: the arms, in the order shown; `baseline` is one of them.
      baseline: what the others are compared with.
      shots: numbers of examples per target class to run by default.
      most_shots: the largest number of examples per class that the target has to train on.
      why_no_more: what to add where more are asked for.
      seeds: how many seeds to run by default.
      run_seed: maps (seed, shots, names of methods) to the numbers of that seed, as they come, and to details.
      configuration: whatever fixes the numbers, as JSON values.
      by_default: whether `python -m transfer` runs it when it is not asked for by name.
      answer: maps the results to the lines that its report begins with.
      sections: maps the results, and the folder that keeps what is finished (None: none does), to what stands below the
        table; each is kept as it comes.
      setting_name: what the numbers in `shots` count, in the plural.
    """

    name: str
    title: str
    question: str
    methods: tuple[Method, ...]
    baseline: str = "scratch"
    shots: tuple[int, ...]
    most_shots: int
    seeds: int
    run_seed: Callable[[int, Sequence[int], frozenset[str]], Iterator[Number | Detail]]
    configuration: dict[str, Any] = field(default_factory=dict)
    by_default: bool = True
    answer: Callable[[Results], str] = lambda results: ""
    sections: Callable[[Results, Path | None], Iterable[Section]] = lambda results, directory: ()
    setting_name: str = "examples per class"
    why_no_more: str = ""

    def choose(self, names: Sequence[str] | None) -> tuple[Method, ...]:
        """The methods of these names, with those that they are compared with; all of them for None.

        Raises:
          ValueError: for a name that is not a method's. Hyphens and underscores may stand for spaces.
        """
        if names is None:
            return self.methods
        known = {method.name: method for method in self.methods}
        wanted = {self.baseline}
        for name in names:
            plain = name.replace("_", " ").replace("-", " ")
            matching = [known_name for known_name in known if known_name.replace("-", " ") == plain]
            if not matching:
                raise ValueError(f"{self.name} expects methods from {', '.join(map(repr, known))}; got {name!r}.")
            wanted |= {matching[0], known[matching[0]].reference or self.baseline}
        return tuple(method for method in self.methods if method.name in wanted)

    def check(self, seeds: int | None, shots: Sequence[int] | None, methods: Sequence[str] | None) -> None:
        """Raises the ValueError that `run` would raise for these, without running anything."""
        if seeds is not None and seeds < 2:
            raise ValueError(f"{self.name} expects at least 2 seeds, for an interval needs a spread; got {seeds}.")
        if shots is not None and (not shots or not all(1 <= n <= self.most_shots for n in shots)):
            raise ValueError(
                f"{self.name} expects shots from 1 to {self.most_shots}, the most {self.setting_name}; "
                f"got {', '.join(map(str, shots)) or 'none'}.{' ' * bool(self.why_no_more)}{self.why_no_more}"
            )
        self.choose(methods)

    def journal(self, directory: Path, shots: Sequence[int] | None, methods: Sequence[str] | None) -> Journal:
        """The seeds that a folder has of this experiment, run with these."""
        plan = {
            "experiment": self.name,
            "configuration": self.configuration,
            "shots": sorted(set(shots or self.shots)),
            "methods": [method.name for method in self.choose(methods)],
        }
        return Journal(directory, plan)

    def count(self, seeds: int | None, shots: Sequence[int] | None, methods: Sequence[str] | None) -> int:
        """How many numbers `run` gives for these."""
        return (seeds or self.seeds) * len(set(shots or self.shots)) * len(self.choose(methods))


def run(
    experiment: Experiment,
    *,
    seeds: int | None = None,
    shots: Sequence[int] | None = None,
    methods: Sequence[str] | None = None,
    command: str = "",
    on_number: Callable[[], None] = lambda: None,
    directory: Path | None = None,
) -> Results:
    """Runs an experiment, seed after seed.

    Args:
      experiment: what to run.
      seeds: how many; the seeds are 0, 1, …
      shots: numbers of examples per target class.
      methods: names; the baseline is always among them.
      command: what a person types for the same numbers, for the report.
      on_number: called after each number, for a progress bar.
      directory: where each seed is kept as soon as it is finished, see `Journal`: one that is there is not run again.

    Returns:
      The numbers. After a KeyboardInterrupt, those of the seeds that finished: `results.partial` is then True. If it came
      when the sections were made, `UNFINISHED` is the last of them.

    Raises:
      ValueError: for fewer than 2 seeds, shots outside what the target has, or an unknown method.
    """
    experiment.check(seeds, shots, methods)
    seeds, shots = seeds or experiment.seeds, tuple(sorted(set(shots or experiment.shots)))
    chosen = experiment.choose(methods)
    results = Results(
        experiment=experiment.name,
        title=experiment.title,
        question=experiment.question,
        setting_name=experiment.setting_name,
        settings=shots,
        methods=chosen,
        baseline=experiment.baseline,
        seeds=tuple(range(seeds)),
        configuration=experiment.configuration,
        command=command,
    )
    names = frozenset(method.name for method in chosen)
    journal = experiment.journal(directory, shots, methods) if directory else None
    kept = journal.seeds if journal else {}
    with suppress(KeyboardInterrupt):  # results.partial says so
        for seed in results.seeds:
            began = time.perf_counter()
            record = kept.get(seed)
            for item in from_record(record) if record else experiment.run_seed(seed, shots, names):
                if isinstance(item, Detail):
                    results.add_detail(seed, item.name, item.value)
                else:
                    results.add(seed, *item)
                    on_number()
            if seed not in results.finished:
                raise RuntimeError(f"{experiment.name} gave no number for some of {sorted(names)} under seed {seed}.")
            seconds = record["seconds"] if record else time.perf_counter() - began
            results.wall_time += seconds
            if journal and not record:
                journal.write(seed, to_record(results, seed, seconds))
    if results.finished:
        try:
            results.answer = experiment.answer(results)
            for section in experiment.sections(results, directory):
                results.sections += (section,)
        except KeyboardInterrupt:
            results.sections += (UNFINISHED,)
    return results


def to_record(results: Results, seed: int, seconds: float) -> dict[str, Any]:
    """What a seed has brought, as `Journal` keeps it."""
    return {
        "seconds": seconds,
        "numbers": [[record.setting, record.method, record.accuracy] for record in results.records if record.seed == seed],
        "details": {name: values[seed] for name, values in results.details.items() if seed in values},
    }


def from_record(record: dict[str, Any]) -> Iterator[Number | Detail]:
    """What `run_seed` gave when the record was made."""
    yield from ((setting, method, accuracy) for setting, method, accuracy in record["numbers"])
    for name, value in record["details"].items():
        yield Detail(name, value)


def generator(seed: int, purpose: int) -> np.random.Generator:
    """Random numbers for one purpose under one seed; other than those that order the batches of that seed."""
    return np.random.default_rng((seed, 1000 + purpose))


def rngs(seed: int, purpose: int) -> nnx.Rngs:
    """Random keys for one purpose under one seed, independent of those for another purpose."""
    return nnx.Rngs(jax.random.fold_in(jax.random.key(seed), purpose))
