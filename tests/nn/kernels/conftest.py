"""The kernels, a line each in CASES. A test that takes a `case` runs for every line; if it takes a `form`, for every form."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from jax import export

from nn.kernels.choice import PALLAS, compiling_for
from nn.kernels.layer_norm import layer_norm
from nn.kernels.lstm import lstm
from nn.kernels.matmul import matmul
from nn.kernels.softmax import softmax

FORMS = ("reference", "xla", "mosaic", "triton")


@dataclass(frozen=True)
class Case:
    """A kernel, its equation, and what to try both on.

    Attributes:
      kernel: takes arrays, and `implementation` and `interpret` by name.
      equation: the same in plain jax.numpy, for arrays of float64.
      shapes: of the arrays, which are drawn from a unit normal, by what is tried with them. The first is also tried in bfloat16
        and lowered, the last, which should be tiny, is tried under transformations.
    """

    kernel: Callable[..., Any]
    equation: Callable[..., Any]
    shapes: dict[str, tuple[tuple[int, ...], ...]]


def softmax_64(x):
    return jnp.exp(x) / jnp.exp(x).sum(-1, keepdims=True)


def layer_norm_64(x, scale, bias):
    centred = x - x.mean(-1, keepdims=True)
    y = centred / jnp.sqrt((centred**2).mean(-1, keepdims=True) + 1e-3)
    return jnp.einsum("...i,i->...i", y, scale) + jnp.broadcast_to(bias, x.shape)


def gelu_64(x, w, bias):
    z = jnp.einsum("...i,ij->...j", x, w) + jnp.broadcast_to(bias, (*x.shape[:-1], w.shape[1]))
    return z / 2 * (1 + jnp.tanh(jnp.sqrt(2 / jnp.pi) * (z + 0.044715 * z**3)))


def lstm_64(xs, h, c, w_x, w_h, bias):
    hs = []
    for x in xs:
        z = jnp.einsum("...i,ij->...j", x, w_x) + jnp.einsum("...i,ij->...j", h, w_h)
        i, f, g, o = jnp.split(z + jnp.broadcast_to(bias, z.shape), 4, axis=-1)
        c = c / (1 + jnp.exp(-f)) + jnp.tanh(g) / (1 + jnp.exp(-i))
        h = jnp.tanh(c) / (1 + jnp.exp(-o))
        hs.append(h)
    return jnp.stack(hs), (h, c)


def in_one(walk):
    """Its results in one array, for weights an eighth as large as what is drawn: gates that are neither open nor closed."""

    def all_results(xs, h0, c0, w_x, w_h, bias, **options):
        hs, (h, c) = walk(xs, h0, c0, w_x / 8, w_h / 8, bias, **options)
        return jnp.concatenate([array.reshape(-1) for array in (hs, h, c)])

    return all_results


def rows(*x, vectors=0):
    return (x, *(x[-1:],) * vectors)


# To meet several blocks, the last of which sticks out: a block holds up to 131072 numbers for Mosaic and 4096 for Triton, a
# tile of a product up to 512 × 512 and 64 × 64. The sides of x w take turns in its gradients, so that one long side is enough.
CASES = {
    "softmax": Case(
        softmax,
        softmax_64,
        {"several blocks": rows(70, 3000), "several axes": rows(2, 3, 16), "one row": rows(7)},
    ),
    "layer_norm": Case(
        partial(layer_norm, epsilon=1e-3),
        layer_norm_64,
        {"several blocks": rows(70, 3000, vectors=2), "several axes": rows(2, 3, 16, vectors=2), "one row": rows(7, vectors=2)},
    ),
    "matmul": Case(
        matmul,
        lambda x, w: jnp.einsum("...i,ij->...j", x, w),
        {"several axes": ((2, 3, 16), (16, 8)), "one row": ((7,), (7, 5))},
    ),
    "matmul, bias and gelu": Case(
        partial(matmul, activation="gelu"),
        gelu_64,
        {"several blocks": ((2, 75, 600), (600, 140), (140,)), "one row": ((7,), (7, 5), (5,))},
    ),
    "lstm": Case(
        in_one(lstm),
        in_one(lstm_64),
        # Rows of a block: up to 128 and 32. Hidden units: 128 and 32.
        {
            "several blocks": ((3, 2, 75, 20), *((2, 75, 140),) * 2, (20, 560), (140, 560), (560,)),
            "one row": ((2, 3), (2,), (2,), (3, 8), (2, 8), (8,)),
        },
    ),
}


def pytest_generate_tests(metafunc):
    takes = {"case", "form"}.intersection(metafunc.fixturenames)
    if takes == {"case", "form"}:
        values = [
            # A walk is interpreted step by step, which takes its time.
            pytest.param(
                case, form, id=f"{name}, {form}", marks=[pytest.mark.slow] * (name == "lstm" and form in PALLAS.values())
            )
            for name, case in CASES.items()
            for form in FORMS
        ]
        metafunc.parametrize(("case", "form"), values)
    elif takes == {"case"}:
        metafunc.parametrize("case", CASES.values(), ids=CASES)


def _chip(platform):
    """A context in which it is known what is lowered for, which newer versions of JAX ask."""
    if "platform" not in jax.sharding.AbstractDevice.__dataclass_fields__:
        return nullcontext()
    device = jax.sharding.AbstractDevice({"tpu": "TPU v5 lite", "cuda": "NVIDIA H100"}[platform], 1, platform)
    auto = (jax.sharding.AxisType.Auto,)
    return jax.sharding.use_abstract_mesh(jax.sharding.AbstractMesh((1,), ("one",), auto, abstract_device=device))


@pytest.fixture
def lowered():
    """The text of the program that a function becomes on "tpu" or "cuda", which need not be there."""

    def text(function, target, platform, *arrays):
        triton = export.DisabledSafetyCheck.custom_call(
            "__gpu$xla.gpu.triton"
        )  # whose format promises nothing to later versions
        with compiling_for(target), _chip(platform):
            return export.export(jax.jit(function), platforms=[platform], disabled_checks=[triton])(*arrays).mlir_module()

    return text
