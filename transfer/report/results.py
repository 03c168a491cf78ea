"""What an experiment hands to its report: methods, settings, seeds, and one accuracy for each combination.

Why checks live here: a number that is missing, doubled or not a number is refused where it enters, with its seed and
its method, long before a mean could hide it.
"""

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

Setting = int | float | str


@dataclass(frozen=True, kw_only=True)
class Method:
    """An arm of an experiment.

    Args:
      name: short, as tables and figures show it.
      description: one line on what it does.
      kind: "control" for an arm that is there to be compared with, and is drawn in grey.
      reference: the method that this one is compared with; None for the experiment's baseline.
    """

    name: str
    description: str = ""
    kind: Literal["method", "control"] = "method"
    reference: str | None = None

    def __post_init__(self):
        if not self.name.strip():
            raise ValueError(f"Method expects a name, got {self.name!r}.")
        if self.kind not in ("method", "control"):
            raise ValueError(f"Method expects kind 'method' or 'control', got {self.kind!r} for {self.name!r}.")


@dataclass(frozen=True)
class Result:
    """One accuracy, in [0, 1], of one method in one setting under one seed."""

    seed: int
    setting: Setting
    method: str
    accuracy: float

    def __post_init__(self):
        # A scalar of NumPy or JAX would not survive the way to JSON and back.
        object.__setattr__(self, "seed", int(self.seed))
        object.__setattr__(self, "setting", _plain(self.setting))
        object.__setattr__(self, "accuracy", float(self.accuracy))
        if not 0 <= self.accuracy <= 1:  # also refuses NaN
            raise ValueError(
                f"Result expects an accuracy between 0 and 1, got {self.accuracy} "
                f"from {self.method!r} at seed {self.seed}, setting {self.setting!r}."
            )


@dataclass(frozen=True)
class Section:
    """A part of a report below its table: a title, and lines that are shown as they are."""

    title: str
    text: str


@dataclass(kw_only=True)
class Results:
    """An experiment's question, its plan, and the numbers that have come in so far.

    Args:
      experiment: its name on the command line.
      title: a heading of a few words.
      question: what the numbers are to answer, as a sentence.
      setting_name: what the settings count, in the plural ("examples per class"). A setting that is a word instead of
        a number must read well after "With": "half of the labels shifted".
      settings: in the order shown. Every method runs in every one.
      methods: in the order shown.
      baseline: the method that the others are compared with, unless they name another reference.
      seeds: the seeds asked for; those in `finished` are those that count.
      configuration: whatever fixes the run, as JSON values.
      command: what to type to get these numbers again.
      wall_time: seconds that the run took.
      records: numbers already there; `add` brings more, and is the only way in.
      details: what else a seed has brought: name → seed → a JSON value.
      answer: what the numbers say, in a few lines that a report begins with.
      sections: what else belongs into the report.

    Raises:
      ValueError: for names that do not fit together, and for a record that is not in the plan or comes twice.
    """

    experiment: str
    title: str
    question: str
    setting_name: str
    settings: tuple[Setting, ...]
    methods: tuple[Method, ...]
    seeds: tuple[int, ...]
    baseline: str = "scratch"
    configuration: dict[str, Any] = field(default_factory=dict)
    command: str = ""
    wall_time: float = 0.0
    records: list[Result] = field(default_factory=list)
    details: dict[str, dict[int, Any]] = field(default_factory=dict)
    answer: str = ""
    sections: tuple[Section, ...] = ()

    def __post_init__(self):
        self.settings, self.methods = tuple(_plain(setting) for setting in self.settings), tuple(self.methods)
        self.seeds = tuple(int(seed) for seed in self.seeds)
        names = [method.name for method in self.methods]
        for what, items in (("settings", self.settings), ("methods", names), ("seeds", self.seeds)):
            if not items or len(set(items)) < len(items):
                raise ValueError(f"Results expects at least one of its {what}, each once, got {list(items)}.")
        if self.baseline not in names:
            raise ValueError(f"Results expects the baseline {self.baseline!r} among its methods, got {names}.")
        for method in self.methods:
            if method.reference is not None and (method.reference not in names or method.reference == method.name):
                raise ValueError(
                    f"Results expects the reference of {method.name!r} to be another of its methods, {names}, "
                    f"got {method.reference!r}."
                )
            if method.reference is not None and method.name == self.baseline:
                raise ValueError(f"Results expects no reference for the baseline, got {method.reference!r}.")
        try:  # Through JSON once, so that what is written and read again is equal: tuples become lists.
            self.configuration = json.loads(json.dumps(self.configuration, allow_nan=False))
        except (TypeError, ValueError) as error:
            raise ValueError(f"Results expects a configuration of JSON values, got one that is not: {error}.") from None
        records, self.records = list(self.records), []
        self._cells: dict[tuple[str, Setting], dict[int, float]] = {
            (name, setting): {} for name in names for setting in self.settings
        }
        for record in records:
            self._take(record)

    def add(self, seed: int, setting: Setting, method: str, accuracy: float) -> None:
        """Record one accuracy, in [0, 1]."""
        self._take(Result(seed, setting, method, accuracy))

    def add_detail(self, seed: int, name: str, value: Any) -> None:
        """Record a JSON value that is no accuracy."""
        self.details.setdefault(name, {})[int(seed)] = value

    @property
    def finished(self) -> tuple[int, ...]:
        """The seeds that have a number from every method in every setting, in the order asked for."""
        return tuple(seed for seed in self.seeds if all(seed in cell for cell in self._cells.values()))

    @property
    def partial(self) -> bool:
        """Whether fewer seeds finished than were asked for."""
        return len(self.finished) < len(self.seeds)

    def accuracies(self, method: str, setting: Setting) -> dict[int, float]:
        """Accuracy by seed, of the finished seeds alone, so that any two methods pair up."""
        return {seed: self._cells[method, setting][seed] for seed in sorted(self.finished)}

    def reference_of(self, method: Method) -> str | None:
        """The name of the method that this one is compared with; None for the baseline."""
        return None if method.name == self.baseline else method.reference or self.baseline

    def _take(self, record: Result) -> None:
        _expect_one_of("method", record.method, (method.name for method in self.methods))
        _expect_one_of("setting", record.setting, self.settings)
        _expect_one_of("seed", record.seed, self.seeds)
        cell = self._cells[record.method, record.setting]
        if record.seed in cell:
            raise ValueError(
                f"Results expects one accuracy each, got a second from {record.method!r} "
                f"at seed {record.seed}, setting {record.setting!r}."
            )
        cell[record.seed] = record.accuracy
        self.records.append(record)


def _expect_one_of(what: str, item: object, choices: Iterable[object]) -> None:
    if item not in (choices := list(choices)):
        raise ValueError(f"Results expects a {what} from {choices}, got {item!r}.")


def _plain(setting: Any) -> Setting:
    """The setting as Python has it: a NumPy integer would not be written to JSON."""
    if isinstance(setting, np.generic):
        setting = setting.item()
    if not isinstance(setting, int | float | str) or (isinstance(setting, float) and not math.isfinite(setting)):
        raise ValueError(f"A setting is expected to be a finite number or a word, got {setting!r}.")
    return setting


def is_number(setting: Setting) -> bool:
    """Whether a setting can stand on a numeric axis."""
    return not isinstance(setting, str)
