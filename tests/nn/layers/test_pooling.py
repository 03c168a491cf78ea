import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from nn.layers import avg_pool, conv, global_avg_pool, max_pool

random = np.random.default_rng(0)
X = jnp.asarray(random.normal(-3, 1, (2, 5, 6, 2)), jnp.float32)  # nearly all below 0, where a zero outside would show
KEPT_PIXELS = np.ones((2, 5, 6, 2))

# window, strides, padding, and the pixels outside that they stand for
CASES = {
    "touching": ((2, 3), (2, 3), "VALID", [(0, 0), (0, 0)]),
    "overlapping, as by default": ((2, 2), None, "VALID", [(0, 0), (0, 0)]),
    "SAME": ((3, 2), (2, 2), "SAME", [(1, 1), (0, 0)]),
    "outside said": ((3, 4), (2, 1), ((1, 2), (2, 0)), [(1, 2), (2, 0)]),
}


def windows(x, name, outside):
    """Every window of the image in float64, its pixels on the last axis."""
    window, strides, _, pads = CASES[name]
    x = np.pad(np.asarray(x, np.float64), [(0, 0), *pads, (0, 0)], constant_values=outside)
    seen = np.lib.stride_tricks.sliding_window_view(x, window, (1, 2))
    down, across = strides or (1, 1)
    return seen[:, ::down, ::across].reshape(*seen[:, ::down, ::across].shape[:4], -1)


@pytest.mark.parametrize("name", CASES)
def test_they_are_the_largest_and_the_mean_of_each_window_as_in_flax(name):
    window, strides, padding, _ = CASES[name]
    sums, counts = windows(X, name, 0).sum(-1), windows(KEPT_PIXELS, name, 0).sum(-1)
    expected = [windows(X, name, -np.inf).max(-1), sums / np.prod(window), sums / counts]

    def all_three(largest, mean, x):
        return [
            largest(x, window, strides, padding),
            mean(x, window, strides, padding),
            mean(x, window, strides, padding, count_include_pad=False),
        ]

    ours, flax = jax.jit(lambda x: (all_three(max_pool, avg_pool, x), all_three(nnx.max_pool, nnx.avg_pool, x)))(X)
    for got, theirs, exact in zip(ours, flax, expected, strict=True):
        np.testing.assert_allclose(got, exact, rtol=1e-5)
        np.testing.assert_allclose(got, theirs, rtol=1e-6)


def test_pooling_commutes_with_shifts_of_whole_strides():
    x = X[:, :4]
    for pool in (max_pool, avg_pool):
        np.testing.assert_allclose(pool(x[:, :, 2:], (2, 2), (2, 2)), pool(x, (2, 2), (2, 2))[:, :, 1:], rtol=1e-6)


def test_max_pooling_commutes_with_whatever_keeps_the_order_of_numbers_and_avg_pooling_with_whatever_is_linear():
    np.testing.assert_array_equal(max_pool(jnp.exp(X), (2, 2)), jnp.exp(max_pool(X, (2, 2))))
    np.testing.assert_allclose(avg_pool(7 - 2 * X, (2, 2)), 7 - 2 * avg_pool(X, (2, 2)), rtol=1e-5)


@pytest.mark.parametrize("padding", ["VALID", "SAME", [(1, 0), (2, 1)]])
def test_average_pooling_is_a_depthwise_convolution_with_equal_weights(padding):
    equal = jnp.full((3, 2, 1, 2), 1 / 6)
    convolved = conv(X, equal, strides=(2, 1), padding=padding, feature_group_count=2)
    np.testing.assert_allclose(avg_pool(X, (3, 2), (2, 1), padding), convolved, rtol=1e-5)


def test_the_gradient_of_max_pooling_goes_to_the_largest_pixel_of_each_window_alone():
    x = X[:, :4]
    slopes = np.asarray(jax.jit(jax.grad(lambda x: max_pool(x, (2, 2), (2, 2)).sum()))(x))
    patches = np.asarray(x).reshape(2, 2, 2, 3, 2, 2)
    largest = patches == patches.max((2, 4), keepdims=True)
    np.testing.assert_array_equal(slopes, largest.reshape(x.shape))


def test_an_image_of_one_colour_keeps_it_where_pixels_outside_do_not_count():
    x = jnp.full((4, 5, 1), -2.0)
    np.testing.assert_array_equal(max_pool(x, (3, 3), padding="SAME"), x)
    np.testing.assert_allclose(avg_pool(x, (3, 3), padding="SAME", count_include_pad=False), x, rtol=1e-6)
    np.testing.assert_allclose(avg_pool(x, (3, 3), padding="SAME")[0, 0, 0], -2 * 4 / 9, rtol=1e-6)


def test_global_average_pooling_is_average_pooling_by_a_window_as_large_as_the_image():
    np.testing.assert_allclose(global_avg_pool(X), avg_pool(X, (5, 6))[:, 0, 0], rtol=1e-5)
    np.testing.assert_allclose(global_avg_pool(X, spatial_axes=1), X.mean(2), rtol=1e-5)


def test_global_average_pooling_does_not_see_where_a_pixel_is():
    moved = random.permutation(np.asarray(X).reshape(2, 30, 2), axis=1).reshape(X.shape)
    np.testing.assert_allclose(global_avg_pool(jnp.asarray(moved)), global_avg_pool(X), rtol=1e-5)


def test_there_may_be_any_number_of_axes_of_space_and_of_batch_axes_none_and_empty_ones_too():
    y = max_pool(X, (2, 2), (2, 2))
    np.testing.assert_array_equal(max_pool(X[0], (2, 2), (2, 2)), y[0])
    np.testing.assert_array_equal(max_pool(X[:, None], (2, 2), (2, 2)), y[:, None])
    np.testing.assert_array_equal(max_pool(X, (1, 2, 2), (1, 2, 2)), y)
    np.testing.assert_array_equal(max_pool(max_pool(X, (2,), (2,)).swapaxes(1, 2), (2,), (2,)).swapaxes(1, 2), y)
    for pool in (max_pool, avg_pool):
        assert pool(X[:0], (2, 2), (2, 2)).shape == (0, 2, 3, 2)
    assert global_avg_pool(X[:0]).shape == (0, 2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: max_pool(X, (6, 2)), r"max_pool .* as large as its window \(6, 2\), got x\.shape=\(2, 5, 6, 2\)"),
        (lambda: avg_pool(X[:, :0], (1, 1)), r"avg_pool expects an image at least as large as its window \(1, 1\)"),
        (lambda: max_pool(X[0, 0], (2, 2)), r"max_pool expects a stride and .*window_shape=\(2, 2\).*x\.shape=\(6, 2\)"),
        (lambda: avg_pool(X, (2, 2), (2,)), r"avg_pool expects a stride .*strides=\(2,\)"),
        (lambda: max_pool(X, (2, 0)), r"max_pool expects sizes and strides of at least 1, got window_shape=\(2, 0\)"),
        (lambda: max_pool(X, (2, 2), (0, 1)), r"max_pool expects sizes and strides of at least 1, .*strides=\(0, 1\)"),
        (lambda: max_pool(X, (2, 2), padding="same"), r"padding SAME, VALID or a pair .* 2 axes .*got 'same'\."),
        (lambda: avg_pool(X, (2, 2), padding=[(1, 1)]), r"avg_pool expects padding SAME, VALID or a pair .*got \[\(1, 1\)\]\."),
        (lambda: global_avg_pool(X[0, 0]), r"global_avg_pool expects 2 axes of space, .*got x\.shape=\(6, 2\)"),
        (lambda: global_avg_pool(X[:, :0]), r"none of them empty, .*got x\.shape=\(2, 0, 6, 2\)"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(call, message, without_type_checks):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(("dtype", "value", "size"), [(jnp.bfloat16, 1, 32), (jnp.float16, 1000, 16)])
def test_a_mean_is_right_where_the_sum_has_no_room_in_half_precision(dtype, value, size):
    image = jnp.full((size, size, 1), value, dtype)
    for mean in (avg_pool(image, (size, size))[0, 0], avg_pool(image, (size, size), count_include_pad=False)[0, 0]):
        assert mean.dtype == dtype and mean == value


@pytest.mark.parametrize("strides", [(2, 2), (1, 1)])
@pytest.mark.parametrize("dtype", [jnp.uint8, jnp.int32])
def test_whole_numbers_have_a_largest_one_and_a_mean_that_is_not_cut_off(dtype, strides, without_type_checks):
    image = jnp.arange(16, dtype=dtype).reshape(1, 4, 4, 1)
    largest, mean = max_pool(image, (2, 2), strides), avg_pool(image, (2, 2), strides)
    assert largest.dtype == dtype and mean.dtype == jnp.float32
    assert largest[0, 0, 0, 0] == 5 and mean[0, 0, 0, 0] == 2.5
