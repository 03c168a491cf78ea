from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AbstractMesh, AxisType, NamedSharding, PartitionSpec

from nn.kernels import convolution
from nn.kernels.choice import compiling_for
from nn.kernels.convolution import (
    convolve_by_blocks,
    convolve_reference,
    convolve_transposed_by_blocks,
    convolve_transposed_reference,
)
from nn.layers import conv, conv_transpose

# The old name is gone from the newest JAX, the new one not there in the oldest.
in_float64 = getattr(jax if hasattr(jax, "enable_x64") else jax.experimental, "enable_x64")  # noqa: B009

# images, window and filters, strides, zeros before and after. Blocks have 100 numbers here.
DIRECT = {
    "three blocks of two images": ((6, 3, 2, 2), (2, 2, 2, 4), (1, 1), ((1, 0), (0, 1))),
    "a prime number of images, strides that do not divide it": ((5, 8, 7, 2), (3, 2, 2, 3), (3, 2), ((1, 2), (0, 1))),
    "strides that do not divide the window, either": ((2, 7, 6, 3), (3, 4, 3, 2), (2, 3), ((0, 1), (1, 1))),
    "windows of fewer numbers than outputs": ((4, 5, 6, 1), (3, 2, 1, 8), (1, 1), ((1, 1), (0, 1))),
    "a stride of one axis, pixels left over": ((3, 6, 7, 2), (1, 4, 2, 2), (1, 2), ((0, 0), (1, 0))),
    "one axis": ((2, 9, 3), (4, 3, 2), (2,), ((1, 2),)),
    "three axes": ((2, 4, 5, 5, 2), (2, 3, 1, 2, 3), (1, 2, 1), ((0, 0), (1, 1), (0, 2))),
    "the window is the image": ((3, 4, 3, 2), (4, 3, 2, 2), (1, 1), ((0, 0), (0, 0))),
}
TRANSPOSED = {
    "twice as large": ((4, 3, 2, 3), (4, 4, 3, 2), (2, 2), ((2, 2), (2, 2))),
    "other strides than windows, unlike zeros": ((3, 3, 4, 2), (3, 2, 2, 3), (2, 3), ((0, 2), (1, 2))),
    "a stride beyond the window": ((9, 4, 3), (2, 3, 2), (3,), ((1, 2),)),
    "three axes": ((2, 2, 3, 2, 2), (2, 3, 1, 2, 2), (2, 1, 2), ((1, 1), (0, 2), (0, 1))),
}
CASES = {name: (convolve_by_blocks, *case) for name, case in DIRECT.items()} | {
    f"transposed, {name}": (convolve_transposed_by_blocks, *case) for name, case in TRANSPOSED.items()
}
REFERENCES = {convolve_by_blocks: convolve_reference, convolve_transposed_by_blocks: convolve_transposed_reference}


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(convolution, "BLOCK", 100)


def drawn(*shapes):
    random = np.random.default_rng(0)
    return [jnp.asarray(random.normal(size=shape), jnp.float32) for shape in shapes]


def equation(x, kernel, strides, pads):
    """y[p] = Σ_w x[strides · p + w − before] W[w]."""
    window = kernel.shape[:-2]
    padded = jnp.pad(x, ((0, 0), *pads, (0, 0)))
    room = [size - w + 1 for size, w in zip(padded.shape[1:-1], window, strict=True)]
    views = {
        place: padded[(slice(None), *(slice(i, i + r, s) for i, r, s in zip(place, room, strides, strict=True)))]
        for place in product(*map(range, window))
    }
    return sum(view @ kernel[place] for place, view in views.items())


def equation_transposed(x, kernel, strides, pads):
    """The equation with stride 1, on x with strides − 1 zeros between neighbours."""
    sizes = [(size - 1) * s + 1 for size, s in zip(x.shape[1:-1], strides, strict=True)]
    spread = jnp.zeros((x.shape[0], *sizes, x.shape[-1]), x.dtype)
    return equation(spread.at[(slice(None), *(slice(None, None, s) for s in strides))].set(x), kernel, (1,) * len(sizes), pads)


EQUATIONS = {convolve_by_blocks: equation, convolve_transposed_by_blocks: equation_transposed}


def with_gradients(form, strides, pads):
    def both(x, kernel):
        y, back = jax.vjp(lambda x, kernel: form(x, kernel, strides, pads), x, kernel)
        return y, *back(jnp.cos(jnp.arange(y.size, dtype=y.dtype)).reshape(y.shape))

    return jax.jit(both)


@pytest.mark.parametrize("name", CASES)
def test_values_and_gradients_are_those_of_the_equation_in_float64(name):
    form, images, window, strides, pads = CASES[name]
    x, kernel = drawn(images, window)
    results = with_gradients(form, strides, pads)(x, kernel)
    with in_float64(True):
        wide = (jnp.asarray(array, jnp.float64) for array in (x, kernel))
        exact = with_gradients(EQUATIONS[form], strides, pads)(*wide)
        for ours, gradient in zip(results, exact, strict=True):
            assert gradient.dtype == jnp.float64
            np.testing.assert_allclose(ours, gradient, rtol=1e-5, atol=1e-5 * np.abs(gradient).max())


PAIR = {name: CASES[name] for name in ("one axis", "transposed, twice as large", "transposed, a stride beyond the window")}


@pytest.mark.parametrize("name", PAIR)
def test_forward_mode_and_second_derivatives_in_either_mode_are_the_references(name):
    """Among them a critic's: its gradient in the images is asked to have length 1, and that has a gradient in the kernel."""
    form, images, window, strides, pads = PAIR[name]

    def derivatives(form, x, kernel):
        look = lambda x, kernel: jnp.tanh(form(x, kernel, strides, pads))  # noqa: E731
        gradients = jax.grad(lambda x, kernel: look(x, kernel).sum(), (0, 1))
        penalty = lambda x, kernel: sum((jnp.sqrt(jnp.sum(gradient**2)) - 1) ** 2 for gradient in gradients(x, kernel))  # noqa: E731
        along = (x, kernel), (jnp.cos(x), jnp.sin(kernel))
        return jax.jvp(look, *along), jax.jvp(gradients, *along), jax.grad(penalty, (0, 1))(x, kernel)

    ours, theirs = jax.jit(lambda *both: [derivatives(each, *both) for each in (form, REFERENCES[form])])(
        *drawn(images, window)
    )
    for got, expected in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", PAIR)
def test_under_vmap_over_images_and_kernels_its_gradients_are_the_loops(name):
    form, images, window, strides, pads = PAIR[name]
    xs, kernels = drawn((2, *images), (2, *window))
    both = with_gradients(form, strides, pads)
    for mapped, *loop in zip(jax.vmap(both)(xs, kernels), *map(both, xs, kernels), strict=True):
        np.testing.assert_allclose(mapped, jnp.stack(loop), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", PAIR)
def test_the_gradient_in_the_kernel_keeps_no_windows_and_takes_none_of_xlas_convolutions(name):
    form, images, window, strides, pads = PAIR[name]
    x, kernel = drawn(images, window)
    y, back = jax.vjp(lambda kernel: form(x, kernel, strides, pads), kernel)
    assert max(kept.size for kept in jax.tree.leaves(back)) <= x.size
    assert "conv_general_dilated" not in str(jax.make_jaxpr(back)(y))


def test_without_images_the_gradient_is_zero():
    x, kernel = drawn((0, 4, 4, 2), (3, 3, 2, 2))
    for form in REFERENCES:
        gradient = jax.grad(lambda kernel, form=form: form(x, kernel, (2, 2), ((1, 1), (1, 1))).sum())(kernel)
        np.testing.assert_array_equal(gradient, jnp.zeros_like(kernel))


def test_the_layers_take_it_where_it_was_measured_to_be_quicker(monkeypatch):
    """One CPU, eight channels or small windows, over a megabyte of outputs; transposed, zeros between pixels not few."""
    taken = []
    for form, reference in REFERENCES.items():
        stub = lambda *given, name=form.__name__, reference=reference: taken.append(name) or reference(*given)  # noqa: E731
        monkeypatch.setattr(f"nn.layers.convolution.{form.__name__}", stub)
    shapes = lambda *sizes: [jax.ShapeDtypeStruct(size, jnp.float32) for size in sizes]  # noqa: E731
    x, few, kernel, thin = shapes((2, 65, 64, 8), (2, 64, 64, 8), (3, 3, 8, 32), (3, 3, 4, 32))
    look = lambda function, *arrays, **how: jax.eval_shape(lambda *arrays: function(*arrays, **how), *arrays)  # noqa: E731

    look(conv, x, kernel)
    look(conv_transpose, few, kernel, strides=(1, 2))
    look(conv, *shapes((8, 65, 64, 8), kernel.shape), strides=2)
    look(conv, *shapes((2, 65, 64, 3), (3, 3, 3, 32)))
    assert taken == ["convolve_by_blocks", "convolve_transposed_by_blocks", "convolve_by_blocks", "convolve_by_blocks"]

    look(conv, few, kernel)  # a megabyte, and no more
    look(conv, x, kernel, kernel_dilation=2)
    look(conv, x, thin, feature_group_count=2)
    look(conv, *shapes((2, 65, 64, 4), thin.shape))  # windows of 36 numbers, and 32 outputs
    look(conv_transpose, x, kernel)
    look(conv_transpose, *shapes((2, 32, 32, 8), kernel.shape), strides=2)
    look(conv_transpose, few, kernel, strides=2, kernel_dilation=2)
    half = [jax.ShapeDtypeStruct(array.shape, jnp.bfloat16) for array in (x, kernel)]
    look(conv, *half)
    look(conv_transpose, *half, strides=2)
    with compiling_for("tpu"):
        look(conv, x, kernel)
        look(conv_transpose, few, kernel, strides=2)
    three = NamedSharding(AbstractMesh((3,), ("data",), axis_types=(AxisType.Auto,)), PartitionSpec())
    two = NamedSharding(AbstractMesh((2,), ("data",), axis_types=(AxisType.Auto,)), PartitionSpec("data"))
    on = lambda mesh, array: jax.ShapeDtypeStruct(array.shape, array.dtype, sharding=mesh)  # noqa: E731
    look(conv, on(three, x), kernel)  # they do not divide the images
    look(conv, on(two, x), kernel)  # each has half of them, which is less than a megabyte
    assert len(taken) == 4
    look(conv_transpose, on(two, few), kernel, strides=2)
    assert taken[4:] == ["convolve_transposed_by_blocks"]
