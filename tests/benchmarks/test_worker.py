"""A library in a process of its own: it answers, it is pinned, and what goes wrong there is told here."""

import os
import subprocess
import sys

import numpy as np
import pytest

from benchmarks import run, worker
from benchmarks.catalogue import FLOOR
from benchmarks.process import ROOT, Process, WorkerFailedError

pytestmark = pytest.mark.slow


@pytest.fixture
def weights(tmp_path):
    np.savez(tmp_path / "weights.npz")
    return tmp_path / "weights.npz"


def test_a_worker_answers_what_it_is_asked(weights):
    process = Process(FLOOR, "NumPy", weights=weights, cores=1)
    try:
        assert process.ask("ready")["import"] > 0
        assert process.ask("first")["first train"] > 0
        answer = process.ask("time")
        assert set(answer) == {"train", "infer"} and answer["train"]["wall"] > 0
        if sys.platform == "linux":
            assert len(os.sched_getaffinity(process.process.pid)) == 1
            said = process.ask("memory")
            assert said["peak"] > said["before"] > 0
    finally:
        process.close()


def test_what_went_wrong_there_is_said_here(weights):
    process = Process(FLOOR, "NumPy", weights=weights, cores=1)
    try:
        with pytest.raises(WorkerFailedError, match="has no attribute 'dance'"):
            process.ask("dance")
    finally:
        process.close()


def test_nobody_is_imported_before_a_worker_knows_for_whom_it_works():
    program = "import sys, benchmarks.worker, benchmarks.catalogue; print({'jax', 'torch', 'keras', 'nn'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_who_is_not_installed_is_left_out_by_name(monkeypatch):
    monkeypatch.setattr(worker, "MODULES", {"here": "json", "away": "a_module_that_nobody_has"})
    assert run.installed(["here", "away"]) == (["here"], {"away": "a_module_that_nobody_has is not installed"})


def test_pythons_own_statement_of_memory_is_none_where_there_is_no_proc(monkeypatch, tmp_path):
    monkeypatch.setattr(worker, "Path", lambda _: tmp_path / "nothing")
    assert worker.memory("VmRSS") is None
