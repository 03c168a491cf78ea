"""`python -m transfer`: its words, its refusals and its exits, on an experiment of a moment; and a true Ctrl-C."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import rich.progress
from PIL import Image

import transfer.experiments
import transfer.report
from nn.data import DataNotPreparedError
from transfer.__main__ import main
from transfer.experiments import EXPERIMENTS, Experiment, own_data
from transfer.experiments.experiment import UNFINISHED
from transfer.report import Method, Section, read_report

ROOT = Path(__file__).parents[2]


def quick_seed(seed, shots, methods):
    """Both methods carry the seed's luck, and the second is better by 0.1, give or take."""
    rng = np.random.default_rng(seed)
    luck = rng.normal(0, 0.05)
    for n in shots:
        for name, gain in (("scratch", 0.0), ("fine-tune", 0.1 + rng.normal(0, 0.01))):
            if name in methods:
                yield n, name, 0.5 + luck + gain


def quick(name="quick", run_seed=quick_seed):
    return Experiment(
        name=name,
        title="A moment",
        question="Is [this] quick?",  # brackets must not be taken for markup
        methods=(Method(name="scratch", description="nothing"), Method(name="fine-tune", description="[all] of it")),
        shots=(1,),
        most_shots=20,
        seeds=4,
        run_seed=run_seed,
    )


@pytest.fixture
def command(monkeypatch, capsys, tmp_path):
    """Runs the command with one quick experiment; gives its exit status and what it printed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")

    def call(*words, experiments=None):
        known = {e.name: e for e in experiments or [quick()]}
        monkeypatch.setattr(transfer.experiments, "EXPERIMENTS", known)
        capsys.readouterr()
        try:
            status = main([str(word) for word in words])
        except SystemExit as exit_of_argparse:
            status = exit_of_argparse.code
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return call


def test_a_run_prints_its_table_and_writes_its_report(command, tmp_path):
    status, out, err = command("--seeds", 3, "--shots", 1, 5, "--out", tmp_path / "here")
    assert (status, err) == (0, "")
    assert "positive" in out and "fine-tune" in out and "Report: " in out
    results = read_report(tmp_path / "here" / "quick")
    assert results.finished == (0, 1, 2) and not results.partial and results.settings == (1, 5)
    assert results.accuracies("scratch", 1)[2] == pytest.approx(next(quick_seed(2, (1,), {"scratch"}))[2])
    assert {path.suffix for path in (tmp_path / "here" / "quick").iterdir()} == {".json", ".html", ".png"}


def test_the_command_in_the_report_gives_its_numbers_again(command, tmp_path):
    command("--seeds", 3, "--shots", 5, "--methods", "fine-tune", "--out", "first")
    first = read_report(tmp_path / "first" / "quick")
    words = first.command.split()
    assert words[:3] == ["python", "-m", "transfer"] and words[-2:] == ["--out", "first"]
    command(*words[3:-2])
    again = read_report(tmp_path / "reports" / "quick")
    assert again.records == first.records and "--out" not in again.command


def test_without_a_name_every_standard_experiment_runs(command, tmp_path):
    known = [quick("one"), quick("two"), dataclasses.replace(quick("three"), by_default=False)]
    status, out, _ = command("--seeds", 2, experiments=known)
    assert status == 0 and out.count("Report: ") == 2
    assert {path.name for path in (tmp_path / "reports").iterdir()} == {"one", "two"}
    assert command("--seeds", 2, "--experiment", "three", experiments=known)[1].count("Report: ") == 1


def test_the_list_names_experiments_and_methods_and_runs_nothing(command, tmp_path):
    status, out, err = command("--list")
    assert (status, err) == (0, "")
    for words in ("quick", "Is [this] quick?", "scratch", "nothing", "fine-tune", "[all] of it", "4 seeds"):
        assert words in out
    status, out, _ = command("--list", experiments=EXPERIMENTS.values())
    assert "layers copied: 1, 2, 3, 4" in out and "examples per class: " in out
    assert all(method.name in out for experiment in EXPERIMENTS.values() for method in experiment.methods)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("columns", [80, 110])
def test_the_list_and_the_help_are_as_wide_as_the_terminal(columns, command, monkeypatch):
    for words in ("--list", "--help"):
        monkeypatch.setenv("COLUMNS", str(columns))
        status, out, _ = command(words, experiments=EXPERIMENTS.values())
        assert status == 0 and max(map(len, out.splitlines())) <= columns
        assert max(map(len, out.splitlines())) > columns - 40
    known = {method.name for experiment in EXPERIMENTS.values() for method in experiment.methods}
    listed = command("--list", experiments=EXPERIMENTS.values())[1].splitlines()
    assert known <= {line[2:].split("  ")[0] for line in listed if line.startswith("  ")}, "a name is whole, and stands first"


def test_help_names_every_option(command):
    status, out, err = command("--help")
    assert (status, err) == (0, "")
    options = ("--list", "--experiment", "--source", "--target", "--side", "--seeds", "--shots", "--methods", "--out")
    assert all(option in out for option in options) and "examples:" in out


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--experiment", "few_labls"], "quick; got few_labls"),
        (["--experiment"], "--experiment"),
        (["--seeds", "1"], "at least 2"),
        (["--seeds", "-3"], "at least 2"),
        (["--seeds", "many"], "many"),
        (["--shots", "0"], "at least 1, got 0"),
        (["--shots", "1", "-5"], "at least 1, got -5"),
        (["--shots", "21"], "from 1 to 20"),
        (["--shots", "1.5"], "1.5"),
        (["--methods", "finetune"], "'scratch', 'fine-tune'; got 'finetune'"),
        (["--seed", "3"], "--seed"),  # and not three seeds
        (["--outt", "x"], "--outt"),
        (["quick"], "quick"),
        (["--source", "digits"], "--source expects --target beside it"),
        (["--target", "digits"], "--target expects --source"),
        (["--source", "digits", "--target", "digits", "--experiment", "quick"], "Expects one of the two"),
        (["--side", "28"], "--side expects --source and --target"),
        (["--source", "digits", "--target", "digits", "--side", "4"], "--side expects at least 12 pixels, got 4"),
        (["--source", "./nowhere", "--target", "digits"], "--source: ./nowhere is not a folder: /"),
        (["--source", "digits", "--target", "./takne"], "--target: ./takne is not a folder: /"),
        (
            ["--source", "taken", "--target", "digits"],
            "--source: taken has no pictures in folders of classes; expected DIR/CLASS/",
        ),
        (
            ["--source", "digts", "--target", "digits"],
            "has no folder digts. And 'digts' is not a data set: did you mean",
        ),
        (["--out", "file"], "--out expects a folder that can be written, got file"),
        (["--out", "file/under"], "--out expects a folder that can be written"),
        (["--out", "taken"], "--out expects a folder that can be written"),
    ],
    ids=" ".join,
)
def test_bad_input_is_refused_in_one_line_before_anything_runs(words, named, command, tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "quick").touch()  # where the report's folder has to be

    def never(seed, shots, methods):
        raise AssertionError("it ran")
        yield

    status, out, err = command(*words, experiments=[quick(run_seed=never)])
    assert (status, out) == (2, "")
    assert len(err.splitlines()) == 1 and err.endswith("\n") and "Traceback" not in err
    assert named in err


def test_the_same_command_runs_no_seed_twice_and_says_so(command, tmp_path):
    ran = []

    def noted(seed, shots, methods):
        ran.append(seed)
        return quick_seed(seed, shots, methods)

    words = ("--seeds", 3, "--out", "here")
    assert "finished and are not run again" not in command(*words, experiments=[quick(run_seed=noted)])[1]
    first = read_report(tmp_path / "here" / "quick")
    status, out, err = command("--seeds", 4, "--out", "here", experiments=[quick(run_seed=noted)])
    assert (status, err, ran) == (0, "", [0, 1, 2, 3])
    assert "3 of 4 seeds are finished and are not run again (6 of 8 runs); here/quick/" in out and "begins anew" not in out
    assert read_report(tmp_path / "here" / "quick").records[:6] == first.records
    status, out, _ = command(*words, "--shots", 5, experiments=[quick(run_seed=noted)])
    assert "seeds of other settings, data, versions or code: this run begins anew" in out and ran[4:] == [0, 1, 2]


def test_the_bar_of_a_run_that_goes_on_begins_where_it_was(command, monkeypatch):
    shown = []

    class Watched(rich.progress.Progress):
        def add_task(self, description, **options):
            shown.append((options["completed"], options["total"]))
            return super().add_task(description, **options)

        def update(self, task_id, **options):
            shown.append((options["completed"], self.tasks[task_id].total))
            super().update(task_id, **options)

    monkeypatch.setattr(rich.progress, "Progress", Watched)
    monkeypatch.setattr(transfer.report, "write_report", lambda results, directory: directory / "report.html")
    command("--seeds", 2)
    assert shown == [(n, 4) for n in range(5)]
    shown.clear()
    command("--seeds", 3)
    assert shown == [(4, 6)] * 5 + [(5, 6), (6, 6)]


def test_a_report_of_other_settings_is_kept_beside_the_new_one(command, tmp_path):
    def reports():
        return sorted(path.name for path in (tmp_path / "reports" / "quick").glob("report*.json"))

    assert "is now" not in command("--seeds", 3)[1] and reports() == ["report.json"]
    status, out, err = command("--seeds", 3, "--shots", 5)
    aside, newest = reports()
    assert (status, err, newest) == (0, "", "report.json") and aside.startswith("report-2")
    page = Path("reports", "quick", aside).with_suffix(".html")
    assert f"The report of other settings that was there is now {page}." in out and page.exists()
    directory = tmp_path / "reports" / "quick"
    assert read_report(directory / aside).settings == (1,) and read_report(directory).settings == (5,)


def striped(folder, *, colour, each, seed):
    """Three classes of pictures: lines from left to right, from top to bottom, and slanted ones; of two sizes."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:20, :24]
    for name, wave in (("across", y), ("down", x), ("slanted", x + y)):
        (folder / name).mkdir(parents=True)
        for i in range(each):
            light = 0.5 + 0.5 * np.sin(1.2 * wave + rng.uniform(0, 6)) + 0.1 * rng.standard_normal(wave.shape)
            pixels = (255 * np.clip(light[..., None] * np.array(colour), 0, 1)).astype(np.uint8)
            Image.fromarray(pixels[: 20 - i % 3]).save(folder / name / f"{i}.png")


@pytest.mark.slow
def test_folders_of_ones_own_are_compared_and_a_killed_run_goes_on(command, tmp_path, monkeypatch):
    striped(tmp_path / "red", colour=(1, 0.2, 0.2), each=40, seed=0)
    striped(tmp_path / "green", colour=(0.2, 1, 0.3), each=40, seed=1)
    striped(tmp_path / "blue", colour=(0.2, 0.2, 1), each=12, seed=2)
    (tmp_path / "blue" / "down" / "broken.png").write_text("no picture")
    for name, steps in {"pretraining_steps": 60, "steps": 20}.items():
        monkeypatch.setitem(own_data.TRAINING, name, steps)
    words = ["--source", "red", "green", "--target", "blue/", "--shots", 1, 3, "--side", 12, "--out", "out", "--seeds"]

    status, out, err = command(*words, 2)
    assert (status, err) == (0, "") and "Does it help?" in out and "Which source?" in out
    report = tmp_path / "out" / "red_green_to_blue"
    results = read_report(report)
    assert results.settings == (1, 3) and results.finished == (0, 1) and not results.partial
    assert {"fine-tune from red", "linear probe from green", "shuffled labels from red", "random features"} <= {
        method.name for method in results.methods
    }
    said = {section.title: section.text for section in results.sections}
    data, ranked = said["The data"], said["The sources"]
    assert "down/broken.png" in data
    assert "25% of each class" in data and "in colour at 12 × 12" in data
    assert "red" in ranked and "green" in ranked and "Best afterwards" in ranked
    for seed in (0, 1):
        assert {"own test", "LogME", "H-score", "LEEP", "trial"} == results.details["known of red"][seed].keys()
    page = (report / "report.html").read_text(encoding="utf-8")
    assert page.index("Does it help?") < page.index("The numbers") < page.index("The sources")

    run_seed, ran = own_data.OwnData.run_seed, []

    def noted(self, seed, shots, methods):
        ran.append(seed)
        return run_seed(self, seed, shots, methods)

    monkeypatch.setattr(own_data.OwnData, "run_seed", noted)
    status, out, _ = command(*results.command.replace("--seeds 2", "--seeds 3").split()[3:])
    assert status == 0 and ran == [2] and "2 of 3 seeds are finished" in out
    assert read_report(report).records[: len(results.records)] == results.records


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_must_not_be_written_is_refused(command, tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    status, out, err = command("--out", "locked")
    assert (status, out, len(err.splitlines())) == (2, "", 1) and "Permission denied" in err


def test_data_that_cannot_be_had_is_said_in_one_line(command):
    def without_data(seed, shots, methods):
        raise DataNotPreparedError("There is no home directory to keep data in: set NN_DATA_DIR to a folder.")
        yield

    status, _, err = command(experiments=[quick(run_seed=without_data)])
    assert status == 2
    assert err.splitlines() == ["python -m transfer: There is no home directory to keep data in: set NN_DATA_DIR to a folder."]


@pytest.mark.parametrize("finished", [2, 3])
def test_an_interrupt_reports_the_seeds_that_finished(finished, command, tmp_path):
    def interrupted(seed, shots, methods):
        for number in quick_seed(seed, shots, methods):
            if seed == finished and number[1] == "fine-tune":
                raise KeyboardInterrupt
            yield number

    status, out, err = command("--seeds", 5, experiments=[quick(run_seed=interrupted), quick("next")])
    assert status == 130 and "Report: " in out
    assert err == f"Interrupted: {finished} of 5 seeds finished and are in the report.\n"
    results = read_report(tmp_path / "reports" / "quick")
    assert results.partial and results.finished == tuple(range(finished)) and len(results.seeds) == 5
    assert not (tmp_path / "reports" / "next").exists() or not list((tmp_path / "reports" / "next").iterdir())


def test_an_interrupt_before_the_first_seed_has_nothing_to_report(command, tmp_path):
    def interrupted(seed, shots, methods):
        raise KeyboardInterrupt
        yield

    status, _, err = command(experiments=[quick(run_seed=interrupted)])
    assert status == 130 and len(err.splitlines()) == 1 and "nothing to report" in err
    assert not list(tmp_path.rglob("report.*"))


def test_an_interrupt_below_the_table_keeps_the_answer_and_ends_the_command(command, tmp_path):
    def sections(results, directory):
        yield Section("Done", "in time")
        raise KeyboardInterrupt

    long = dataclasses.replace(quick(), answer=lambda results: "Does it help? Yes.", sections=sections)
    status, out, err = command("--seeds", 2, experiments=[long, quick("next")])
    assert status == 130 and "Does it help? Yes." in out and "Report: " in out
    assert err == "Interrupted: the numbers are in the report, some of what belongs below them is not.\n"
    results = read_report(tmp_path / "reports" / "quick")
    assert results.answer == "Does it help? Yes." and not results.partial
    assert results.sections == (Section("Done", "in time"), UNFINISHED)
    assert not list((tmp_path / "reports" / "next").iterdir())


# The experiment as it is, announcing each number; and Ctrl-C as a terminal would send it, even where this test was started
# by a program that ignores it.
PROGRAM = """
import dataclasses, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from transfer.__main__ import main
from transfer.experiments import EXPERIMENTS, few_labels

def announced(seed, shots, methods):
    for number in few_labels.run_seed(seed, shots, methods):
        yield number
        print("number", seed, flush=True)

few_labels.CONFIGURATION["steps"] = 50
EXPERIMENTS["few_labels"] = dataclasses.replace(EXPERIMENTS["few_labels"], run_seed=announced)
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.slow
def test_ctrl_c_in_a_true_run_keeps_the_seeds_that_finished(tmp_path):
    words = ["--experiment", "few_labels", "--methods", "raw pixels", "--shots", "1", "--seeds", "500", "--out", str(tmp_path)]
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *words],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        for line in child.stdout:
            if line == "number 3\n":
                break
        child.send_signal(signal.SIGINT)
        out, err = child.communicate()
    assert child.returncode == 130, err
    results = read_report(tmp_path / "few_labels")
    assert results.partial and 3 <= len(results.finished) < 500
    assert results.finished == tuple(range(len(results.finished)))
    assert err.splitlines() == [f"Interrupted: {len(results.finished)} of 500 seeds finished and are in the report."]
    assert "Report: " in out
    assert json.loads((tmp_path / "few_labels" / "report.json").read_text())["configuration"]["steps"] == 50
