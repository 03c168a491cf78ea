"""Bytes that devices exchange, read from programs as several versions of XLA write them, and from one compiled here."""

from functools import partial

import jax
import jax.numpy as jnp
import pytest
from jax.sharding import NamedSharding, PartitionSpec

from nn.training import collective_bytes, data_parallel_step

PROGRAMS = {
    "one sum of three arrays": (
        """
        %all-reduce.3 = (f32[32,16]{1,0}, /*index=1*/bf16[4,32]{1,0}, f32[]) all-reduce(%dot.3, %dot.4, %sum), channel_id=1
        %dot.3 = f32[32,16]{1,0} dot(%a, %b), metadata={op_name="all-reduce(%dot.4)"}
        %dot.4 = bf16[4,32]{1,0} dot(%c, %d)
        %sum = f32[] fusion(%e), kind=kLoop, calls=%fused
        %get-tuple-element = f32[32,16]{1,0} get-tuple-element(%all-reduce.3), index=0
        """,
        {"all-reduce": 4 * 32 * 16 + 2 * 4 * 32 + 4},
    ),
    "a start and its end": (
        """
        %x = f32[64,128]{1,0:T(8,128)S(1)} parameter(0)
        %all-reduce-start = f32[64,128]{1,0:T(8,128)} all-reduce-start(%x), replica_groups={{0,1,2,3}}, to_apply=%add
        ROOT %all-reduce-done = f32[64,128]{1,0:T(8,128)} all-reduce-done(%all-reduce-start)
        """,
        {"all-reduce": 4 * 64 * 128},
    ),
    "a gather counts as it comes out": (
        """
        %x = bf16[2,8]{1,0} parameter(0)
        %all-gather.1 = bf16[8,8]{1,0} all-gather(%x), dimensions={0}
        %all-gather-start = (bf16[2,8]{1,0}, bf16[16,8]{1,0}) all-gather-start(%x), dimensions={0}
        %all-gather-done = bf16[16,8]{1,0} all-gather-done(%all-gather-start)
        """,
        {"all-gather": 2 * 8 * 8 + 2 * 16 * 8},
    ),
    "a scatter counts as it goes in, a permute once": (
        """
        %x = s32[8,8]{1,0} parameter(0)
        %reduce-scatter = s32[2,8]{1,0} reduce-scatter(%x), dimensions={0}
        %collective-permute-start = (s32[8,8]{1,0}, s32[8,8]{1,0}, u32[], u32[]) collective-permute-start(%x)
        %collective-permute-done = s32[8,8]{1,0} collective-permute-done(%collective-permute-start)
        """,
        {"reduce-scatter": 4 * 64, "collective-permute": 4 * 64},
    ),
    "operands with their types, as older versions write them": (
        """
        %flags = pred[5]{0} parameter(0)
        %half = f8e4m3fn[16]{0} parameter(1)
        %all-to-all = (pred[5]{0}, f8e4m3fn[16]{0}) all-to-all(pred[5]{0:T(256)(4,1)} %flags, f8e4m3fn[16]{0} %half)
        """,
        {"all-to-all": 5 + 16},
    ),
    "nothing": ("%x = f32[64,128]{1,0} parameter(0)", {}),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_an_array_counts_whole_and_once(name):
    text, expected = PROGRAMS[name]
    assert collective_bytes(text) == expected


def test_one_device_sends_nothing():
    assert collective_bytes(jax.jit(lambda x: (x @ x).sum()).lower(jnp.ones((8, 8))).compile().as_text()) == {}


@pytest.mark.compile_check
@pytest.mark.parametrize("machine", ["v5e"], indirect=True)
def test_four_tpu_chips_exchange_the_weights_whatever_the_batch(machine):
    mesh = machine.mesh(4)

    def lying(*shape, spec):
        return jax.ShapeDtypeStruct(shape, jnp.float32, sharding=NamedSharding(mesh, spec))

    def loss(params, x):
        return ((jnp.tanh(x @ params["up"]) @ params["down"] - x) ** 2).mean()

    params = {"up": lying(128, 512, spec=PartitionSpec()), "down": lying(512, 128, spec=PartitionSpec())}
    step = jax.jit(partial(data_parallel_step, loss, mesh=mesh, learning_rate=0.1))
    for examples in (64, 1024):
        program = machine.compile(step, params, lying(examples, 128, spec=PartitionSpec("data"))).as_text()
        assert collective_bytes(program) == {"all-reduce": 4 * (2 * 128 * 512 + 1)}, examples
