import importlib
import runpy
import sys
import threading

import jax
import pytest
from jax.experimental import pallas

from nn.kernels.choice import choose, compiling_for, platform


def chosen(implementation, refused=None, best=("mosaic", "xla")):
    return choose("a_kernel", implementation, best=best, refused=refused or {})


def test_none_takes_the_best_form_that_can_compute_the_call():
    assert chosen(None) == "mosaic"
    assert chosen(None, {"mosaic": None, "xla": None}) == "mosaic"
    assert chosen(None, {"mosaic": "its rows are too wide"}) == "xla"


@pytest.mark.parametrize("form", ["reference", "xla", "mosaic", "triton"])
def test_a_named_form_is_taken_or_says_why_not_and_never_replaced(form):
    assert chosen(form, {other: "it may not" for other in ("reference", "xla", "mosaic", "triton") if other != form}) == form
    sentence = rf"^a_kernel\(implementation='{form}'\) cannot run here, because its rows are too wide\.$"
    with pytest.raises(ValueError, match=sentence):
        chosen(form, {form: "its rows are too wide"})


@pytest.mark.parametrize(("target", "form"), [("tpu", "mosaic"), ("gpu", "triton")])
def test_pallas_is_the_form_of_the_platform_that_is_compiled_for(target, form):
    with compiling_for(target):
        assert platform() == target
        assert chosen("pallas", best=("xla",)) == form
        with pytest.raises(
            ValueError, match=r"^a_kernel\(implementation='pallas'\) cannot run here, because it is too wide\.$"
        ):
            chosen("pallas", {form: "it is too wide"})


def test_pallas_on_a_cpu_says_what_would_work():
    with (
        compiling_for("cpu"),
        pytest.raises(ValueError, match=r"needs a TPU or a GPU, and this program is for a cpu.*interpret=True"),
    ):
        chosen("pallas")


def test_pallas_is_asked_only_where_one_of_its_forms_may_run():
    def unasked():
        raise AssertionError

    for implementation in (None, "reference", "xla"):
        form = choose("a_kernel", implementation, best=("xla", "reference"), refused_by_pallas=unasked)
        assert form == (implementation or "xla")
    too_wide = lambda: {"mosaic": "its rows are too wide", "triton": None}  # noqa: E731
    assert choose("a_kernel", None, best=("mosaic", "xla"), refused_by_pallas=too_wide) == "xla"
    assert choose("a_kernel", "triton", best=("xla",), refused_by_pallas=too_wide) == "triton"
    with pytest.raises(ValueError, match="because its rows are too wide"):
        choose("a_kernel", "mosaic", best=("xla",), refused_by_pallas=too_wide)
    with pytest.raises(ValueError, match="because it has a mask"):  # what is known at once comes first
        choose("a_kernel", "mosaic", best=("xla",), refused={"mosaic": "it has a mask"}, refused_by_pallas=too_wide)


@pytest.mark.usefixtures("without_type_checks")
def test_a_form_that_does_not_exist_is_named_beside_those_that_do():
    with pytest.raises(ValueError, match=r"^a_kernel has the implementations 'reference', .* and 'triton', got 'pallsa'\.$"):
        chosen("pallsa")


def test_the_platform_is_that_of_the_default_device_where_one_is_set(monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: "tpu")
    assert platform() == "tpu"
    with jax.default_device(jax.devices("cpu")[0]):
        assert platform() == "cpu"
        with compiling_for("gpu"):
            assert platform() == "gpu"
    assert platform() == "tpu"


def test_without_pallas_module_for_triton_all_else_is_there(monkeypatch):
    """JAX 0.12 says that it will go."""
    monkeypatch.setitem(sys.modules, "jax.experimental.pallas.triton", None)
    monkeypatch.delattr(pallas, "triton", raising=False)
    with pytest.raises(ImportError):
        importlib.import_module("jax.experimental.pallas.triton")
    for name in ("blocks", "softmax", "layer_norm", "matmul", "attention", "sweeps"):
        runpy.run_path(importlib.import_module(f"nn.kernels.{name}").__file__)


def test_what_is_compiled_for_ends_with_the_block_nests_survives_an_error_and_is_each_threads_own():
    here = platform()
    with compiling_for("tpu"):
        with compiling_for("gpu"):
            assert platform() == "gpu"
        assert platform() == "tpu"
        with pytest.raises(ZeroDivisionError), compiling_for("gpu"):
            1 / 0  # noqa: B018
        assert platform() == "tpu"
        seen = []
        thread = threading.Thread(target=lambda: seen.append(platform()))
        thread.start()
        thread.join()
        assert seen == [here]
    assert platform() == here
