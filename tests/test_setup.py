"""The two commands of the README on machines of many kinds: no fit Python, an interrupted set-up, an odd folder name.

A real set-up takes minutes and a network, so these tests run the Makefile with a stand-in for Python, a shell script
that writes down how it is called; `.ci/run` does the real one.
"""

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
TARGETS = set(
    "help setup demo test test-slow compile-check device-check benchmark lint lab lessons notebooks clean".split()  # noqa: SIM905
)

# It answers as a Python of version $VERSION would, has ensurepip unless $NO_ENSUREPIP, and reaches the registry unless
# $OFFLINE. Asked for a virtual environment, it puts itself there.
STAND_IN = """#!/bin/sh
case "$*" in
  --version) echo "Python $VERSION"; exit;;
  *'import sys, ensurepip;'*) [ -z "$NO_ENSUREPIP" ] || exit 1;;
esac
case "$*" in
  *sys.version_info*) case $VERSION in 3.9*) exit 1;; *) exit 0;; esac;;
esac
echo "${PYTHONPATH-}${PYTHONHOME-}${VIRTUAL_ENV-}$*" >> calls
case "$*" in
  '-m venv .venv') mkdir -p .venv/bin && cp "$0" .venv/bin/python;;
  *'pip install'*) [ -z "$OFFLINE" ];;
esac
"""
VENV = "-m venv .venv"
INSTALL = "-m pip install --quiet --disable-pip-version-check --no-user --use-pep517 -e .[test]"
DEMO = "-m transfer"
TEST = "-m pytest -m not slow and not compile_check -n auto --maxprocesses 4"


class Clone:
    """A folder that holds the Makefile and a stand-in Python, and a shell that runs make there."""

    def __init__(self, folder: Path):
        self.folder = folder
        folder.mkdir()
        for name in ("Makefile", "pyproject.toml"):
            shutil.copy(ROOT / name, folder / name)
        self.add_program("a python", STAND_IN)

    def make(self, *arguments: str, python: str = "./a python", version: str = "3.13.0", **environment: str):
        """Run make and return its completed process; environment variables are added to a bare one."""
        bare = {"PATH": os.environ["PATH"], "HOME": "", "VERSION": version, "PYTHON": python}
        return subprocess.run(
            ["make", *arguments], cwd=self.folder, env=bare | environment, capture_output=True, text=True, check=False
        )

    def add_program(self, name: str, script: str) -> str:
        """Write a shell script into the folder and return a PATH on which it comes first."""
        program = self.folder / name
        program.write_text(script)
        program.chmod(0o755)
        return f"{self.folder}:{os.environ['PATH']}"

    def calls(self) -> list[str]:
        """How the stand-in was called, since the last time this was asked."""
        log = self.folder / "calls"
        lines = log.read_text().splitlines() if log.exists() else []
        log.unlink(missing_ok=True)
        return lines


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    if shutil.which("make") is None:
        pytest.skip("make is not on this machine")
    return Clone(tmp_path / "a clöne (of $mine) & more")


def test_every_target_is_declared_and_documented():
    makefile = (ROOT / "Makefile").read_text()
    phony = re.search(r"^\.PHONY: (help .*)$", makefile, re.MULTILINE)
    assert phony
    assert set(phony[1].split()) == TARGETS
    assert set(re.findall(r"^([a-z-]+):.*## \S", makefile, re.MULTILINE)) == TARGETS


def test_make_alone_lists_the_targets_and_what_can_be_set(clone):
    lines = clone.make().stdout.splitlines()
    listed = {words[1] for words in map(str.split, lines) if words[0] == "make"}
    assert listed == TARGETS and max(map(len, lines)) <= 80
    for line in lines:  # at least two spaces between the columns
        assert re.match(r"  (make [a-z-]+|PYTHON=…|ARGS=\"…\")  +\S", line)
    assert "make PYTHON=" in lines[-2] and "make test ARGS=" in lines[-1]
    assert not clone.calls()


def test_pre_commit_runs_what_make_lint_runs():
    lint = re.search(r"^lint:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert lint
    in_make = re.findall(r"\$\(python\) -m ([a-z -]+[a-z])", lint[1])
    in_hooks = re.findall(r"entry: .*\.venv/bin/python -m (.+)", (ROOT / ".pre-commit-config.yaml").read_text())
    assert [hook.removesuffix(" --force-exclude") for hook in in_hooks] == in_make


def test_the_colab_leg_is_within_what_pyproject_promises():
    leg = re.search(r"^colab=\((.*)\)$", (ROOT / ".ci/run").read_text(), re.MULTILINE)
    assert leg
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    promised = {item.name: item.specifier for item in map(Requirement, project["dependencies"])}
    for name, version in (pin.split("==") for pin in leg[1].split()):
        assert version in promised[name]


@pytest.mark.slow
def test_make_alone_lists_the_targets(clone: Clone):
    listed = clone.make()
    assert listed.returncode == 0
    assert set(re.findall(r"^  make ([a-z-]+) +\S", listed.stdout, re.MULTILINE)) == TARGETS


@pytest.mark.slow
@pytest.mark.parametrize(
    "machine",
    [{"version": "3.9.18"}, {"NO_ENSUREPIP": "1"}, {"python": "python-that-is-not-there"}],
    ids=["old Python", "no venv module", "no Python"],
)
def test_a_machine_without_a_fit_python_is_told_in_a_sentence_what_to_install(clone: Clone, machine: dict[str, str]):
    path = clone.add_program("uv", "#!/bin/sh\necho no interpreter found >&2; exit 2\n")
    refused = clone.make("demo", PATH=path, **machine)
    assert refused.returncode != 0
    sentence, verdict = refused.stderr.splitlines()  # the second is make's own "Error 1"
    assert re.fullmatch(r"Python 3\.11 or newer with its venv module is needed, and .*install it .*\.", sentence)
    assert "sudo apt install python3 python3-venv" in sentence
    assert machine.get("python", "./a python") in sentence
    assert verdict.startswith("make: ***")
    assert refused.stdout == ""
    assert clone.calls() == []


@pytest.mark.slow
def test_uv_brings_a_python_where_there_is_none(clone: Clone):
    uv = '#!/bin/sh\necho "uv $*" >> calls; mkdir -p .venv/bin && cp "a python" .venv/bin/python\n'
    assert clone.make("demo", python="nowhere", PATH=clone.add_program("uv", uv)).returncode == 0
    assert clone.calls() == ["uv venv --quiet --seed --python >=3.11 .venv", INSTALL, DEMO]


@pytest.mark.slow
@pytest.mark.parametrize(("first", "second"), [("demo", "test"), ("test", "demo")])
def test_either_command_comes_first_and_only_the_first_installs(clone: Clone, first: str, second: str):
    runs = {"demo": DEMO, "test": TEST}
    assert clone.make(first).returncode == 0
    assert clone.calls() == [VENV, INSTALL, runs[first]]
    for target in (first, second, second):
        assert clone.make(target).returncode == 0
        assert clone.calls() == [runs[target]]


@pytest.mark.slow
def test_an_interrupted_installation_is_taken_up_again(clone: Clone):
    stopped = clone.make("demo", OFFLINE="1")
    assert stopped.returncode != 0
    assert "the same command takes it up again" in stopped.stderr
    assert clone.calls() == [VENV, INSTALL]
    assert clone.make("demo").returncode == 0
    assert clone.calls() == [INSTALL, DEMO]


@pytest.mark.slow
def test_a_venv_whose_python_is_gone_is_made_anew(clone: Clone):
    clone.make("setup")
    clone.calls()
    (clone.folder / ".venv/bin/python").unlink()
    (clone.folder / ".venv/bin/python").symlink_to("/nowhere/python3")
    assert clone.make("demo").returncode == 0
    assert clone.calls() == [VENV, INSTALL, DEMO]


@pytest.mark.slow
def test_a_folder_that_moved_or_changed_its_dependencies_installs_again(clone: Clone):
    clone.make("setup")
    clone.calls()
    clone.folder = clone.folder.rename(clone.folder.with_name("elsewhere"))
    assert clone.make("demo").returncode == 0
    assert clone.calls() == [INSTALL, DEMO]
    stamp = (clone.folder / ".venv/installed").stat().st_mtime
    os.utime(clone.folder / "pyproject.toml", (stamp + 5, stamp + 5))
    clone.make("setup")
    assert clone.calls() == [INSTALL]


@pytest.mark.slow
def test_the_shell_around_does_not_reach_the_environment(clone: Clone):
    stray = {"VIRTUAL_ENV": "/nowhere", "PYTHONPATH": "/nowhere", "PYTHONHOME": "/nowhere"}
    for expected in ([VENV, INSTALL, DEMO], [DEMO]):
        assert clone.make("demo", **stray).returncode == 0
        assert clone.calls() == expected
