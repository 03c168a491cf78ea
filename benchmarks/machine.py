"""What all libraries ran on and under: the header of every result."""

import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

MALLOC = "glibc.malloc.mmap_threshold=4294967296:glibc.malloc.trim_threshold=17179869184:glibc.malloc.hugetlb=1"
"""Freed memory is kept and used again, in large pages: asked of the system anew in every step, it costs whoever streams."""

DISTRIBUTIONS = ("jax", "jaxlib", "flax", "optax", "keras", "torch", "numpy")


def environment(cores: int) -> dict[str, str]:
    """The environment of every process that is timed, the same for all: this one's, and what is set for the comparison."""
    foreign = ("XLA_", "JAX_", "PJRT_", "OMP_", "MKL_", "KMP_", "OPENBLAS_", "TORCH", "KERAS_")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return inherited | settings(cores)


def settings(cores: int) -> dict[str, str]:
    """What is set. No cache of compiled programs: the first step is timed, too."""
    return {
        "GLIBC_TUNABLES": MALLOC,
        "OMP_NUM_THREADS": str(cores),
        "JAX_PLATFORMS": "cpu",
        "JAX_ENABLE_COMPILATION_CACHE": "false",
        "TORCHINDUCTOR_FORCE_DISABLE_CACHES": "1",
        "KERAS_BACKEND": "jax",
    }


def header() -> dict[str, Any]:
    """Machine, versions and settings, as JSON values."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "caches": _caches(),
        "memory": _total_memory(),
        "system": f"{platform.system()} {platform.machine()}, {' '.join(platform.libc_ver())}",
        "versions": {"python": platform.python_version()} | {name: _version(name) for name in DISTRIBUTIONS},
        "settings": settings(1) | {"OMP_NUM_THREADS": "as many as cores"},
    }


def _processor() -> str:
    facts = _facts("/proc/cpuinfo")
    wide = [flag for flag in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if flag in facts.get("flags", "").split()]
    return f"{facts.get('model name', platform.processor())} ({', '.join(wide) or platform.machine()})"


def _caches() -> dict[str, str]:
    """The sizes of the first core's caches, by level."""
    sizes = {}
    for index in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        level, kind, size = ((index / name).read_text().strip() for name in ("level", "type", "size"))
        if kind != "Instruction":
            sizes[f"L{level}"] = size
    return sizes


def _total_memory() -> str | None:
    total = _facts("/proc/meminfo").get("MemTotal")
    return f"{int(total.split()[0]) / 2**20:.0f} GiB" if total else None


def _facts(path: str) -> dict[str, str]:
    """`name: value` lines of a file of the system; of a name that comes again, the first."""
    facts: dict[str, str] = {}
    if Path(path).exists():
        for line in Path(path).read_text().splitlines():
            name, _, value = line.partition(":")
            facts.setdefault(name.strip(), value.strip())
    return facts


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None
