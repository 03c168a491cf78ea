"""Several processes: what is refused in words, and `one_of_several.py`, run by two processes, one of which may die."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from nn.training import LostProcessError, join_processes
from nn.training.processes import naming_lost_processes

ROOT = Path(__file__).parents[3]
PAGE = Path(__file__).with_name("one_of_several.py")
LIMIT = 180  # seconds for a process that takes a few, on a machine that is busy


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def run(*each):
    """Runs the page once with each list of arguments, all at the same time: exit code, output and errors of each."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"}
    streams = dict(stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT, env=environment)
    children = [subprocess.Popen([sys.executable, str(PAGE), *map(str, arguments)], **streams) for arguments in each]
    try:
        said = [child.communicate(timeout=LIMIT) for child in children]
    finally:
        for child in children:
            child.kill()
    return [(child.returncode, *words) for child, words in zip(children, said, strict=True)]


def two(*more, dying=None):
    """Runs two processes; what one may die of is said to it alone."""
    together = ("--coordinator", f"127.0.0.1:{free_port()}", "--processes", 2, *more)
    return run(*((*together, "--process", i, *(dying[1] if dying and dying[0] == i else ())) for i in range(2)))


def says(child):
    code, output, errors = child
    assert code == 0, errors
    return json.loads(output.splitlines()[-1])


@pytest.fixture(scope="module")
def uninterrupted():
    return [says(child) for child in two()]


@pytest.mark.slow
def test_two_processes_of_one_device_train_as_one_of_two(uninterrupted):
    (alone,) = run(())
    for ours in uninterrupted:
        assert ours == uninterrupted[0]
        for name, expected in says(alone).items():
            np.testing.assert_allclose(ours[name], expected, rtol=1e-5, atol=1e-5, err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize("victim", [0, 1])
def test_where_one_process_dies_the_other_stops_and_both_go_on_from_the_last_checkpoint(victim, uninterrupted, tmp_path):
    more = ("--checkpoints", tmp_path, "--patience", 20)
    children = two(*more, dying=(victim, ("--die-at", 7)))
    assert children[victim][0] == 9
    code, _, errors = children[1 - victim]
    assert code != 0
    # Without process 0, JAX may end the other one before it can speak for itself.
    assert "LostProcessError: Process" in errors or (victim == 0 and "another task died" in errors)
    assert [path.name for path in tmp_path.iterdir()] == ["5"]

    for child in two(*more):
        for name, expected in uninterrupted[0].items():
            np.testing.assert_allclose(says(child)[name], expected, rtol=1e-6, atol=1e-6, err_msg=name)


@pytest.mark.slow
def test_what_breaks_in_one_process_is_said_by_all_alike_and_nobody_waits():
    one, other = (says(child) for child in two("--break"))
    assert one == other
    split, whole, weights = one
    assert split == whole and split.startswith("The loss became nan at step 3. ")
    assert weights.startswith("The update at step 1 left parameters that are not finite")


@pytest.mark.slow
def test_a_process_that_finds_nobody_says_where_it_looked():
    coordinator = f"127.0.0.1:{free_port()}"
    ((code, _, errors),) = run(("--coordinator", coordinator, "--processes", 2, "--process", 1, "--patience", 2))
    assert code == 1
    assert f"LostProcessError: Process 1 of 2 found nobody at {coordinator} within 2 seconds. Start process 0 there," in errors


@pytest.mark.parametrize(
    ("how", "message"),
    [
        (dict(coordinator="10.0.0.1"), r"a coordinator such as '10\.0\.0\.1:1234', host and port, got '10\.0\.0\.1'"),
        (dict(coordinator="host:70000"), "a coordinator such as .*, got 'host:70000'"),
        (dict(process=2), "a process from 0 to 1, got 2 of 2 processes"),
        (dict(process=-1), "a process from 0 to 1, got -1"),
        (dict(patience=0.5), "patience of at least 1 second, got 0.5"),
        ({}, "to be called before JAX is first used, and it is in use already"),
    ],
)
def test_what_cannot_be_joined_is_refused_in_words(how, message):
    jax.devices()
    with pytest.raises(ValueError, match=f"^join_processes expects {message}"):
        join_processes(**dict(coordinator=f"127.0.0.1:{free_port()}", processes=2, process=0) | how)


@pytest.mark.parametrize(
    ("count", "words", "lost"),
    [
        (2, "INTERNAL: Gloo all-reduce failed: Connection closed by peer", True),
        (2, "UNAVAILABLE: Task 1 heartbeat timeout", True),
        (2, "RESOURCE_EXHAUSTED: out of memory", False),
        (1, "INTERNAL: Gloo all-reduce failed: Connection closed by peer", False),
    ],
)
def test_only_what_speaks_of_a_lost_peer_is_called_so(count, words, lost, monkeypatch):
    monkeypatch.setattr(jax, "process_count", lambda: count)
    expected, message = (LostProcessError, "Process 0 of 2 cannot reach") if lost else (jax.errors.JaxRuntimeError, words)
    with pytest.raises(expected, match=message), naming_lost_processes():
        raise jax.errors.JaxRuntimeError(words)
