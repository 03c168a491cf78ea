"""What several tests of networks need: slopes measured by finite differences, and compilers for machines that are not here."""

import importlib.util
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
import pytest
from jax.experimental import topologies
from jax.sharding import AbstractMesh, AxisType, Mesh

from nn.kernels.choice import compiling_for


@pytest.fixture
def measured_gradient():
    """The gradient of a scalar function of a float64 array, by central differences: the judge of every `jax.grad`."""

    def gradient(function, x, step=1e-5):
        x = np.asarray(x, np.float64)
        slopes = np.empty_like(x)
        for i in np.ndindex(x.shape):
            bump = np.zeros_like(x)
            bump[i] = step
            slopes[i] = (function(x + bump) - function(x - bump)) / (2 * step)
        return slopes

    return gradient


# What XLA has to know of an H100 (SXM, 80 GB): its limits as in NVIDIA's "CUDA C++ Programming Guide", table of compute
# capability 9.0, and its sizes as in NVIDIA's data sheet.
H100 = """
gpu_device_info {
  cuda_compute_capability { major: 9 }
  core_count: 132  fpus_per_core: 128  clock_rate_ghz: 1.98
  threads_per_warp: 32  threads_per_block_limit: 1024  threads_per_core_limit: 2048
  block_dim_limit_x: 2147483647  block_dim_limit_y: 65535  block_dim_limit_z: 65535
  registers_per_block_limit: 65536  registers_per_core_limit: 65536
  shared_memory_per_block: 49152  shared_memory_per_block_optin: 232448  shared_memory_per_core: 233472
  l2_cache_size: 52428800  device_memory_size: 85899345920  memory_bandwidth: 3352320000000
}
platform_name: "CUDA"
dnn_version_info { major: 9 minor: 8 }
device_description_str: "NVIDIA H100 80GB HBM3"
"""


@dataclass(frozen=True)
class Machine:
    """An accelerator that programs are compiled for, though it is not here.

    Attributes:
      target: "tpu" or "gpu".
      devices: its chips.
    """

    target: str
    devices: tuple[Any, ...]

    def mesh(self, count: int = 1) -> Mesh:
        """The first chips, in the form that `nn.training.device_mesh` gives those that are there."""
        chips = np.array(self.devices[:count]).reshape(count, 1)
        return Mesh(chips, ("data", "model"), axis_types=(AxisType.Auto, AxisType.Auto))

    def compile(self, function: Callable[..., Any], *trees: Any) -> Any:
        """Compiles a jitted function, or raises as the compiler does. `trees` are of arrays, or of shapes with a sharding."""
        mesh = next(leaf.sharding.mesh for leaf in jax.tree.leaves(trees))
        chip = {"device_kind": self.devices[0].device_kind, "num_cores": getattr(self.devices[0], "core_count", 1)}
        if "platform" in jax.sharding.AbstractDevice.__dataclass_fields__:  # newer versions of JAX ask for it
            chip["platform"] = {"tpu": "tpu", "gpu": "cuda"}[self.target]
        facts = jax.sharding.AbstractDevice(**chip)
        like = AbstractMesh(mesh.axis_sizes, mesh.axis_names, axis_types=mesh.axis_types, abstract_device=facts)
        jax.clear_caches()  # of forms that were chosen for another machine
        with compiling_for(self.target), jax.sharding.use_abstract_mesh(like):
            return function.lower(*trees).compile()


@pytest.fixture(params=["v5e", "v6e", "sm_90"])
def machine(request):
    """Two TPUs of four chips, and a GPU. `make compile-check` installs their compilers into an environment of its own."""
    tpu, gpu = (importlib.util.find_spec(name) is not None for name in ("libtpu", "jax_cuda12_plugin"))
    if not (tpu and gpu and jax.config.jax_platforms == "cpu"):  # left to itself, JAX looks for a TPU
        pytest.skip("no compilers for TPU and GPU here; `make compile-check` brings them")
    if request.param == "sm_90":
        return Machine("gpu", _chips(platform="cuda", topology="1x1x1", target_config=H100))
    # libtpu would ask the cloud which machine it is on, and keep others from compiling beside it.
    os.environ["ALLOW_MULTIPLE_LIBTPU_LOAD"] = "1"
    os.environ.update(TPU_SKIP_MDS_QUERY="1", TPU_ACCELERATOR_TYPE="v5litepod-4", TPU_WORKER_HOSTNAMES="localhost")
    os.environ["TPU_WORKER_ID"] = "0"
    return Machine("tpu", _chips(platform="tpu", topology_name=f"{request.param}:2x2"))


def _chips(**description: Any) -> tuple[Any, ...]:
    return tuple(topologies.get_topology_desc(**description).devices)
