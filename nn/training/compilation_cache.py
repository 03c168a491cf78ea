"""A compilation cache on disk: what was compiled once need not be compiled again by the next process."""

import os
from pathlib import Path

import jax

LARGEST = 2 * 2**30  # bytes; the entries used longest ago go first


def enable_compilation_cache(directory: str | Path | None = None) -> Path | None:
    """Keeps compiled programs in a folder of the user's cache, at most 2 GiB of them.

    Called by the command-line programs, the lessons and the tests. `JAX_COMPILATION_CACHE_DIR` and JAX's other settings of
    the cache, where the user has made them, stand.

    Args:
      directory: where; by default `first-principles-jax/xla` in $XDG_CACHE_HOME or ~/.cache.

    Returns:
      The folder, or None where it cannot be made: then everything works, and compiles each time.
    """
    if "JAX_COMPILATION_CACHE_DIR" in os.environ:
        return Path(os.environ["JAX_COMPILATION_CACHE_DIR"])
    try:
        cache_home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        folder = Path(directory or cache_home / "first-principles-jax" / "xla")
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):  # a home that cannot be written, or none
        return None
    if not os.access(folder, os.W_OK):
        return None
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_compilation_cache_max_size", LARGEST)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    return folder
