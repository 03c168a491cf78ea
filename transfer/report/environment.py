"""Where and with what a run was made: versions, commit, device.

Why recorded at all: a number that cannot be made again is an anecdote, and the version is the first thing to differ.
"""

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

import jax

DISTRIBUTIONS = ("jax", "jaxlib", "flax", "optax", "numpy", "first-principles-jax")


def environment() -> dict[str, Any]:
    """Versions, git commit, operating system and device, as JSON values; what is not known is None."""
    device = jax.devices()[0]
    return {
        "versions": {"python": platform.python_version()} | {name: _version(name) for name in DISTRIBUTIONS},
        "git": _commit(Path(__file__).resolve()),
        "system": f"{platform.system()} {platform.machine()}",
        "device": {"platform": device.platform, "kind": device.device_kind, "count": jax.device_count()},
    }


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _commit(file: Path) -> dict[str, Any] | None:
    """The commit that holds this file and whether tracked files were changed since; None outside a checkout."""

    def git(*arguments: str) -> str:
        # Without optional locks, so that asking never disturbs a commit under way in the same checkout.
        return subprocess.run(
            ["git", *arguments],
            cwd=file.parent,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        ).stdout.strip()

    try:
        # Installed into a virtual environment inside someone else's checkout, the file is not tracked there.
        git("ls-files", "--error-unmatch", file.name)
        changed = git("status", "--porcelain", "--untracked-files=no")
        return {"commit": git("rev-parse", "HEAD"), "dirty": bool(changed)}
    except (OSError, subprocess.SubprocessError):
        return None
