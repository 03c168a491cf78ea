"""`python -m transfer --devices N`: the table of one device, and what is refused."""

import os
import re
import subprocess
import sys
from pathlib import Path

import jax
import pytest

from nn.training import device_mesh, on_mesh
from transfer.__main__ import main
from transfer.experiments import EXPERIMENTS

ROOT = Path(__file__).parents[2]

# The experiment as it is, but shorter: what two devices round differently has no time to grow into another answer.
PROGRAM = """
import sys
import jax
from transfer.__main__ import main
from transfer.experiments import few_labels

few_labels.CONFIGURATION["steps"] = few_labels.CONFIGURATION["pretraining_steps"] = 10
status = main(sys.argv[1:])
print("Devices:", jax.device_count())
sys.exit(status)
"""


@pytest.mark.slow
def test_two_devices_print_the_table_of_one_and_keep_their_seeds_apart(tmp_path):
    words = ["--experiment", "few_labels", "--methods", "fine-tune", "raw pixels", "--shots", "5", "--seeds", "2"]

    def printed(*more):
        child = subprocess.run(
            [sys.executable, "-c", PROGRAM, *words, "--out", str(tmp_path), *more],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "120"},
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert child.returncode == 0, child.stderr
        *lines, devices = child.stdout.splitlines()
        return [line for line in lines if re.search(r"\d ± \d|[▲▼·] ", line)], devices

    one, devices_of_one = printed()
    two, devices_of_two = printed("--devices", "2")
    assert two == one and len(one) >= 3
    assert (devices_of_one, devices_of_two) == ("Devices: 1", "Devices: 2")
    assert len(list((tmp_path / "few_labels").glob("seeds-*.json"))) == 2


def test_seeds_of_a_mesh_are_not_those_of_one_device(tmp_path, monkeypatch):
    experiment = EXPERIMENTS["few_labels"]
    alone = experiment.journal(tmp_path, None, None).path
    with on_mesh(device_mesh(1)):
        assert experiment.journal(tmp_path, None, None).path == alone
    monkeypatch.setattr("transfer.experiments.journal.current_mesh", lambda: type("Mesh", (), {"size": 2}))
    assert experiment.journal(tmp_path, None, None).path != alone


@pytest.mark.parametrize("count", [0, 1 + 4096])
def test_devices_that_are_not_there_are_refused_in_a_line(count, capsys):
    there = jax.device_count()  # JAX is in use from here on: the command cannot make more of its one processor
    try:
        status = main(["--devices", str(count)])
    except SystemExit as exit_of_argparse:
        status = exit_of_argparse.code
    out, err = capsys.readouterr()
    assert (status, out, len(err.splitlines())) == (2, "", 1)
    assert "--devices expects at least 1, got 0" in err or f"from 1 to {there} devices" in err
