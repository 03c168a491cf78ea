"""What a run has finished so far, kept in a file: after a kill the same command goes on from there.

A seed is written as soon as it is finished, and never run twice. Its file is named after all that decides its numbers: the
configuration, the data, the versions and the code. A run where one of these differs finds another file, or none.
"""

import hashlib
import json
import platform
from collections.abc import Mapping
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import jax

import nn
import transfer
from nn.training import current_mesh
from transfer.report.document import write_whole

# What the numbers of an experiment are made with: those after numpy make or score the sets that need no download.
DISTRIBUTIONS = ("jax", "jaxlib", "flax", "optax", "numpy", "scikit-learn", "mlxtend", "matplotlib", "pillow", "scipy")


class Journal:
    """The finished seeds of one plan, in a file of a folder.

    Args:
      directory: the folder; it need not be there.
      plan: what decides the numbers of a seed, as JSON values; versions, code and devices are added here.

    Attributes:
      path: the file, which is there once a seed is.
      seeds: what is in it: seed → the record that was written, such as
        {"seconds": …, "numbers": [[setting, method, accuracy], …], "details": {name: value}}.
      others: whether the folder holds seeds of other plans, and none of this one.
    """

    def __init__(self, directory: Path, plan: Mapping[str, Any]):
        self.path = directory / f"seeds-{fingerprint(plan)}.json"
        self.seeds = self.read()
        self.others = not self.seeds and any(directory.glob("seeds-*.json"))

    def read(self) -> dict[int, dict[str, Any]]:
        """The seeds that are in the file now."""
        if not self.path.exists():
            return {}
        return {int(seed): record for seed, record in json.loads(self.path.read_text(encoding="utf-8")).items()}

    def write(self, seed: int, record: dict[str, Any]) -> None:
        """Adds a finished seed, to those that another process may have added meanwhile.

        The file is replaced as a whole: whoever is killed here leaves the one before.
        """
        self.seeds = {**self.read(), **self.seeds, seed: record}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(self.path, (json.dumps(self.seeds, allow_nan=False) + "\n").encode())


def fingerprint(plan: Mapping[str, Any]) -> str:
    """Twelve letters and digits that change if anything does that decides the numbers."""
    versions: dict[str, Any] = {name: metadata.version(name) for name in DISTRIBUTIONS}
    versions |= {"python": platform.python_version(), "device": jax.default_backend()}
    versions |= {"devices": mesh.size if (mesh := current_mesh()) else 1}  # they round differently
    everything = json.dumps([plan, versions, source_code()], sort_keys=True, allow_nan=False)
    return hashlib.sha256(everything.encode()).hexdigest()[:12]


@cache
def source_code() -> str:
    """A checksum of the files of `nn` and `transfer`, as they are now."""
    checksum = hashlib.sha256()
    for package in (nn, transfer):
        root = Path(package.__path__[0])
        for file in sorted(root.rglob("*.py")):
            checksum.update(file.relative_to(root).as_posix().encode() + file.read_bytes())
    return checksum.hexdigest()
