"""What `conv2d` must do. Few shapes: each new one is compiled anew, which takes longer than all the arithmetic."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from exercises.runner.expectations import expect, expect_refusal

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.integers(-4, 5, (2, 5, 6, 3)).astype(np.float32)
KERNEL = RANDOM.integers(-4, 5, (2, 3, 3, 2)).astype(np.float32)


@pytest.fixture(scope="module")
def conv2d(answer):
    return answer


def reference(x, kernel, strides=(1, 1)):
    """Place by place, in float64."""
    rows, columns, _, outputs = kernel.shape
    down, across = strides
    height, width = (x.shape[-3] - rows) // down + 1, (x.shape[-2] - columns) // across + 1
    y = np.zeros((*x.shape[:-3], height, width, outputs))
    for p in range(height):
        for q in range(width):
            window = x[..., p * down : p * down + rows, q * across : q * across + columns, :]
            y[..., p, q, :] = np.tensordot(window, kernel, axes=([-3, -2, -1], [0, 1, 2]))
    return y


def grey(rows):
    """A grey image, or a kernel from one feature to one."""
    return jnp.array(rows, jnp.float32)[..., None]


def test_it_measures_how_much_each_place_looks_like_the_window(conv2d):
    x, kernel = grey([[1, 2, 3], [4, 5, 6]]), grey([[1, 10], [100, 1000]])[..., None]
    call = "conv2d(x, kernel) with x = [[1, 2, 3], [4, 5, 6]] and kernel = [[1, 10], [100, 1000]], one feature each"
    because = (
        "the window fits at two places: 1·1 + 10·2 + 100·4 + 1000·5 = 5421, and the same around 2. Nothing is turned round"
    )
    expect(conv2d(x, kernel), grey([[5421, 6532]]), call, because)


def test_a_window_of_one_pixel_is_a_linear_layer_at_each_pixel(conv2d):
    kernel = KERNEL[:1, :1]
    call = "conv2d(x, kernel) with x.shape = (2, 5, 6, 3) and kernel.shape = (1, 1, 3, 2)"
    expect(conv2d(IMAGES, kernel), IMAGES @ kernel[0, 0], call, "every output sees all features of its pixel")


def test_every_place_position_and_feature_counts(conv2d):
    call = "conv2d(x, kernel) with x.shape = (2, 5, 6, 3) and kernel.shape = (2, 3, 3, 2)"
    because = (
        "a window of 2 × 3 fits 5 − 2 + 1 times down and 6 − 3 + 1 times across, and sums over its pixels and their features"
    )
    expect(conv2d(IMAGES, KERNEL), reference(IMAGES, KERNEL), call, because)


@pytest.mark.parametrize("strides", [(2, 1), (3, 2)])
def test_the_window_moves_by_its_strides_down_and_across(conv2d, strides):
    call = f"conv2d(x, kernel, strides={strides}) with x.shape = (2, 5, 6, 3) and kernel.shape = (2, 3, 3, 2)"
    because = "strides are (down, across), and an output is made wherever a whole window is inside the image"
    expect(conv2d(IMAGES, KERNEL, strides), reference(IMAGES, KERNEL, strides), call, because)


def test_a_window_as_large_as_the_image_gives_one_number_for_each_output(conv2d):
    x = IMAGES[0, :2, :3]
    call = "conv2d(x, kernel, (2, 2)) with x.shape = (2, 3, 3) and kernel.shape = (2, 3, 3, 2)"
    expect(conv2d(x, KERNEL, (2, 2)), reference(x, KERNEL), call, "there is one place for it, and no batch axis to keep")


def test_leading_axes_are_kept(conv2d):
    x = IMAGES.reshape(1, 2, 5, 6, 3)
    call = "conv2d(x, kernel) with x.shape = (1, 2, 5, 6, 3) and kernel.shape = (2, 3, 3, 2)"
    expect(conv2d(x, KERNEL), reference(x, KERNEL), call, "all axes before height, width and features count images")


def test_what_moves_in_the_image_moves_in_the_output(conv2d):
    call = "conv2d(x[:, 1:, 2:], kernel) with x.shape = (2, 5, 6, 3) and kernel.shape = (2, 3, 3, 2)"
    because = "it is conv2d(x, kernel)[:, 1:, 2:]: the same window looks everywhere"
    expect(conv2d(IMAGES[:, 1:, 2:], KERNEL), reference(IMAGES, KERNEL)[:, 1:, 2:], call, because)


@pytest.mark.parametrize("window", [(6, 3), (2, 7)])
def test_a_window_that_does_not_fit_is_refused(conv2d, window):
    kernel = jnp.ones((*window, 3, 2))
    call = f"conv2d(x, kernel) with x.shape = (2, 5, 6, 3) and kernel.shape = {kernel.shape}"
    expect_refusal(lambda: conv2d(IMAGES, kernel), call, "an empty image would only surprise a later layer")


def test_a_kernel_for_other_features_is_refused(conv2d):
    kernel = jnp.ones((2, 3, 1, 2))
    call = "conv2d(x, kernel) with x.shape = (2, 5, 6, 3) and kernel.shape = (2, 3, 1, 2)"
    expect_refusal(lambda: conv2d(IMAGES, kernel), call, "the kernel has weights for 1 feature, and the image has 3")


def test_it_works_under_jit_and_has_the_gradient_of_a_sum(conv2d):
    gradient = jax.jit(jax.grad(lambda kernel: conv2d(IMAGES, kernel).sum()))(KERNEL)
    call = "jax.jit(jax.grad(lambda kernel: conv2d(x, kernel).sum()))(kernel) with x.shape = (2, 5, 6, 3)"
    seen = [[IMAGES[:, i : i + 4, j : j + 4].sum((0, 1, 2)) for j in range(3)] for i in range(2)]
    expected = np.repeat(np.array(seen)[..., None], 2, -1)
    expect(gradient, expected, call, "each weight collects the pixels that it met at all places", rtol=1e-4)
