"""The first cell of every lesson, and what it does on Colab and Kaggle: fetch the course, add only what is missing.

A classroom image carries a jax, jaxlib, flax and libtpu that fit each other and its chip. An install that touches one
of them makes JAX fall back to the CPU without a word, so those four are never installed here, and pip never follows
dependencies by itself.
"""

import importlib
import os
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement  # comes with matplotlib

ROOT = Path(__file__).resolve().parent.parent

_CELL = """\
# On Colab or Kaggle: fetch the course, install only what is missing, check the accelerator. Anywhere else: nothing.
import os
import subprocess
import sys
from pathlib import Path

address, clone = "{address}", Path("{name}").resolve()
hosted = "google.colab" in sys.modules or not {{"COLAB_RELEASE_TAG", "KAGGLE_KERNEL_RUN_TYPE"}}.isdisjoint(os.environ)
around = Path(globals().get("__file__", "notebook")).resolve().parents
root = next((folder for folder in [*around, clone] if (folder / "lessons" / "bootstrap.py").exists()), None)
if root is None:
    assert hosted and address, f"Open this notebook inside its course: {{address or 'not published yet'}}."
    subprocess.run(["git", "clone", "--depth", "1", address, str(root := clone)], check=True)
sys.path.insert(0, str(root))

from lessons import bootstrap

if hosted:
    bootstrap.prepare()
"""


def project(root: Path = ROOT) -> dict:
    """The `[project]` table of pyproject.toml in `root`."""
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def address(root: Path = ROOT) -> str:
    """Where the course is fetched from, `Source` under `[project.urls]`; empty while none is published."""
    return project(root).get("urls", {}).get("Source", "")


def cell(root: Path = ROOT) -> str:
    """The text of every lesson's first code cell, with the address that pyproject.toml in `root` names."""
    return _CELL.format(address=address(root), name=project(root)["name"]).rstrip()


def is_protected(name: str) -> bool:
    """Whether a distribution belongs to the image's own JAX stack: jax and its plugins, jaxlib, flax, libtpu."""
    name = name.lower().replace("_", "-")
    return name in {"jax", "jaxlib", "flax"} or name.startswith(("jax-cuda", "jax-rocm", "libtpu"))


def _needed(requirements: Iterable[str]) -> list[Requirement]:
    """The requirements that hold on this machine, without optional extras."""
    parsed = map(Requirement, requirements)
    return [r for r in parsed if r.marker is None or r.marker.evaluate({"extra": ""})]


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def install_missing(requirements: Iterable[str], run: Callable[[Sequence[str]], object] | None = None) -> list[str]:
    """Install what is absent among `requirements`, then among what the newcomers require, and so on.

    Distributions are looked up by their own names, not by what they import: what a newcomer requires is known only so.
    A distribution that is present stays as it is, however old, since the kernel may already have imported it.

    Args:
      requirements: as in pyproject.toml, such as "optax>=0.2.8".
      run: carries out a command; by default `subprocess.run(..., check=True)`.

    Returns:
      The requirements that were handed to pip, in order.
    """
    run = run or (lambda command: subprocess.run(command, check=True))
    asked: list[str] = []
    wanted = _needed(requirements)
    while missing := {
        r.name: f"{r.name}{r.specifier}" for r in wanted if not is_protected(r.name) and _version(r.name) is None
    }:
        print("Installing", ", ".join(missing.values()), flush=True)
        run([sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", *missing.values()])
        importlib.invalidate_caches()
        asked += missing.values()
        wanted = [r for name in missing if _version(name) for r in _needed(metadata.requires(name) or [])]
    return asked


def expected_accelerator(environment: dict[str, str], devices: Path = Path("/dev")) -> str | None:
    """The accelerator that the machine says it has: "TPU", "GPU" or None.

    Device files count for GPUs, not NVIDIA_VISIBLE_DEVICES: images without a GPU set that too.
    """
    if {"COLAB_TPU_ADDR", "TPU_NAME", "TPU_ACCELERATOR_TYPE"} & set(environment) or any(devices.glob("accel[0-9]*")):
        return "TPU"
    return "GPU" if any(devices.glob("nvidia[0-9]*")) else None


def check_accelerator(expected: str | None, platform: str) -> None:
    """Raise a RuntimeError when an accelerator was expected and JAX computes on the CPU."""
    if expected and platform == "cpu":
        raise RuntimeError(
            f"This machine has a {expected}, but JAX sees only the CPU. Restart the session; stop any other notebook "
            "that holds the chip; and install nothing that replaces jax, jaxlib, flax or libtpu."
        )


def prepare(root: Path = ROOT) -> None:
    """Make a hosted notebook ready: install what is missing, say what the machine has, run a first jitted function.

    Raises:
      RuntimeError: an accelerator was expected, and JAX sees only the CPU.
    """
    requirements = project(root)["dependencies"]
    install_missing(requirements)

    import jax
    import jax.numpy as jnp

    expected = expected_accelerator(dict(os.environ))
    if expected:
        # Beside a single chip a CPU can stand for several devices, as in lesson 11, if that is said before JAX starts.
        from nn.training import virtual_cpu_devices

        with suppress(ValueError):  # this cell runs for the second time
            virtual_cpu_devices(8)

    for need in _needed(requirements):
        if (version := _version(need.name)) and not need.specifier.contains(version, prereleases=True):
            print(f"This image has {need.name} {version}; the course was tested with {need.specifier}. Left as it is.")
    versions = ", ".join(f"{name} {_version(name)}" for name in ("jax", "jaxlib", "flax", "optax", "numpy"))
    print(f"Python {sys.version.split()[0]}, {versions}")
    platform = jax.default_backend()
    total = jax.jit(lambda x: (x @ x).sum())(jnp.ones((128, 128)))
    assert float(total) == 128**3, f"a product of ones summed to {total}: this machine computes wrongly"
    print(f"{jax.device_count()} × {jax.devices()[0].device_kind} ({platform}); a first jitted function ran.")
    check_accelerator(expected, platform)
