"""The cost of the record and of the bar: all trainings have their turns, and a share is one of the bare training."""

import json

import pytest

from benchmarks.mlp import MLP
from benchmarks.optimizers import Optimizer
from benchmarks.overhead import ALWAYS, BAR, BARE, FORMS, LOG, in_rounds, table
from benchmarks.workload import OURS


def test_each_training_has_its_turn_in_every_round(capsys):
    work = MLP(batch_size=4, widths=(5, 3, 2))
    program = work.program(OURS, Optimizer("adam", work.rate, work.momentum), work.weights())
    told, train = [], program.train

    def watched(steps):
        told.append(dict(program.options))
        return train(steps)

    program.train = watched
    times = in_rounds(program, rounds=3, steps=4)
    assert {form: len(seconds) for form, seconds in times.items()} == dict.fromkeys(FORMS, 3)
    assert all(second > 0 for seconds in times.values() for second in seconds)
    for turns in (told[1:5], told[5:9], told[9:13]):
        assert sorted((options["log_every"], options.get("progress", False)) for options in turns) == [
            (1, False),
            (4, False),
            (50, False),
            (50, True),
        ]


def test_a_share_is_taken_within_its_round():
    """The second round is twice as slow for all, which says nothing of any."""
    times = {BARE: [0.01, 0.02] * 4, LOG: [0.0101, 0.0202] * 4, BAR: [0.011, 0.022] * 4, ALWAYS: [0.01, 0.02] * 4}
    header, _, bare, log, bar, always = table("mlp", times).splitlines()
    assert header == "| mlp, 8 rounds | ms a step | adds |"
    assert bare.endswith("| 15.000 |  |") and log.endswith("| +1.00% (+1.00% to +1.00%) |")
    assert always.endswith("| +0.00% (+0.00% to +0.00%) |")
    assert bar.endswith("| 16.500 | +10.00% (+10.00% to +10.00%) |")


def test_too_few_rounds_have_no_interval():
    assert table("mlp", {BARE: [0.01], LOG: [0.0101], BAR: [0.011]}).splitlines()[3].endswith("| +1.00% |")


@pytest.mark.slow
def test_the_command_prints_its_table_and_keeps_the_times(capfd, tmp_path):
    from benchmarks.overhead import main

    assert main(["--rounds", "1", "--steps", "2", "--output", str(tmp_path)]) == 0
    assert BAR in capfd.readouterr().out
    assert set(json.loads((tmp_path / "overhead.json").read_text())["mlp"]) == set(FORMS)
