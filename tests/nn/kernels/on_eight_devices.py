"""Eight devices against one: the same numbers, and no device is sent the whole batch.

`test_devices.py` runs this page in a process of its own, where a CPU stands for eight devices.
"""

import re
from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import NamedSharding, PartitionSpec

from nn.kernels.attention import flash_attention
from nn.kernels.layer_norm import layer_norm
from nn.kernels.lstm import lstm
from nn.kernels.matmul import matmul
from nn.kernels.softmax import softmax
from nn.layers import conv, conv_transpose
from nn.training import device_mesh, virtual_cpu_devices

virtual_cpu_devices(8)

BATCH = 16
SHAPES = {
    "softmax": ([(BATCH, 3, 8)], []),
    "layer_norm": ([(BATCH, 3, 8)], [(8,), (8,)]),
    "matmul": ([(BATCH, 3, 8)], [(8, 4), (4,)]),
    "attention": ([(BATCH, 20, 4, 8), (BATCH, 20, 2, 8), (BATCH, 20, 2, 8)], []),
    "lstm": ([(BATCH, 5, 8)], [(8, 64), (16, 64), (64,)]),
    "one channel": ([(BATCH, 8, 8, 1)], [(3, 3, 1, 4)]),
    "blocks": ([(BATCH, 64, 64, 8)], [(3, 3, 8, 34)]),
    "strided": ([(BATCH, 64, 64, 8)], [(2, 2, 8, 130)]),
    "transposed": ([(BATCH, 16, 16, 40)], [(4, 4, 40, 8)]),
}
CONVOLUTIONS = {
    "one channel": conv,
    "blocks": conv,
    "strided": partial(conv, strides=2),
    "transposed": partial(conv_transpose, strides=2),
}


@cache
def arrays():
    """For each kernel those that are split, and those that every device has whole."""
    random = np.random.default_rng(0)
    drawn = lambda shapes: [jnp.asarray(random.normal(size=shape) / 4, jnp.float32) for shape in shapes]  # noqa: E731
    return {name: (drawn(split), drawn(whole)) for name, (split, whole) in SHAPES.items()}


@cache
def program(form):
    """Results and gradients of all kernels in one form."""
    named = dict(implementation=form, interpret=form in ("mosaic", "triton"))
    lengths = np.linspace(0, 20, BATCH, dtype=np.int32)
    kernels = {
        "softmax": partial(softmax, **named),
        "layer_norm": partial(layer_norm, **named),
        "matmul": partial(matmul, activation="gelu", **named),
        "attention": partial(flash_attention, causal=True, lengths=lengths, **named),
    }

    def walk(xs, w_x, w_h, bias):
        states = jnp.zeros((len(xs), len(w_h)))
        steps = jnp.minimum(lengths, xs.shape[1]) if form == "xla" else None  # the Pallas forms take none
        hs, (_, c) = lstm(xs, states, states, w_x, w_h, bias, lengths=steps, time_major=False, **named)
        return hs + c[:, None]

    kernels |= {"lstm": walk, **(CONVOLUTIONS if form == "xla" else {})}

    def both(arrays):
        results = {}
        for name, kernel in kernels.items():
            split, whole = arrays[name]
            y, back = jax.vjp(kernel, *split, *whole)
            results[name] = y, *back(jnp.cos(y))
        return results

    return jax.jit(both)


def spread(mesh):
    put = lambda xs, spec: jax.device_put(xs, NamedSharding(mesh, spec))  # noqa: E731
    return {name: (put(split, PartitionSpec("data")), put(whole, PartitionSpec())) for name, (split, whole) in arrays().items()}


@pytest.mark.parametrize(("form", "columns"), [("xla", 1), ("mosaic", 2), ("triton", 1)])
def test_each_device_works_on_its_part_and_the_numbers_are_those_of_one(form, columns):
    mesh = device_mesh(8, model=columns)
    text = program(form).lower(spread(mesh)).compile().as_text()
    sent = set(re.findall(r" (all-\w+|reduce-scatter|collective-permute)(?:-start)?\(", text))
    assert sent == {"all-reduce"}, "sums of the gradients of what every device has whole, and nothing else"
    ours, one = program(form)(spread(mesh)), program(form)(arrays())
    for name, results in ours.items():
        split, whole = arrays()[name]
        for result, expected, array in zip(results, one[name], [None, *split, *whole], strict=True):
            rounding = np.abs(expected).max() * 1e-5
            np.testing.assert_allclose(result, expected, rtol=1e-5, atol=rounding, err_msg=name)
            shared = array is None or any(array is x for x in split)
            assert result.sharding.shard_shape(result.shape)[0] == result.shape[0] // (8 // columns if shared else 1)


def test_one_function_serves_one_device_then_eight_then_two_each_with_its_own_program():
    both = program("xla")
    expected = both(arrays())
    for mesh in (device_mesh(8), device_mesh(2), device_mesh(8), None):
        results = both(arrays() if mesh is None else spread(mesh))
        image, _, _ = results["one channel"]
        assert len(image.sharding.device_set) == (1 if mesh is None else mesh.size)
        np.testing.assert_allclose(image, expected["one channel"][0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["blocks", "transposed"])
def test_the_slope_of_a_slope_is_that_of_one_device(name):
    """What a gradient penalty asks of a critic."""

    @jax.jit
    def steepness(x, kernel):
        slopes = lambda x, kernel: jax.grad(lambda x: (CONVOLUTIONS[name](x, kernel) ** 3).sum())(x)  # noqa: E731
        return jax.grad(lambda x, kernel: (slopes(x, kernel) ** 2).mean(), (0, 1))(x, kernel)

    ours, one = (steepness(*(x for part in of[name] for x in part)) for of in (spread(device_mesh(8)), arrays()))
    for result, expected in zip(ours, one, strict=True):
        np.testing.assert_allclose(result, expected, rtol=1e-4, atol=np.abs(expected).max() * 1e-5)


def test_with_columns_of_devices_a_loop_is_left_to_xla_and_the_numbers_are_the_same():
    ours, one = program("xla")(spread(device_mesh(8, model=2))), program("xla")(arrays())
    for name, results in ours.items():
        for result, expected in zip(results, one[name], strict=True):
            np.testing.assert_allclose(result, expected, rtol=1e-4, atol=np.abs(expected).max() * 1e-5, err_msg=name)
