"""The kernels, a line each in CASES. A test that takes a `case` runs for every line; if it takes a `form`, for every form."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax.numpy as jnp

from nn.kernels.layer_norm import layer_norm
from nn.kernels.matmul import matmul
from nn.kernels.softmax import softmax


@dataclass(frozen=True)
class Case:
    """A kernel, its equation, and what to try both on.

    Attributes:
      kernel: takes arrays, and `implementation` and `interpret` by name.
      equation: the same in plain jax.numpy, for arrays of float64.
      shapes: of the arrays, which are drawn from a unit normal, by what is tried with them. The first is also tried in bfloat16
        and lowered, the last, which should be tiny, is tried under transformations.
      forms: the implementations that there are.
    """

    kernel: Callable[..., Any]
    equation: Callable[..., Any]
    shapes: dict[str, tuple[tuple[int, ...], ...]]
    forms: tuple[str, ...] = ("reference", "xla", "mosaic", "triton")


def softmax_64(x):
    return jnp.exp(x) / jnp.exp(x).sum(-1, keepdims=True)


def layer_norm_64(x, scale, bias):
    centred = x - x.mean(-1, keepdims=True)
    y = centred / jnp.sqrt((centred**2).mean(-1, keepdims=True) + 1e-3)
    return jnp.einsum("...i,i->...i", y, scale) + jnp.broadcast_to(bias, x.shape)


def gelu_64(x, w, bias):
    z = jnp.einsum("...i,ij->...j", x, w) + jnp.broadcast_to(bias, (*x.shape[:-1], w.shape[1]))
    return z / 2 * (1 + jnp.tanh(jnp.sqrt(2 / jnp.pi) * (z + 0.044715 * z**3)))


def rows(*x, vectors=0):
    return (x, *(x[-1:],) * vectors)


# To meet several blocks, the last of which sticks out: a block holds up to 131072 numbers for Mosaic and 4096 for Triton, a
# tile of a product up to 512 × 512 and 64 × 64. The sides of x w take turns in its slopes, so that one long side is enough.
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
}


def pytest_generate_tests(metafunc):
    takes = {"case", "form"}.intersection(metafunc.fixturenames)
    if takes == {"case", "form"}:
        values = {f"{name}, {form}": (case, form) for name, case in CASES.items() for form in case.forms}
        metafunc.parametrize(("case", "form"), values.values(), ids=values)
    elif takes == {"case"}:
        metafunc.parametrize("case", CASES.values(), ids=CASES)
