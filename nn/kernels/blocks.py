"""How a matrix is cut into blocks, and what differs between the machines that work on them; Pallas kernels of rows share it.

A Pallas kernel is a program for one block; a grid says how many there are. A TPU walks the grid one after the other and copies
each block into its vector memory before the program sees it, the next one meanwhile. A GPU starts all programs at once, and
each loads what it needs into registers. So a TPU's blocks are as large as its memory lets them be, and a GPU's are small.

For GPUs Pallas has two compilers. Triton's is used here, which takes older GPUs too; the newer, Mosaic GPU, needs an H100 or a
later one. JAX 0.12 warns that the first will be removed.
"""

from typing import Any, Literal

import jax
import jax.numpy as jnp
from jax import lax
from jax.experimental import pallas as pl
from jax.experimental.pallas import tpu as mosaic

from nn.kernels.choice import platform
from nn.kernels.devices import why_not_per_device

WIDEST_ROW = {"mosaic": 2**15, "triton": 2**14}
"""The most numbers in a row that is worked on whole: eight rows of some arrays fit 16 MiB, and one row the registers."""

# What pays for starting a program, and still fits several times: numbers in a block of rows.
_NUMBERS = {"mosaic": 2**17, "triton": 2**12}


def _triton() -> Any:
    """Pallas's module for Triton, imported where it is needed: a version of JAX without it still has all other forms."""
    from jax.experimental.pallas import triton

    return triton


def up_to(size: int, unit: int) -> int:
    """The smallest multiple of `unit` that is at least `size`."""
    return pl.cdiv(size, unit) * unit


def refusals(interpret: bool, *arrays: jax.Array, examples: int, row: int = 0) -> dict[str, str | None]:
    """Why "mosaic" and "triton" cannot compute a call, for `choose`; None where they can.

    Args:
      interpret: whether they would be interpreted, which any platform can.
      arrays: all that the kernel reads.
      examples: how many `per_device` shares out among several devices.
      row: how many numbers wide the rows are that a program holds whole.
    """
    dtypes = sorted({str(array.dtype) for array in arrays})
    reasons = {}
    for form, machine in (("mosaic", "tpu"), ("triton", "gpu")):
        reasons[form] = None
        if not interpret and platform() != machine:
            reasons[form] = f"it needs a {machine.upper()}, or interpret=True, and this program is for a {platform()}"
        elif not {"float32", "bfloat16"}.issuperset(dtypes):
            reasons[form] = f"it takes float32 and bfloat16, and got {' and '.join(dtypes)}"
        elif any(array.size == 0 for array in arrays):
            reasons[form] = "an array of size 0 has no blocks"
        elif row > WIDEST_ROW[form]:
            reasons[form] = f"its rows may have {WIDEST_ROW[form]} numbers, and these have {row}"
        else:
            reasons[form] = why_not_per_device(examples, *arrays)
    return reasons


def block_of_rows(form: str, rows: int, features: int) -> tuple[int, int]:
    """The shape of a block of whole rows of a matrix.

    Mosaic asks that each side of a block is the matrix's own, or a multiple of 8 rows and of 128 columns; Triton, that all
    sides are powers of two. The last block may stick out below, and Triton's to the right as well.
    """
    if form == "mosaic":
        return min(rows, max(_NUMBERS[form] // features // 16 * 16, 8)), features
    width = pl.next_power_of_2(features)
    return max(_NUMBERS[form] // width, 1), width


def inside(block: tuple[int, ...], shape: tuple[int, int], first_row: jax.Array | int = 0) -> jax.Array:
    """For each number of a block that begins at `first_row`: whether it lies in a matrix of this shape, or sticks out."""
    row, column = (lax.broadcasted_iota(jnp.int32, block, axis) for axis in (0, 1))
    return (first_row + row < shape[0]) & (column < shape[1])


def load(form: str, ref: Any, inside: jax.Array, outside: float) -> jax.Array:
    """A block in float32, with the number `outside` where it sticks out."""
    if form == "triton":  # There a program must not touch memory that is not the array's.
        return _triton().load(ref, mask=inside, other=outside).astype(jnp.float32)
    return jnp.where(inside, ref[...].astype(jnp.float32), outside)


def store(form: str, ref: Any, inside: jax.Array, values: jax.Array) -> None:
    """Writes a block, in the dtype of the array, where it does not stick out."""
    values = values.astype(ref.dtype)
    if form == "triton":
        _triton().store(ref, values, mask=inside)
    else:
        ref[...] = values  # What sticks out is not copied back.


def compiler(
    form: str, interpret: bool, *, order: tuple[Literal["parallel", "arbitrary"], ...], numbers: int
) -> dict[str, Any]:
    """Which compiler takes a kernel, as arguments for `pallas_call`.

    Args:
      form: "mosaic" or "triton".
      interpret: neither of them: the kernel is run block by block by XLA, on any platform.
      order: for each axis of the grid "parallel", or "arbitrary" where a program goes on from the one before it. A GPU's grid
        is all parallel.
      numbers: how many a program works on: a GPU gives it a warp, which is 32 threads, for every 1024.
    """
    if interpret:
        return {"interpret": True}
    if form == "mosaic":
        return {"compiler_params": mosaic.CompilerParams(dimension_semantics=order)}
    return {"compiler_params": _triton().CompilerParams(num_warps=min(max(numbers // 1024, 4), 16))}
