"""Every Pallas form becomes a program for its machine, which need not be there: it has such blocks and such operations."""

from functools import partial

import jax
import jax.numpy as jnp
import pytest

from nn.kernels.layer_norm import layer_norm
from nn.kernels.matmul import matmul
from nn.kernels.softmax import softmax

MACHINES = {"mosaic": ("tpu", "tpu", "@tpu_custom_call"), "triton": ("gpu", "cuda", "@__gpu$xla.gpu.triton")}


# From JAX 0.12 on. Its successor for GPUs, Mosaic GPU, needs an H100 or newer.
@pytest.mark.filterwarnings("ignore:The Pallas Triton backend is deprecated:DeprecationWarning")
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16], ids=["float32", "bfloat16"])
@pytest.mark.parametrize("machine", MACHINES)
def test_it_lowers_forward_and_backward_and_under_vmap(case, machine, dtype, lowered):
    target, platform, call = MACHINES[machine]
    arrays = [jax.ShapeDtypeStruct(shape, dtype) for shape in next(iter(case.shapes.values()))]

    def both(*arrays):
        y, back = jax.vjp(partial(case.kernel, implementation="pallas"), *arrays)
        return y, back(y)

    kernels = lowered(both, target, platform, *arrays).count(call)
    assert kernels > 1, "the gradients have kernels of their own"
    if dtype == jnp.float32:
        two = [jax.ShapeDtypeStruct((2, *array.shape), dtype) for array in arrays]
        assert lowered(jax.vmap(both), target, platform, *two).count(call) == kernels


@pytest.mark.parametrize(("target", "platform"), [("tpu", "tpu"), ("gpu", "cuda")])
def test_left_to_themselves_the_kernels_that_xla_fuses_well_are_xlas(target, platform, lowered):
    x, vector = jnp.ones((16, 128)), jnp.ones(128)
    program = lowered(lambda: (softmax(x), layer_norm(x, vector, vector), matmul(x, x.T)), target, platform)
    assert not any(call in program for _, _, call in MACHINES.values())
