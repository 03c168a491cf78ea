"""What is finished is kept: never run twice, never mixed with other settings, and whole whenever a run is killed."""

import dataclasses
import json

import pytest

from transfer.experiments import Experiment, journal, run
from transfer.experiments.experiment import Detail
from transfer.experiments.journal import Journal
from transfer.report import Method, write_report


class Killed(BaseException):
    """As a kill: nothing catches it."""


def counted(stop=None, **changes):
    """An experiment that notes which seeds are run, and is killed in the middle of seed `stop`."""
    ran = []

    def run_seed(seed, shots, methods):
        ran.append(seed)
        for n in shots:
            for name in ("scratch", "fine-tune"):
                if seed == stop and name == "fine-tune":
                    raise Killed
                if name in methods:
                    yield n, name, 0.5 + 0.01 * seed + 0.1 * (name == "fine-tune") * (1 + seed / 7)
        yield Detail("luck", {"of the seed": seed / 3, "none": None})

    plan = {
        "name": "counted",
        "title": "Counted",
        "question": "How often?",
        "methods": (Method(name="scratch"), Method(name="fine-tune")),
        "shots": (1, 5),
        "most_shots": 20,
        "seeds": 4,
        "run_seed": run_seed,
        "configuration": {"steps": 10},
        **changes,
    }
    return Experiment(**plan), ran


def test_a_killed_run_goes_on_where_it_was_and_gives_the_same_numbers(tmp_path):
    whole = run(counted()[0])
    experiment, ran = counted(stop=2)
    with pytest.raises(Killed):
        run(experiment, directory=tmp_path)
    assert ran == [0, 1, 2]
    again, ran = counted()
    calls = []
    results = run(again, directory=tmp_path, on_number=lambda: calls.append(None))
    assert ran == [2, 3] and len(calls) == 16
    assert results.records == whole.records and results.details == whole.details and not results.partial
    third, ran = counted()
    assert run(third, directory=tmp_path).records == whole.records and ran == []


def test_more_seeds_of_the_same_plan_are_added(tmp_path):
    run(counted()[0], directory=tmp_path, seeds=2)
    more, ran = counted()
    assert run(more, directory=tmp_path, seeds=3).finished == (0, 1, 2) and ran == [2]
    fewer, ran = counted()
    assert run(fewer, directory=tmp_path, seeds=2).finished == (0, 1) and ran == []


@pytest.mark.parametrize(
    "change",
    [{"shots": (1,)}, {"methods": ("scratch",)}, {"configuration": {"steps": 11}}, {"name": "other"}, "version", "code"],
    ids=str,
)
def test_what_decides_the_numbers_is_not_mixed(change, tmp_path, monkeypatch):
    first, _ = counted()
    run(first, directory=tmp_path, seeds=2)
    choice = {}
    if change == "version":
        monkeypatch.setattr(journal.metadata, "version", lambda name: "0")
    elif change == "code":
        monkeypatch.setattr(journal, "source_code", lambda: "other")
    elif change.keys() & {"shots", "methods"}:
        choice = change
    else:
        first = dataclasses.replace(first, **change)
    other, ran = counted()
    other = dataclasses.replace(other, name=first.name, configuration=first.configuration)
    kept = other.journal(tmp_path, choice.get("shots"), choice.get("methods"))
    assert kept.others and not kept.seeds
    run(other, directory=tmp_path, seeds=2, **choice)
    assert ran == [0, 1]
    monkeypatch.undo()
    same, ran = counted()
    assert not same.journal(tmp_path, None, None).others
    run(same, directory=tmp_path, seeds=2)
    assert ran == []  # the first run's seeds are still there


def test_an_interrupt_keeps_what_was_finished_and_nothing_else(tmp_path):
    experiment, _ = counted()

    def interrupted(seed, shots, methods):
        for i, item in enumerate(experiment.run_seed(seed, shots, methods)):
            if (seed, i) == (1, 3):
                raise KeyboardInterrupt
            yield item

    results = run(dataclasses.replace(experiment, run_seed=interrupted), directory=tmp_path)
    assert results.partial and results.finished == (0,)
    assert set(experiment.journal(tmp_path, None, None).seeds) == {0}


def test_the_file_is_whole_at_every_moment(tmp_path, monkeypatch):
    kept = Journal(tmp_path / "new", {"steps": 1})
    kept.write(0, {"seconds": 1.0, "numbers": [[1, "scratch", 0.1 + 0.2]], "details": {}})
    before = kept.path.read_text()

    def broken(source, destination):
        raise OSError("disk full")

    monkeypatch.setattr("pathlib.Path.replace", broken)
    with pytest.raises(OSError, match="disk full"):
        kept.write(1, {"seconds": 1.0, "numbers": [], "details": {}})
    assert kept.path.read_text() == before and [path.name for path in kept.path.parent.iterdir()] == [kept.path.name]
    assert Journal(tmp_path / "new", {"steps": 1}).seeds[0]["numbers"] == [[1, "scratch", 0.1 + 0.2]]


def test_details_answers_and_sections_come_into_the_report(tmp_path):
    experiment, _ = counted()
    from transfer.report import Section, read_report

    told = dataclasses.replace(
        experiment,
        answer=lambda results: f"{len(results.finished)} seeds <say> so.",
        sections=lambda results, directory: (Section("Luck", str(results.details["luck"][2]["of the seed"])),),
    )
    results = run(told)
    page = write_report(results, tmp_path).read_text(encoding="utf-8")
    assert "4 seeds &lt;say&gt; so." in page and "<h2>Luck</h2>" in page and str(2 / 3) in page
    assert read_report(tmp_path) == results
    record = json.loads((tmp_path / "report.json").read_text())
    for name in ("answer", "details", "sections"):  # as an earlier version wrote it
        del record[name]
    (tmp_path / "report.json").write_text(json.dumps(record))
    assert read_report(tmp_path).records == results.records and read_report(tmp_path).details == {}
