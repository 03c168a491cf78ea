import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from nn.kernels import convolution
from nn.kernels.choice import compiling_for
from nn.kernels.convolution import convolve_one_channel, convolve_reference, suits_one_channel
from nn.layers import conv

# images, window and filters, strides, zeros before and after
CASES = {
    "one axis": ((2, 9, 1), (3, 1, 2), (1,), ((1, 1),)),
    "two axes, strides that do not divide": ((3, 8, 7, 1), (3, 2, 1, 4), (3, 2), ((1, 2), (0, 1))),
    "three axes": ((2, 4, 5, 5, 1), (2, 3, 3, 1, 3), (1, 2, 1), ((0, 0), (1, 1), (0, 2))),
    "the window is the image": ((1, 4, 3, 1), (4, 3, 1, 2), (1, 1), ((0, 0), (0, 0))),
}


def drawn(*shapes):
    random = np.random.default_rng(0)
    return [jnp.asarray(random.normal(size=shape), jnp.float32) for shape in shapes]


@pytest.mark.parametrize("name", CASES)
def test_values_and_gradients_are_those_of_xlas_convolution(name):
    images, window, strides, pads = CASES[name]
    x, kernel = drawn(images, window)

    @jax.jit
    def both(x, kernel):
        results = []
        for form in (convolve_one_channel, convolve_reference):
            y, back = jax.vjp(lambda x, kernel, form=form: form(x, kernel, strides, pads), x, kernel)
            results.append((y, *back(jnp.cos(y))))
        return results

    ours, theirs = both(x, kernel)
    for got, expected in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)


def test_it_can_be_differentiated_in_both_modes_and_twice():
    x, kernel = drawn((1, 4, 4, 1), (2, 2, 1, 2))
    look = jax.jit(lambda x, kernel: jnp.sin(convolve_one_channel(x, kernel, (1, 1), ((0, 1), (1, 0)))))
    check_grads(look, (x, kernel), order=2, atol=0.05, rtol=0.05, eps=1e-2)


def test_in_half_precision_it_adds_up_in_single_precision():
    """2,048 and 48 ones: in bfloat16, whose numbers from 2,048 on are 16 apart, adding ones one by one changes nothing."""
    x = jnp.ones((1, 7, 7, 1), jnp.bfloat16).at[0, 0, 0, 0].set(2048)
    y = convolve_one_channel(x, jnp.ones((7, 7, 1, 1), jnp.bfloat16), (1, 1), ((0, 0), (0, 0)))
    assert y.dtype == jnp.bfloat16
    assert float(y[0, 0, 0, 0]) == 2096


def test_under_vmap_over_kernels_it_is_the_loop():
    """As where several networks are trained at once."""
    x, kernels = drawn((2, 5, 5, 1), (3, 2, 2, 1, 2))
    look = lambda kernel: convolve_one_channel(x, kernel, (1, 1), ((0, 0), (0, 0)))  # noqa: E731
    np.testing.assert_allclose(jax.vmap(look)(kernels), np.stack([look(kernel) for kernel in kernels]), rtol=1e-5, atol=1e-6)


def test_a_gradient_for_the_kernel_alone_needs_one_convolution():
    """Images are data: their own gradient, which nobody asked for, would cost more than all the rest."""
    x, kernel = drawn((2, 6, 6, 1), (3, 3, 1, 2))
    gradient = jax.grad(lambda kernel, x: convolve_one_channel(x, kernel, (1, 1), ((1, 1), (1, 1))).sum())
    assert str(jax.make_jaxpr(gradient)(kernel, x)).count("conv_general_dilated") == 1


def test_the_layer_takes_it_for_few_filters_on_one_channel_on_a_cpu(monkeypatch):
    taken = []
    monkeypatch.setattr(
        "nn.layers.convolution.convolve_one_channel", lambda *given: taken.append(1) or convolve_reference(*given)
    )
    x, grey = drawn((1, 8, 8, 2), (1, 8, 8, 1))
    few, many, colour, depthwise = drawn((3, 3, 1, 16), (3, 3, 1, 17), (3, 3, 2, 4), (3, 3, 1, 2))
    conv(grey, few)
    assert len(taken) == 1
    conv(grey, few, kernel_dilation=2)
    conv(grey, many)
    conv(x, colour)
    conv(x, depthwise, feature_group_count=2)
    with compiling_for("tpu"):
        conv(grey, few)
    assert len(taken) == 1
    assert suits_one_channel(grey, few) and convolution.FILTERS == 16
