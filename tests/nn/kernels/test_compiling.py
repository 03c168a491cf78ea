"""Every Pallas form compiles for its machines, which need not be there. Lowering does not see what does not fit a memory."""

from functools import partial

import jax
import jax.numpy as jnp
import pytest
from jax.experimental import pallas as pl
from jax.experimental.pallas import tpu as mosaic
from jax.experimental.pallas import triton
from jax.sharding import NamedSharding, PartitionSpec

from nn.kernels.attention import flash_attention
from nn.kernels.layer_norm import layer_norm
from nn.kernels.lstm import lstm
from nn.kernels.matmul import matmul
from nn.kernels.softmax import softmax

pytestmark = [pytest.mark.compile_check, pytest.mark.filterwarnings("ignore:The Pallas Triton backend is deprecated")]

# In sizes as networks have them, and one that no block divides.
KERNELS = {
    "softmax": (softmax, [(500, 1000)]),
    "layer_norm": (layer_norm, [(512, 768), (768,), (768,)]),
    "matmul": (partial(matmul, activation="gelu"), [(500, 1024), (1024, 768), (768,)]),
    "attention": (partial(flash_attention, causal=True), [(2, 1000, 8, 64), (2, 1000, 2, 64), (2, 1000, 2, 64)]),
    "lstm": (lstm, [(5, 200, 100), (200, 300), (200, 300), (100, 1200), (300, 1200), (1200,)]),
}


def on_one(machine, shapes, dtype):
    everywhere = NamedSharding(machine.mesh(), PartitionSpec())
    return [jax.ShapeDtypeStruct(shape, dtype, sharding=everywhere) for shape in shapes]


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16], ids=["float32", "bfloat16"])
@pytest.mark.parametrize("name", KERNELS)
def test_forward_and_backward_compile(name, machine, dtype):
    kernel, shapes = KERNELS[name]

    def both(*arrays):
        y, back = jax.vjp(partial(kernel, implementation="pallas"), *arrays)
        return y, back(y)

    text = machine.compile(jax.jit(both), *on_one(machine, shapes, dtype)).as_text()
    call = {"tpu": 'custom_call_target="tpu_custom_call"', "gpu": 'custom_call_target="__gpu$xla.gpu.triton"'}[machine.target]
    assert text.count(call) > 1, "the kernels are in it, forward and back"


@pytest.mark.parametrize("machine", ["v5e"], indirect=True)
@pytest.mark.parametrize("name", [name for name in KERNELS if name != "lstm"])  # which refuses a mesh by name
def test_on_four_chips_each_computes_its_part_of_the_batch(name, machine):
    kernel, shapes = KERNELS[name]
    split, whole = (NamedSharding(machine.mesh(4), spec) for spec in (PartitionSpec("data"), PartitionSpec()))
    arrays = [
        jax.ShapeDtypeStruct((2 * shape[0], *shape[1:]) if name == "attention" else shape, jnp.float32, sharding=lying)
        for shape, lying in zip(shapes, [split] * 3 if name == "attention" else [split, whole, whole], strict=False)
    ]

    def both(*arrays):
        y, back = jax.vjp(partial(kernel, implementation="pallas"), *arrays)
        return y, back(y)

    text = machine.compile(jax.jit(both), *arrays).as_text()
    assert text.count('custom_call_target="tpu_custom_call"') > 1
    assert "all-gather" not in text and ("all-reduce" in text) == (whole in [array.sharding for array in arrays])


def test_what_does_not_fit_the_memory_next_to_the_arithmetic_is_refused(machine):
    """A planted fault: 256 MiB in a TPU's vector memory; in a GPU's shared memory eight tiles of 64 KiB at once."""

    def keep_much(x_ref, y_ref, much_ref):
        much_ref[:8, :] = x_ref[...]
        y_ref[...] = much_ref[:8, :]

    def load_ahead(x_ref, y_ref):
        def add(i, total):
            tile = x_ref[pl.ds(i * 128, 128), :]
            return total + jnp.dot(tile, tile, preferred_element_type=jnp.float32)

        y_ref[...] = jax.lax.fori_loop(0, 16, add, jnp.zeros((128, 128), jnp.float32))

    if machine.target == "tpu":
        shape, kernel, much = (8, 1024), keep_much, {"scratch_shapes": [mosaic.VMEM((2**16, 1024), jnp.float32)]}
    else:
        shape, kernel, much = (2048, 128), load_ahead, {"compiler_params": triton.CompilerParams(num_warps=8, num_stages=8)}
    result = jax.ShapeDtypeStruct((shape[0] if kernel is keep_much else 128, shape[1]), jnp.float32)
    program = jax.jit(lambda x: pl.pallas_call(kernel, out_shape=result, **much)(x))
    with pytest.raises(jax.errors.JaxRuntimeError, match=r"(?i)vmem|shared memory"):
        machine.compile(program, *on_one(machine, [shape], jnp.float32))
