"""Kernels on a mesh: which program is traced for several devices, and `on_eight_devices.py`, run where there are eight."""

import subprocess
import sys
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest
from jax.sharding import AbstractDevice, AbstractMesh, AxisType, NamedSharding, PartitionSpec

from nn.kernels.attention import flash_attention
from nn.kernels.choice import compiling_for
from nn.kernels.devices import mesh_of
from nn.kernels.layer_norm import layer_norm
from nn.kernels.lstm import lstm, lstm_step
from nn.kernels.matmul import matmul
from nn.kernels.softmax import softmax
from nn.layers import conv, conv_transpose

ROOT = Path(__file__).parents[3]
SPLIT, WHOLE = PartitionSpec("data"), PartitionSpec()

# A kernel, and of its arrays the shapes and how they lie.
KERNELS = {
    "softmax": (softmax, [((512, 128), SPLIT)]),
    "layer_norm": (layer_norm, [((512, 128), SPLIT), ((128,), WHOLE), ((128,), WHOLE)]),
    "matmul": (partial(matmul, activation="gelu"), [((512, 128), SPLIT), ((128, 256), WHOLE), ((256,), WHOLE)]),
    "attention": (partial(flash_attention, causal=True), [((8, 64, 2, 16), SPLIT)] * 3),
}


def mesh_without_devices(*sizes, names=("data", "model"), **more):
    return AbstractMesh(sizes, names, axis_types=(AxisType.Auto,) * len(sizes), **more)


def lying(mesh, *shapes):
    return [jax.ShapeDtypeStruct(shape, jnp.float32, sharding=NamedSharding(mesh, spec)) for shape, spec in shapes]


def walk(xs, w_x, w_h, **named):
    states = jnp.zeros((len(xs), w_h.shape[0]))
    return lstm(xs, states, states, w_x, w_h, jnp.zeros(w_h.shape[1]), time_major=False, **named)[0]


def traced(function, *arrays):
    return str(jax.make_jaxpr(function)(*arrays))


def test_the_mesh_of_arrays_is_known_while_a_program_is_traced_and_none_where_there_is_one_device():
    eight, one = mesh_without_devices(4, 2), mesh_without_devices(1, 1)
    seen = []

    def note(*arrays):
        results = [array * 2 for array in arrays]
        seen.append(mesh_of(*results))
        return results

    for shapes in (lying(eight, ((8, 2), SPLIT)), lying(one, ((8, 2), SPLIT)), [jnp.ones((8, 2))]):
        jax.eval_shape(jax.jit(note), *shapes)
    jax.eval_shape(note, jnp.ones(3), *lying(eight, ((8, 2), WHOLE)))
    with jax.sharding.use_abstract_mesh(eight):
        jax.eval_shape(note, jnp.ones(3))
    within = jax.shard_map(lambda x: note(x)[0], mesh=eight, in_specs=SPLIT, out_specs=SPLIT)
    jax.eval_shape(within, *lying(eight, ((8, 2), SPLIT)))
    assert seen == [eight, None, None, eight, eight, None]


@pytest.mark.filterwarnings("ignore:The Pallas Triton backend is deprecated:DeprecationWarning")
@pytest.mark.parametrize(
    ("target", "platform", "kind", "call"),
    [("tpu", "tpu", "TPU v5 lite", "@tpu_custom_call"), ("gpu", "cuda", "NVIDIA H100", "@__gpu$xla.gpu.triton")],
)
@pytest.mark.parametrize("name", KERNELS)
def test_a_pallas_form_is_lowered_for_each_devices_part(name, target, platform, kind, call):
    """Outside of a `shard_map` Mosaic's lowering refuses several devices."""
    kernel, shapes = KERNELS[name]
    chip = {"device_kind": kind, "num_cores": 1}
    if "platform" in AbstractDevice.__dataclass_fields__:  # newer versions of JAX ask for it
        chip["platform"] = platform
    mesh = mesh_without_devices(4, 2, abstract_device=AbstractDevice(**chip))

    def both(*arrays):
        y, back = jax.vjp(partial(kernel, implementation="pallas"), *arrays)
        return y, back(y)

    with compiling_for(target), jax.sharding.use_abstract_mesh(mesh):
        program = jax.jit(both).trace(*lying(mesh, *shapes)).lower(lowering_platforms=(platform,)).as_text()
    assert program.count(call) >= 2, "forward and back"
    assert program.count("manual_computation") == 2


def test_loops_over_the_batch_are_each_devices_own():
    """XLA would have to gather the batch."""
    kernels = {
        "one channel": (conv, ((8, 6, 6, 1), (3, 3, 1, 4))),
        "blocks": (conv, ((8, 256, 256, 8), (3, 3, 8, 4))),
        "transposed": (partial(conv_transpose, strides=2), ((8, 64, 64, 8), (2, 2, 8, 4))),
        "head by head": (lambda x: flash_attention(x, x, x, implementation="xla"), ((8, 4, 2, 4),)),
        "walk": (partial(walk, implementation="xla"), ((8, 5, 2), (2, 8), (2, 8))),
    }
    for name, (kernel, (split, *whole)) in kernels.items():
        for count in (1, 4):
            mesh = mesh_without_devices(count, 1)
            with compiling_for("cpu"):
                program = traced(kernel, *lying(mesh, (split, SPLIT), *[(shape, WHOLE) for shape in whole]))
            assert ("shard_map" in program) == (count > 1), name


def test_where_devices_would_repeat_each_others_work_a_loop_is_left_to_xla():
    image, window = ((8, 6, 6, 1), SPLIT), ((3, 3, 1, 4), WHOLE)
    for sizes, loop in {(4, 1): True, (2, 2): False, (3, 1): False}.items():
        with compiling_for("cpu"):
            program = traced(conv, *lying(mesh_without_devices(*sizes), image if loop else ((8, 6, 6, 1), WHOLE), window))
        assert ("scan[" in program, "conv_general_dilated[" in program) == (loop, not loop), sizes


def test_a_batch_that_devices_do_not_divide_is_left_to_xla_or_refused_by_name():
    odd, other = mesh_without_devices(4, 1), mesh_without_devices(4, names=("batch",))
    x = lying(odd, ((6, 4), WHOLE))
    assert "shard_map" not in traced(softmax, *x)
    by_name = lambda kernel: partial(kernel, implementation="mosaic", interpret=True)  # noqa: E731
    no_batch = lying(odd, *[((4, 2, 4), WHOLE)] * 3)
    unknown = lying(other, ((8, 4), PartitionSpec("batch")))
    vectors = lying(odd, *[((6, 2), WHOLE)] * 3, *[((2, 8), WHOLE)] * 2, ((8,), WHOLE))
    refused = [
        (lstm_step, vectors, r"^lstm_step\(.* equal part .*, and 4 do not divide 6\."),
        (softmax, x, r"^softmax\(implementation='mosaic'\) cannot run here, because .* equal part .*, and 4 do not divide 6\."),
        (flash_attention, no_batch, "4 do not divide 1"),
        (softmax, unknown, "without an automatic axis 'data'.*'batch': 4"),
    ]
    for kernel, arrays, message in refused:
        with pytest.raises(ValueError, match=message):
            jax.eval_shape(by_name(kernel), *arrays)


def test_within_a_shard_map_of_ones_own_a_kernel_takes_what_it_gets():
    mesh = mesh_without_devices(4, names=("batch",))
    split = PartitionSpec("batch")
    kernel = partial(softmax, implementation="mosaic", interpret=True)
    program = jax.shard_map(kernel, mesh=mesh, in_specs=split, out_specs=split, check_vma=False)
    assert traced(program, *lying(mesh, ((12, 5), split))).count("shard_map") == 1


@pytest.mark.slow
def test_eight_devices_compute_what_one_does():
    page = Path(__file__).with_name("on_eight_devices.py")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(page)]
    child = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert child.returncode == 0, child.stdout + child.stderr
