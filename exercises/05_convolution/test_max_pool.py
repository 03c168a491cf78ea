"""What `max_pool` must do. Few shapes: each new one is compiled anew, which takes longer than all the arithmetic."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from exercises.runner.expectations import expect, expect_refusal, shown

IMAGES = -np.random.default_rng(0).permutation(60).reshape(2, 5, 3, 2).astype(np.float32) - 1  # all below 0


@pytest.fixture(scope="module")
def max_pool(answer):
    return answer


def reference(x, window, strides, outside=((0, 0), (0, 0))):
    """Window by window; x (batch, height, width, features)."""
    x = np.pad(x, [(0, 0), *outside, (0, 0)], constant_values=-np.inf)
    down, across = ((size - w) // s + 1 for size, w, s in zip(x.shape[1:3], window, strides, strict=True))
    y = np.zeros((len(x), down, across, x.shape[-1]))
    for i in range(down):
        for j in range(across):
            top, left = i * strides[0], j * strides[1]
            y[:, i, j] = x[:, top : top + window[0], left : left + window[1]].max((1, 2))
    return y


def test_each_window_keeps_its_largest_number(max_pool):
    x = jnp.array([[1.0, 5, 2, 0], [3, 4, 1, 7]])[..., None]
    call = "max_pool(x, (2, 2), strides=(2, 2)) with x = [[1, 5, 2, 0], [3, 4, 1, 7]], one feature"
    expect(max_pool(x, (2, 2), strides=(2, 2)), [[[5], [7]]], call, "the windows are [[1, 5], [3, 4]] and [[2, 0], [1, 7]]")


def test_an_image_of_negative_numbers_is_an_image_too(max_pool):
    x = jnp.array([-3.0, -1, -2])[:, None]
    call = f"max_pool(x, (2,), strides=(1,)) with {shown(x=x)}"
    expect(max_pool(x, (2,), strides=(1,)), [[-1], [-1]], call, "0 is in none of the windows, and so it cannot be the largest")


def test_without_strides_the_window_moves_by_one(max_pool):
    call = "max_pool(x, (2, 2)) with x.shape = (2, 5, 3, 2)"
    because = "strides=None is a stride of 1 along each axis, as in Flax: 4 × 2 windows, that overlap"
    expect(max_pool(jnp.array(IMAGES), (2, 2)), reference(IMAGES, (2, 2), (1, 1)), call, because)


def test_strides_are_one_for_each_axis_and_each_feature_is_pooled_alone(max_pool):
    call = "max_pool(x, (2, 3), strides=(3, 1)) with x.shape = (2, 5, 3, 2)"
    because = "windows begin at rows 0 and 3; batch and features stay as they are"
    expect(max_pool(jnp.array(IMAGES), (2, 3), strides=(3, 1)), reference(IMAGES, (2, 3), (3, 1)), call, because)


@pytest.mark.parametrize(
    ("window", "padding", "outside"),
    [((2, 2), "SAME", ((0, 1), (0, 1))), ((3, 3), [(1, 0), (2, 1)], ((1, 0), (2, 1)))],
    ids=["SAME", "pairs"],
)
def test_what_lies_outside_is_never_the_largest(max_pool, window, padding, outside):
    call = f"max_pool(x, {window}, (2, 2), padding={padding!r}) with x.shape = (2, 5, 3, 2), all of x below 0"
    because = "outside of the image there is nothing, not a zero"
    expect(max_pool(jnp.array(IMAGES), window, (2, 2), padding), reference(IMAGES, window, (2, 2), outside), call, because)


def test_batch_axes_are_those_before_the_axes_of_the_window(max_pool):
    x = IMAGES.reshape(1, 2, 5, 3, 2)
    call = "max_pool(x, (2, 2)) with x.shape = (1, 2, 5, 3, 2)"
    because = "two axes of the window and the features: the axes before them are kept"
    expect(max_pool(jnp.array(x), (2, 2)), reference(IMAGES, (2, 2), (1, 1))[None], call, because)


def test_the_gradient_goes_to_the_largest_number_alone(max_pool):
    x = jnp.array([1.0, 5.0, 2.0, 0.0])[:, None]
    gradient = jax.jit(jax.grad(lambda x: max_pool(x, (2,)).sum()))(x)
    call = f"jax.jit(jax.grad(lambda x: max_pool(x, (2,)).sum()))(x) with {shown(x=x)}"
    expect(gradient, [[0], [2], [1], [0]], call, "5 is the largest of two windows, 2 of one")


def test_what_does_not_fit_is_refused(max_pool):
    x = jnp.array(IMAGES)
    call = "max_pool(x, (6, 2)) with x.shape = (2, 5, 3, 2)"
    expect_refusal(lambda: max_pool(x, (6, 2)), call, "a window of 6 rows does not fit into 5")
    call = "max_pool(x, (2, 2)) with x.shape = (3, 2)"
    expect_refusal(lambda: max_pool(x[0, 0], (2, 2)), call, "two axes of space and one of features are three axes")
