"""The mesh: what is refused in words, and `on_eight_devices.py`, run where there are eight."""

import os
import subprocess
import sys
from pathlib import Path

import jax
import pytest

from nn.training import current_mesh, device_mesh, on_mesh, virtual_cpu_devices

ROOT = Path(__file__).parents[3]


def test_more_devices_than_there_are_is_refused_with_the_way_to_more():
    there = jax.device_count()
    for count in (0, there + 1):
        with pytest.raises(
            ValueError, match=rf"from 1 to {there} devices.*got {count}\..*virtual_cpu_devices\({max(count, 1)}\)"
        ):
            device_mesh(count)
    with pytest.raises(ValueError, match=rf"expects model to divide the {there} devices, got model={there + 1}"):
        device_mesh(model=there + 1)


def test_virtual_devices_come_before_the_first_use_or_not_at_all(monkeypatch):
    monkeypatch.delenv("PJRT_NPROC", raising=False)
    there = jax.device_count()
    with pytest.raises(ValueError, match=rf"before JAX is first used; JAX has {there} devices"):
        virtual_cpu_devices(there + 1)
    with pytest.raises(ValueError, match="count of at least 1, got 0"):
        virtual_cpu_devices(0)
    assert "PJRT_NPROC" not in os.environ and jax.device_count() == there


def test_a_mesh_holds_within_its_block_and_an_inner_one_before_it():
    outer, inner = device_mesh(1), None
    assert current_mesh() is None
    with on_mesh(outer):
        with on_mesh(inner):
            assert current_mesh() is None
        assert current_mesh() is outer
    assert current_mesh() is None


@pytest.mark.slow
def test_eight_devices_compute_what_one_does():
    page = Path(__file__).with_name("on_eight_devices.py")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(page)]
    child = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert child.returncode == 0, child.stdout + child.stderr
