"""The cache in processes of its own, each with another home: this one's settings are the tests' and stay."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import jax
import pytest

from nn.training import enable_compilation_cache
from nn.training.compilation_cache import remove_oldest

ROOT = Path(__file__).parents[3]

CALLERS = [*sorted((ROOT / "lessons").glob("[0-9][0-9]_*.py")), ROOT / "transfer" / "__main__.py"]

PROGRAM = """
import jax, jax.numpy as jnp
from nn.training import compilation_cache, enable_compilation_cache
hits = []
jax.monitoring.register_event_listener(lambda event, **_: hits.append(event) if event.endswith("/cache_hits") else None)
compilation_cache.LARGEST = {largest}
print(enable_compilation_cache())
for n in range({programs}):
    assert jax.jit(lambda x: jnp.sin(x) * {programs} + n)(1.0) == jnp.sin(1.0) * {programs} + n
print(len(hits) >= {programs})
"""


def in_a_process(*, largest=2**31, programs=2, **variables):
    """What the program prints: the folder of the cache, and whether it took its programs from there."""
    environment = {name: value for name, value in os.environ.items() if "CACHE" not in name and name != "HOME"}
    process = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(largest=largest, programs=programs)],
        cwd=ROOT,
        env={**environment, "PYTHONPATH": str(ROOT), **{name: str(value) for name, value in variables.items()}},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return process.stdout.split()


@pytest.mark.parametrize("path", CALLERS, ids=lambda path: path.stem)
def test_the_command_and_every_lesson_switch_it_on(path):
    calls = [ast.unparse(node.func) for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call)]
    assert sum(call.split(".")[-1] == "enable_compilation_cache" for call in calls) == 1


@pytest.mark.skipif("JAX_COMPILATION_CACHE_DIR" in os.environ, reason="the user's own folder stands")
def test_the_tests_switch_it_on():
    folder = jax.config.jax_compilation_cache_dir
    assert folder == (str(ours) if (ours := enable_compilation_cache()) else None)


@pytest.mark.slow
def test_what_one_process_compiled_the_next_does_not(tmp_path):
    folder = str(tmp_path / ".cache" / "first-principles-jax" / "compiled")
    assert in_a_process(HOME=tmp_path) == [folder, "False"]
    assert in_a_process(HOME=tmp_path) == [folder, "True"]


@pytest.mark.slow
def test_a_home_that_cannot_be_written_costs_nothing_but_time(tmp_path):
    (tmp_path / "home").touch()  # a file: no folder can be made in it, not even by root
    assert in_a_process(HOME=tmp_path / "home") == ["None", "False"]


@pytest.mark.slow
def test_a_cache_beyond_its_bound_is_cut_by_the_next_process(tmp_path):
    """Of twenty programs of some kilobytes each, all stay; the next process removes them before it writes its two."""
    entries = lambda: sum(1 for path in tmp_path.rglob("*-cache"))  # noqa: E731
    in_a_process(HOME=tmp_path, programs=20)
    all_of_them = entries()
    in_a_process(HOME=tmp_path, largest=1, programs=2)
    assert all_of_them >= 20 and 0 < entries() < all_of_them / 2


@pytest.mark.parametrize(("largest", "left"), [(400, "abcd"), (399, "bcd"), (200, "cd"), (199, "d"), (0, "")])
def test_the_files_written_longest_ago_go_first(largest, left, tmp_path):
    for age, name in enumerate("dcba"):
        (tmp_path / name).write_bytes(bytes(100))
        os.utime(tmp_path / name, (1e9, 1e9 - age))
    remove_oldest(tmp_path, largest)
    assert "".join(sorted(path.name for path in tmp_path.iterdir())) == left


def test_the_folder_that_the_user_has_set_stands(monkeypatch, tmp_path):
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path / "theirs"))
    before = dict(jax.config.values)
    assert enable_compilation_cache() == tmp_path / "theirs"
    assert enable_compilation_cache(tmp_path / "ours") == tmp_path / "theirs"
    assert dict(jax.config.values) == before


@pytest.mark.parametrize("variable", ["XDG_CACHE_HOME", "HOME"])
def test_a_folder_that_cannot_be_made_is_none(variable, monkeypatch, tmp_path):
    for name in ("JAX_COMPILATION_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "file").touch()
    monkeypatch.setenv(variable, str(tmp_path / "file"))
    before = dict(jax.config.values)
    assert enable_compilation_cache() is None
    assert dict(jax.config.values) == before
