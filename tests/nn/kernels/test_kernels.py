"""What every form of every kernel has to be: its equation, with all its gradients. The kernels are the CASES of conftest.py."""

import re
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nn.kernels.choice import compiling_for
from nn.kernels.layer_norm import layer_norm
from nn.kernels.matmul import ACTIVATIONS, matmul
from nn.kernels.softmax import softmax

# The old name is gone from the newest JAX, the new one not there in the oldest.
in_float64 = getattr(jax if hasattr(jax, "enable_x64") else jax.experimental, "enable_x64")  # noqa: B009


def draw(shapes, seed=0):
    random = np.random.default_rng(seed)
    return [jnp.asarray(random.normal(size=shape), jnp.float32) for shape in shapes]


def with_gradients(function):
    """The result, and the gradient of a sum of it, each number with a weight of its own, in every array."""

    def both(*arrays):
        y, back = jax.vjp(function, *arrays)
        weights = jnp.cos(jnp.arange(y.size, dtype=jnp.float32)).astype(jnp.bfloat16)  # the same numbers in every dtype
        return y, *back(weights.reshape(y.shape).astype(y.dtype))

    return both


def named(case, form):
    return lambda *arrays: case.kernel(*arrays, implementation=form, interpret=form in ("mosaic", "triton"))


def exactly(function, *arrays):
    with in_float64(True):
        return jax.jit(function)(*(jnp.asarray(array, jnp.float64) for array in arrays))


def furthest(ours, exact):
    """The largest difference, as a part of the largest number."""
    ours, exact = np.asarray(ours, np.float64), np.asarray(exact)
    assert ours.shape == exact.shape
    return np.abs(ours - exact).max() / np.abs(exact).max()


def test_values_and_all_gradients_are_those_of_the_equation_in_float64(case, form):
    """Several blocks, the last of which sticks out; odd sizes; several axes; one row; and the first of these in bfloat16."""
    tries = {name: draw(shapes) for name, shapes in case.shapes.items()}
    first = next(iter(tries))
    tries["bfloat16"] = [jnp.asarray(array, jnp.bfloat16) for array in tries[first]]
    results = jax.jit(lambda tries: {name: with_gradients(named(case, form))(*arrays) for name, arrays in tries.items()})(tries)
    for name, arrays in tries.items():
        assert [result.dtype for result in results[name]] == [arrays[0].dtype, *(array.dtype for array in arrays)]
        exact = exactly(with_gradients(case.equation), *arrays)
        differences = [furthest(*pair) for pair in zip(results[name], exact, strict=True)]
        bound = 2**-7 if name == "bfloat16" else 1e-5
        assert all(difference < bound for difference in differences), (name, differences)  # `max` would pass over a NaN


def test_compiled_it_is_what_it_is_step_by_step_and_under_vmap_the_loop(case, form):
    *_, shapes = case.shapes.values()
    examples = [draw(shapes, seed) for seed in (0, 1)]
    both = with_gradients(named(case, form))
    step_by_step = [both(*example) for example in examples]
    stacked = list(map(jnp.stack, zip(*examples, strict=True)))
    at_once = jax.jit(lambda examples, stacked: ([both(*example) for example in examples], jax.vmap(both)(*stacked)))
    compiled, mapped = at_once(examples, stacked)
    for i, loop in enumerate(mapped):
        for results in (compiled, step_by_step):
            np.testing.assert_allclose(loop, jnp.stack([result[i] for result in results]), rtol=1e-5, atol=1e-6)


def test_gradients_of_gradients_are_those_of_the_equation(case):
    """For the forms that layers may use: of `reference` and `xla` every derivative exists."""
    *_, shapes = case.shapes.values()
    arrays = draw(shapes)
    numbers = tuple(range(len(arrays)))

    def second(function):
        def steepness(*arrays):
            return sum(jnp.sum(gradient**2) for gradient in with_gradients(function)(*arrays)[1:])

        return jax.grad(steepness, numbers)

    exact = exactly(second(case.equation), *arrays)
    for form in ("reference", "xla"):
        results = jax.jit(second(named(case, form)))(*arrays)
        differences = [furthest(ours, gradient) for ours, gradient in zip(results, exact, strict=True) if np.any(gradient)]
        assert differences and all(difference < 1e-4 for difference in differences), (form, differences)


@pytest.mark.parametrize("form", ["mosaic", "triton"])
def test_every_activation_and_its_gradient_is_the_references(form):
    """One without a bias, and one with a bias of another dtype, so that these are met too."""
    x, w, bias = draw([(3, 4), (4, 5), (5,)])
    names = [None, "relu", "gelu", "silu", "tanh"]
    assert set(names) == set(ACTIVATIONS)
    tries = [(x, w), (x, w, bias.astype(jnp.bfloat16)), (x, w, bias), (x, w, bias), (x, w, bias)]

    def all_by(implementation, tries):
        kernels = [partial(matmul, activation=name, implementation=implementation, interpret=True) for name in names]
        return [with_gradients(kernel)(*arrays) for kernel, arrays in zip(kernels, tries, strict=True)]

    both = jax.jit(lambda tries: (all_by(form, tries), all_by("reference", tries)))(tries)
    for ours, reference in zip(*map(jax.tree.leaves, both), strict=True):
        assert ours.dtype == reference.dtype
        np.testing.assert_allclose(
            ours.astype(float), reference.astype(float), rtol=2**-7 if ours.dtype == jnp.bfloat16 else 1e-4, atol=1e-5
        )


X, V = np.ones((2, 3), np.float32), np.ones(3, np.float32)
EXPECTS = [
    (lambda: softmax(jnp.float32(1)), "softmax expects floating-point x with an axis at least, got x.shape=() of float32."),
    (lambda: softmax(jnp.arange(3)), "softmax expects floating-point x with an axis at least, got x.shape=(3,) of int32."),
    (
        lambda: layer_norm(jnp.int8(1), V, V),
        "layer_norm expects floating-point x with an axis at least, got x.shape=() of int8.",
    ),
    (
        lambda: layer_norm(X, V, V[:2]),
        "layer_norm expects scale and bias of shape (3,) for x.shape=(2, 3), got scale.shape=(3,) and bias.shape=(2,).",
    ),
    (lambda: matmul(X, X), "matmul expects x (*batch, inputs) and w (inputs, outputs), got x.shape=(2, 3) and w.shape=(2, 3)."),
    (lambda: matmul(X, X.T, V), "matmul expects bias of shape (2,) for w.shape=(3, 2), got bias.shape=(3,)."),
    (lambda: matmul(X, jnp.bfloat16(X.T)), "matmul expects x and w of one floating-point dtype, got float32 and bfloat16."),
    (
        lambda: matmul(X, X.T, activation="rleu"),
        "matmul expects an activation of None, 'relu', 'gelu', 'silu', 'tanh', got 'rleu'.",
    ),
]
CANNOT = [
    (
        lambda: layer_norm(X, V, V, implementation="triton"),
        "layer_norm(implementation='triton') cannot run here, because it needs a GPU, or interpret=True, "
        "and this program is for a cpu.",
    ),
    (
        lambda: matmul(*[jnp.ones((2, 2), jnp.float16)] * 2, implementation="mosaic", interpret=True),
        "matmul(implementation='mosaic') cannot run here, because it takes float32 and bfloat16, and got float16.",
    ),
    (
        lambda: softmax(X[:0], implementation="triton", interpret=True),
        "softmax(implementation='triton') cannot run here, because an array of size 0 has no blocks.",
    ),
    (
        lambda: softmax(jnp.ones(16385), implementation="triton", interpret=True),
        "softmax(implementation='triton') cannot run here, because its rows may have 16384 numbers, and these have 16385.",
    ),
]


@pytest.mark.usefixtures("without_type_checks")
@pytest.mark.parametrize(("call", "sentence"), EXPECTS + CANNOT)
def test_what_does_not_fit_is_said(call, sentence):
    with compiling_for("cpu"), pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        call()


def test_forms_that_are_no_blocks_compute_what_blocks_cannot():
    """No rows, rows too wide for a block, and float16."""
    for implementation in (None, "reference", "xla"):
        assert softmax(jnp.ones((0, 3)), implementation=implementation).shape == (0, 3)
        assert matmul(jnp.ones((2, 0, 3)), jnp.ones((3, 4)), implementation=implementation).shape == (2, 0, 4)
        wide = jnp.full(40000, 1, jnp.float16)
        np.testing.assert_allclose(softmax(wide, implementation=implementation).astype(float), 1 / 40000, rtol=2e-3)
