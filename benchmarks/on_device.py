"""Our kernels on the accelerator at hand, beside XLA's own programs for the same and the best call of a library.

Run:     make device-check, or `python -m benchmarks.on_device` for the table alone
Cost:    a minute or two on a GPU or a TPU, most of it compiling.
Expect:  nobody knows: it has not been run on one. On a CPU it refuses, for there is nothing to be learned there.

A row is a kernel at one size, forward alone or forward and back, and a column a form of it. A cell is the median time of a
call, and what part that is of the roofline: of the time that the operations would take at the chip's best, or the bytes at its
memory's best, whichever is longer. Bytes are those that have to be moved if each array is read or written once. A time below
some 20 µs is that of starting a program, whatever is in it.
"""

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from rich.console import Console
from rich.table import Table

from nn.kernels.attention import flash_attention
from nn.kernels.choice import PALLAS, platform
from nn.kernels.layer_norm import layer_norm
from nn.kernels.lstm import lstm
from nn.kernels.matmul import matmul
from nn.kernels.softmax import softmax
from nn.kernels.tiles import attainable

# The vendors' data sheets: operations a second in bfloat16 (T4: float16), without sparsity, and bytes a second from memory.
# The first name that is in the device's own counts.
PEAKS = {
    "TPU v6": (918e12, 1640e9),
    "TPU v5p": (459e12, 2765e9),
    "TPU v5 lite": (197e12, 819e9),  # v5e
    "TPU v5e": (197e12, 819e9),
    "TPU v5": (459e12, 2765e9),  # v5p
    "TPU v4": (275e12, 1228e9),
    "H200": (989e12, 4800e9),
    "H100": (989e12, 3350e9),
    "A100-SXM4-80GB": (312e12, 2039e9),
    "A100": (312e12, 1555e9),
    "L4": (121e12, 300e9),
    "T4": (65e12, 320e9),
}


@dataclass(frozen=True)
class Case:
    """A kernel at one size.

    Attributes:
      name: as the table has it.
      kernel: takes arrays, and `implementation` by name.
      shapes: of the arrays.
      operations: additions and multiplications of its products, forward. Back there are `backward` times as many.
      backward: see there.
      library: the best call of a library for the same; None if there is none but XLA's own fusion, which is in the table.
    """

    name: str
    kernel: Callable[..., Any]
    shapes: tuple[tuple[int, ...], ...]
    operations: float
    backward: float = 2.0
    library: Callable[..., Any] | None = None


def library_attention(q, k, v):
    """`jax.nn.dot_product_attention`, by cuDNN on a GPU, causal."""
    return jax.nn.dot_product_attention(q, k, v, is_causal=True, implementation="cudnn" if platform() == "gpu" else "xla")


def library_matmul(x, w, bias):
    """The product as XLA hands it to the vendor's library, or to its matrix unit, with what follows it fused."""
    return jax.nn.gelu(x @ w + bias[None])


def attention_case(tokens: int, *, batch: int = 4, heads: int = 8, depth: int = 64) -> Case:
    """Causal attention; half of its 4 T² d operations a head, for half of the blocks see nothing."""
    return Case(
        f"attention, {tokens} tokens",
        partial(flash_attention, causal=True),
        ((batch, tokens, heads, depth),) * 3,
        operations=2 * batch * heads * tokens**2 * depth,
        backward=2.5,
        library=library_attention,
    )


def lstm_case(steps: int, rows: int, width: int) -> Case:
    shapes = ((steps, rows, width), (rows, width), (rows, width), (width, 4 * width), (width, 4 * width), (4 * width,))
    return Case(f"lstm, {steps} steps", lstm, shapes, operations=steps * 2 * rows * 2 * width * 4 * width)


def matmul_case(size: int) -> Case:
    shapes = ((size, size), (size, size), (size,))
    return Case(f"matmul and gelu, {size}", partial(matmul, activation="gelu"), shapes, 2 * size**3, library=library_matmul)


CASES = (
    Case("softmax", softmax, ((8192, 4096),), operations=0),
    Case("layer norm", layer_norm, ((8192, 4096), (4096,), (4096,)), operations=0),
    *(matmul_case(size) for size in (1024, 4096)),
    *(attention_case(tokens) for tokens in (1024, 4096)),
    *(lstm_case(steps, 256, 512) for steps in (128,)),
)


def peaks(kind: str) -> tuple[float, float] | None:
    """Operations and bytes a second of a device, by what it calls itself; None if it is not in `PEAKS`."""
    return next((numbers for name, numbers in PEAKS.items() if name in kind), None)


def least_time(case: Case, arrays: Sequence[Any], results: Any, kind: str, *, backward: bool) -> float | None:
    """Seconds that the roofline allows for `results` from `arrays`; None for a device whose roofline is not known."""
    limits = peaks(kind)
    if limits is None:
        return None
    operations = case.operations * (1 + case.backward * backward)
    moved = sum(array.size * array.dtype.itemsize for array in (*arrays, *jax.tree.leaves(results)))
    if not operations:
        return moved / limits[1]
    best = attainable(operations / moved, operations_per_second=limits[0], bytes_per_second=limits[1])
    return operations / best


def with_gradients(function: Callable[..., Any]) -> Callable[..., Any]:
    """The result, and what goes back for a gradient of the result's own values."""

    def both(*arrays):
        y, back = jax.vjp(function, *arrays)
        return y, *back(y)

    return both


def draw(shapes: Sequence[tuple[int, ...]], dtype: Any = jnp.bfloat16) -> list[jax.Array]:
    """Arrays of normal numbers, smaller the longer a product over them is."""
    random = np.random.default_rng(0)
    return [jnp.asarray(random.normal(size=shape) / max(shape[0], 4) ** 0.5, dtype) for shape in shapes]


def seconds(functions: dict[str, Callable[[], Any]], *, rounds: int = 15, calls: int = 10) -> dict[str, float]:
    """The median time of a call of each, over rounds in which all take their turn; what it compiles is not counted."""
    for function in functions.values():
        jax.block_until_ready(function())
    times: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(rounds):
        for name, function in functions.items():
            start = time.perf_counter()
            results = [function() for _ in range(calls)]
            jax.block_until_ready(results)
            times[name].append((time.perf_counter() - start) / calls)
    return {name: median(taken) for name, taken in times.items()}


def measure(case: Case, forms: Sequence[str], *, rounds: int = 15) -> list[tuple[str, dict[str, float | str], float | None]]:
    """Forward, then forward and back: a name, what each form took in seconds or why it could not, what the roofline allows."""
    arrays, rows = draw(case.shapes), []
    programs: dict[str, Callable[..., Any]] = {form: partial(case.kernel, implementation=form) for form in forms}
    if case.library is not None:
        programs["library"] = case.library
    for backward in (False, True):
        transform = with_gradients if backward else lambda function: function
        ready, failed = {}, {}
        for form, program in programs.items():
            compiled = jax.jit(transform(program))
            try:
                jax.block_until_ready(compiled(*arrays))
                ready[form] = partial(compiled, *arrays)
            except Exception as error:  # a form that does not run is a result of this table, not its end
                failed[form] = (
                    f"{type(error).__name__}: {str(error).splitlines()[0][:80]}" if str(error) else type(error).__name__
                )
        results = jax.eval_shape(transform(case.kernel), *arrays)
        kind = jax.devices()[0].device_kind
        least = least_time(case, arrays, results, kind, backward=backward)
        rows.append((case.name + ", and back" * backward, {**seconds(ready, rounds=rounds), **failed}, least))
    return rows


def print_table(rows: Sequence[tuple[str, dict[str, float | str], float | None]], columns: Sequence[str], title: str) -> None:
    """Times in microseconds with the part of the roofline, and below them what did not run and why."""
    table, reasons = Table(title=title), []
    table.add_column("kernel, bfloat16")
    for column in columns:
        table.add_column(column, justify="right")
    for name, cells, least in rows:
        texts = []
        for column in columns:
            cell = cells.get(column)
            if isinstance(cell, str):
                reasons.append(f"{name}, {column}: {cell}")
            part = "" if least is None or not isinstance(cell, float) else f" {least / cell:4.0%}"
            texts.append("did not run" if isinstance(cell, str) else "" if cell is None else f"{1e6 * cell:,.0f} µs{part}")
        table.add_row(name, *texts)
    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
    console.print(table)
    for reason in reasons:
        console.print(reason)


def main(cases: Sequence[Case] = CASES) -> int:
    """Print the table. Returns 0, or 1 where a kernel did not run, or there is no accelerator."""
    device = jax.devices()[0]
    if platform() not in PALLAS:
        print(
            f"benchmarks.on_device needs a GPU or a TPU, and JAX finds {len(jax.devices())} {device.platform} device(s) here."
        )
        return 1
    pallas = PALLAS[platform()]
    rows = [row for case in cases for row in measure(case, ("reference", "xla", pallas))]
    known = "" if peaks(device.device_kind) else "; its roofline is not in benchmarks/on_device.py, so no part of it is shown"
    title = f"{device.device_kind}, jax {jax.__version__}: time of a call, and part of the roofline{known}"
    print_table(rows, ("reference", "xla", pallas, "library"), title)
    return int(any(isinstance(cell, str) for _, cells, _ in rows for cell in cells.values()))


if __name__ == "__main__":
    sys.exit(main())
