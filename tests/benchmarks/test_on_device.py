"""The table of kernels on an accelerator: what can be known of it where there is none."""

import jax
import jax.numpy as jnp
import pytest

from benchmarks import on_device
from benchmarks.on_device import Case, attention_case, draw, least_time, lstm_case, matmul_case, measure, peaks, print_table
from nn.kernels.softmax import softmax

SMALL = (
    Case("softmax", softmax, ((4, 8),), operations=0),
    matmul_case(8),
    lstm_case(3, 2, 4),
    attention_case(8, batch=1, heads=2, depth=4),
)


@pytest.mark.parametrize("case", SMALL, ids=[case.name for case in SMALL])
def test_every_form_is_timed_forward_and_back(case):
    rows = measure(case, ("reference", "xla"), rounds=2)
    assert [name for name, *_ in rows] == [case.name, f"{case.name}, and back"]
    for _, cells, least in rows:
        assert set(cells) == {"reference", "xla"} | ({"library"} if case.library else set())
        assert all(isinstance(cell, float) and cell > 0 for cell in cells.values()), cells
        assert least is None, "the roofline of a CPU is not in a data sheet"


def test_a_form_that_cannot_run_is_in_the_table_with_its_reason(capsys):
    (name, cells, _), _ = rows = measure(SMALL[0], ("xla", "mosaic"), rounds=1)
    assert isinstance(cells["xla"], float) and "cannot run here" in cells["mosaic"]
    print_table(rows, ("xla", "mosaic"), "a title")
    shown = capsys.readouterr().out
    assert (
        "a title" in shown
        and "did not run" in shown
        and f"{name}, mosaic: ValueError: softmax(implementation='mosaic')" in shown
    )


def test_the_roofline_is_the_longer_of_two_times():
    """By hand, for a v5e: a product of 4096³ is bound by operations, a softmax by bytes; going back takes two products more."""
    assert peaks("TPU v5 lite") == (197e12, 819e9) and peaks("TPU v5p") == (459e12, 2765e9) and peaks("a toaster") is None
    assert peaks("TPU v5") == peaks("TPU v5p") and peaks("NVIDIA A100-SXM4-80GB") == (312e12, 2039e9)
    product = matmul_case(4096)
    arrays = [jax.ShapeDtypeStruct(shape, jnp.bfloat16) for shape in product.shapes]
    y = jax.eval_shape(product.kernel, *arrays)
    forward = 2 * 4096**3 / 197e12
    assert least_time(product, arrays, y, "TPU v5 lite", backward=False) == pytest.approx(forward)
    assert least_time(product, arrays, (y, *arrays), "TPU v5 lite", backward=True) == pytest.approx(3 * forward)
    x = jax.ShapeDtypeStruct((1000, 1000), jnp.bfloat16)
    assert least_time(SMALL[0], [x], x, "TPU v5 lite", backward=False) == pytest.approx(4e6 / 819e9)
    assert least_time(product, arrays, y, "a toaster", backward=False) is None


def test_a_cpu_is_refused(capsys):
    assert on_device.main() == 1
    assert "needs a GPU or a TPU, and JAX finds" in capsys.readouterr().out


def test_numbers_are_drawn_in_the_shapes_that_were_asked_for():
    assert [array.shape for array in draw([(2, 3), (4,)])] == [(2, 3), (4,)]
