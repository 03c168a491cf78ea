"""A compilation cache on disk: what was compiled once need not be compiled again by the next process."""

import contextlib
import os
from pathlib import Path

import jax

LARGEST = 2 * 2**30  # bytes


def enable_compilation_cache(directory: str | Path | None = None) -> Path | None:
    """Keeps compiled programs in a folder of the user's cache, about 2 GiB of them at most.

    Called by the command-line programs, the lessons and the tests. Where the user has set `JAX_COMPILATION_CACHE_DIR`,
    that stands and nothing is changed.

    Args:
      directory: where; by default `first-principles-jax/compiled` in $XDG_CACHE_HOME or ~/.cache.

    Returns:
      The folder, or None where it cannot be made or written: then everything works, and compiles each time.
    """
    if "JAX_COMPILATION_CACHE_DIR" in os.environ:
        return Path(os.environ["JAX_COMPILATION_CACHE_DIR"])
    try:
        cache_home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        folder = Path(directory or cache_home / "first-principles-jax" / "compiled")
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):  # a home that cannot be written, or none
        return None
    if not os.access(folder, os.W_OK):
        return None
    remove_oldest(folder, LARGEST)
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    return folder


def remove_oldest(folder: Path, largest: int) -> None:
    """Removes the files written longest ago until the rest holds at most `largest` bytes.

    Once, at the start: JAX's own bound looks at every file each time it writes one.
    """
    files = []
    for path in folder.iterdir():
        with contextlib.suppress(FileNotFoundError):  # another process is tidying, too
            status = path.stat()
            files.append((status.st_mtime, status.st_size, path))
    total = sum(size for _, size, _ in files)
    for _, size, path in sorted(files):
        if total <= largest:
            break
        path.unlink(missing_ok=True)
        total -= size
