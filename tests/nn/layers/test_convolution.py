import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from nn.layers import (
    Conv,
    ConvTranspose,
    conv,
    conv2d,
    conv_transpose,
    linear,
    receptive_field,
    same_padding,
    zeros,
)

random = np.random.default_rng(0)


def single(array):
    return jnp.asarray(array, jnp.float32)


def noise(*shape):
    return random.normal(size=shape)


def conv_64(x, kernel, *, strides, pads, dilation, groups):
    """The equation in float64, position by position: x (batch, *space, inputs), every setting axis by axis."""
    *window, inputs, outputs = kernel.shape
    x = np.pad(x, [(0, 0), *pads, (0, 0)])
    reach = [d * (w - 1) + 1 for w, d in zip(window, dilation, strict=True)]
    space = [(size - r) // s + 1 for size, r, s in zip(x.shape[1:-1], reach, strides, strict=True)]
    y = np.zeros((len(x), *space, outputs))
    for p in np.ndindex(*space):
        for w in np.ndindex(*window):
            at = tuple(s * i + d * j for s, i, d, j in zip(strides, p, dilation, w, strict=True))
            for o in range(outputs):
                group = o // (outputs // groups)
                seen = x[(slice(None), *at, slice(group * inputs, (group + 1) * inputs))]
                y[(slice(None), *p, o)] += seen @ kernel[(*w, slice(None), o)]
    return y


# x, kernel, settings of conv, and the zeros that they stand for
CASES = {
    "1 axis, SAME, stride 2, dilated": (
        noise(2, 6, 2), noise(3, 2, 3), dict(strides=2, padding="SAME", kernel_dilation=2), [(1, 2)],
    ),
    "2 axes, SAME, two groups": (
        noise(1, 5, 4, 4), noise(3, 2, 2, 4), dict(strides=(2, 1), padding="SAME", feature_group_count=2), [(1, 1), (0, 1)],
    ),
    "2 axes, zeros said": (noise(2, 4, 4, 1), noise(2, 3, 1, 2), dict(padding=[(2, 0), 1]), [(2, 0), (1, 1)]),
    "3 axes, VALID": (noise(1, 3, 4, 3, 2), noise(2, 3, 2, 2, 2), dict(strides=(1, 1, 2), padding="VALID"), [(0, 0)] * 3),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_values_and_all_gradients_are_those_of_the_sum_in_float64(name, measured_gradient):
    x, kernel, settings, pads = CASES[name]
    axes, bias = kernel.ndim - 2, noise(kernel.shape[-1])

    def per_axis(size):
        return (size,) * axes if isinstance(size, int) else size

    def exact(x, kernel, bias):
        strides, dilation = per_axis(settings.get("strides", 1)), per_axis(settings.get("kernel_dilation", 1))
        groups = settings.get("feature_group_count", 1)
        return conv_64(x, kernel, strides=strides, pads=pads, dilation=dilation, groups=groups) + bias

    expected = exact(x, kernel, bias)
    weights = np.sin(np.arange(expected.size)).reshape(expected.shape)

    @jax.jit
    def outcome(*arrays):
        def loss(*arrays):
            y = conv(*arrays, **settings)
            return (single(weights) * y).sum(), y

        return jax.grad(loss, argnums=(0, 1, 2), has_aux=True)(*arrays)

    arrays = (x, kernel, bias)
    gradients, y = outcome(*map(single, arrays))
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5)
    for i, gradient in enumerate(gradients):

        def loss(array, i=i):
            return (weights * exact(*(array if i == j else other for j, other in enumerate(arrays)))).sum()

        np.testing.assert_allclose(gradient, measured_gradient(loss, arrays[i]), rtol=1e-3, atol=1e-4)


EMPTY = {"kernel_init": zeros, "rngs": nnx.Rngs(0)}  # to begin with zeros takes no compiling
X, KERNEL = single(noise(2, 8, 9, 2)), single(noise(3, 2, 2, 4))


def test_convolution_commutes_with_shifts():
    """A pattern that moves in the image moves as far in the output, by whole strides where the window takes such."""
    y = conv(X, KERNEL, padding="VALID")
    np.testing.assert_allclose(conv(X[:, 1:, 2:], KERNEL, padding="VALID"), y[:, 1:, 2:], rtol=1e-5, atol=1e-5)
    y = conv(X, KERNEL, strides=(2, 3), padding="VALID")
    np.testing.assert_allclose(conv(X[:, 2:, 3:], KERNEL, strides=(2, 3), padding="VALID"), y[:, 1:, 1:], rtol=1e-5, atol=1e-5)


def test_a_convolution_of_1_by_1_is_a_linear_map_at_every_pixel():
    kernel, bias = single(noise(2, 4)), single(noise(4))
    np.testing.assert_allclose(conv(X, kernel[None, None], bias), linear(X, kernel, bias), rtol=1e-5, atol=1e-5)


def test_a_convolution_whose_window_is_the_image_is_a_linear_layer_on_all_of_it():
    kernel = single(noise(8, 9, 2, 3))
    y = conv(X, kernel, padding="VALID")
    np.testing.assert_allclose(y[:, 0, 0], linear(X.reshape(2, -1), kernel.reshape(-1, 3)), rtol=1e-4, atol=1e-4)


def test_the_kernel_is_not_flipped():
    """A kernel that is 1 at its right end looks one pixel to the right."""
    x = jnp.arange(1.0, 6.0).reshape(1, 5, 1)
    np.testing.assert_array_equal(conv(x, jnp.array([0.0, 0.0, 1.0]).reshape(3, 1, 1))[0, :, 0], [2, 3, 4, 5, 0])


@pytest.mark.parametrize(
    ("layers", "pixels"), [([(3, 1), (3, 1)], 5), ([(2, 2), (3, 1), (2, 3), (2, 1)], 14), ([], 1), ([(4, 3)], 4)]
)
def test_the_receptive_field_is_how_many_pixels_have_a_slope(layers, pixels):
    """Two windows of three see as far as one of five; behind a stride, each further one sees stride times as far."""

    def network(x):
        for window, stride in layers:
            x = conv(x, jnp.ones((window, 1, 1)), strides=stride, padding="VALID")
        return x[1 if layers else 3, 0]

    assert receptive_field(layers) == pixels
    assert (jax.grad(network)(jnp.zeros((40, 1))) > 0).sum() == pixels


def test_a_sum_of_shifted_images_is_the_convolution():
    images = X[:, None]
    plain = conv2d(images, KERNEL, (2, 3))
    np.testing.assert_allclose(plain, conv(images, KERNEL, strides=(2, 3), padding="VALID"), rtol=1e-5, atol=1e-5)


def test_same_padding_is_the_least_that_leaves_an_output_for_every_stride_begun():
    for size in range(1, 8):
        for window in range(1, 6):
            for stride in range(1, 5):
                before, after = same_padding(size, window, stride)
                assert 0 <= before <= after <= before + 1

                def outputs(zeros, size=size, window=window, stride=stride):
                    return (size + zeros - window) // stride + 1

                assert outputs(before + after) == -(-size // stride)
                assert before + after == 0 or outputs(before + after - 1) < -(-size // stride)


def test_a_depthwise_convolution_is_one_convolution_for_each_channel():
    kernel = single(noise(3, 2, 1, 2))
    alone = [conv(X[..., i : i + 1], kernel[..., i : i + 1]) for i in range(2)]
    y = conv(X, kernel, feature_group_count=2)
    np.testing.assert_allclose(y, jnp.concatenate(alone, -1), rtol=1e-5, atol=1e-5)


ADJOINTS = [
    # image, window, strides, dilation, padding of conv, padding of conv_transpose
    ((6, 6), (3, 3), (1, 1), (1, 1), "SAME", "SAME"),
    ((6, 8), (3, 2), (2, 4), (1, 1), "SAME", "SAME"),
    ((7, 10), (3, 2), (2, 3), (1, 1), "VALID", "VALID"),  # the last columns are left over
    ((9,), (3,), (2,), (2,), "VALID", "VALID"),
    ((7,), (4,), (1,), (1,), ((1, 3),), ((2, 0),)),
]


@pytest.mark.parametrize(("space", "window", "strides", "dilation", "padding", "back"), ADJOINTS)
def test_a_transposed_convolution_is_the_adjoint_of_the_convolution(space, window, strides, dilation, padding, back):
    u, kernel = single(noise(2, *space, 2)), single(noise(*window, 2, 3))
    y = conv(u, kernel, strides=strides, kernel_dilation=dilation, padding=padding)
    x = single(noise(*y.shape))
    returned = conv_transpose(x, kernel, strides=strides, kernel_dilation=dilation, padding=back, transpose_kernel=True)
    np.testing.assert_allclose((y * x).sum(), (u[tuple(map(slice, returned.shape))] * returned).sum(), rtol=1e-4, atol=1e-4)


def test_a_kernel_already_turned_round_needs_no_transposing():
    kernel = single(noise(3, 2, 2, 4))
    turned = jnp.flip(kernel, (0, 1)).swapaxes(-1, -2)
    plain = conv_transpose(X, kernel, strides=(1, 2))
    np.testing.assert_allclose(plain, conv_transpose(X, turned, strides=(1, 2), transpose_kernel=True), rtol=1e-5, atol=1e-5)


def test_each_pixel_stamps_the_kernel_into_a_larger_image():
    x, kernel = single(noise(3, 2, 1)), single(noise(2, 2, 1, 1))
    y = conv_transpose(x, kernel, strides=2, transpose_kernel=True)
    np.testing.assert_allclose(y[..., 0], np.kron(x[..., 0], kernel[..., 0, 0]), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("function", [conv, conv_transpose])
def test_there_may_be_any_number_of_batch_axes_none_and_empty_ones_too(function):
    y = function(X, KERNEL)
    np.testing.assert_allclose(function(X.reshape(2, 1, 8, 9, 2), KERNEL), y[:, None], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(function(X[0], KERNEL), y[0], rtol=1e-5, atol=1e-5)
    assert function(X[:0], KERNEL).shape == (0, *y.shape[1:])
    assert function(X[None, :0], KERNEL).shape == (1, 0, *y.shape[1:])


def test_a_same_convolution_leaves_an_output_for_every_stride_begun_and_its_transpose_brings_the_size_back():
    for size in (6, 7):
        x = jnp.zeros((size, 1))
        assert jax.eval_shape(lambda x: conv(x, jnp.zeros((4, 1, 1)), strides=3), x).shape == (-(-size // 3), 1)
    assert jax.eval_shape(lambda x: conv_transpose(x, jnp.zeros((4, 1, 1)), strides=3), jnp.zeros((2, 1))).shape == (6, 1)


@pytest.mark.parametrize("window", [2, 5])
def test_a_valid_transpose_keeps_all_that_a_pixel_stamps_or_else_its_whole_stride(window):
    shape = jax.eval_shape(
        lambda x: conv_transpose(x, jnp.zeros((window, 1, 1)), strides=3, padding="VALID"), jnp.zeros((2, 1))
    )
    assert shape.shape == (3 + max(window, 3), 1)


def test_lists_of_padding_are_kept_as_constants_so_that_the_layer_can_be_compiled():
    layer = Conv(2, 4, (3, 2), padding=[(1, 1), 0], **EMPTY)
    graphdef, state = nnx.split(layer)
    compiled = jax.jit(lambda graphdef, state, x: nnx.merge(graphdef, state)(x), static_argnums=0)
    assert compiled(graphdef, state, X).shape == (2, 8, 8, 4)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: conv(X[0, 0], KERNEL), r"conv expects x of shape \(\*batch, height, width, 2\), got x\.shape=\(9, 2\)\."),
        (lambda: conv(X[..., :1], KERNEL), r"conv expects x of shape .* 2\), got x\.shape=\(2, 8, 9, 1\)\."),
        (lambda: conv(X, KERNEL, feature_group_count=2), r"\(\*batch, height, width, 4\), got"),
        (lambda: conv(X, KERNEL[:, :, :1, :3], feature_group_count=2), r"divide 2 inputs and 3 outputs, got 2 groups\."),
        (lambda: conv(X, jnp.ones((3, 10, 2, 1)), padding="VALID"), r"window, .* 3 × 10 .*padding='VALID'\."),
        (lambda: conv(X, KERNEL, kernel_dilation=(5, 1), padding="VALID"), r"reaches over 11 × 2 positions, got x\.shape="),
        (lambda: conv(X[:, :0], KERNEL), r"at least as large as its window, .*got x\.shape=\(2, 0, 9, 2\)"),
        (lambda: conv(X, KERNEL[0, 0]), r"window of one, two or three axes, got 0\."),
        (lambda: conv(X, KERNEL[None, None]), r"window of one, two or three axes, got 4\."),
        (lambda: conv(X, KERNEL, strides=(1, 1, 1)), r"window of 2 axes expects as many strides .*strides=\(1, 1, 1\)\."),
        (lambda: conv(X, KERNEL, strides=0), r"strides of at least 1, got strides=\(0, 0\)\."),
        (lambda: conv(X, KERNEL, kernel_dilation=0), r"kernel_dilation of at least 1, got kernel_dilation=\(0, 0\)\."),
        (lambda: conv(X, KERNEL, padding="same"), r"SAME, VALID, a number, .* got 'same'\."),
        (lambda: conv(X, KERNEL, padding=(1, 1, 1)), r"each of 2 axes of space, got \(1, 1, 1\)\."),
        (lambda: conv2d(X, KERNEL[:, :, :1]), r"conv2d expects .* 3 × 2 pixels with 1 features, got x\.shape=\(2, 8, 9, 2\)"),
        (lambda: conv2d(X[:, :2], KERNEL), r"conv2d expects images of at least 3 × 2 pixels .*got x\.shape=\(2, 2, 9, 2\)"),
        (lambda: same_padding(5, 0), r"same_padding expects a window and a stride of at least 1, got window=0, stride=1\."),
        (lambda: receptive_field([(3, 1), (3, 0)]), r"receptive_field expects .* of at least 1, got \(3, 0\)\."),
        (lambda: conv_transpose(X, KERNEL[:, :, :1]), r"conv_transpose expects x of shape \(\*batch, height, width, 1\)"),
        (lambda: conv_transpose(X[:, :1], KERNEL, padding=0), r"spread out and padded, .* over 3 × 2 .*\(2, 1, 9, 2\)"),
        (lambda: Conv(2, 3, 3, **EMPTY)(X[0, 0, :, :1]), r"Conv expects x of shape \(\*batch, width, 2\), got"),
        (lambda: ConvTranspose(2, 3, (1, 1, 1), **EMPTY)(X[0]), r"depth, height, width, 2\)"),
        (lambda: Conv(2, 3, 3, feature_group_count=2, **EMPTY), r"Conv expects groups that divide"),
        (lambda: Conv(0, 3, 3, **EMPTY), r"Conv expects in_features of at least 1, got in_features=0\."),
        (lambda: Conv(2, 3, (3, 0), **EMPTY), r"Conv expects kernel_size of at least 1, got kernel_size=0\."),
        (lambda: ConvTranspose(2, 0, 3, **EMPTY), r"ConvTranspose expects out_features of at least 1"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(call, message, without_type_checks):
    with pytest.raises(ValueError, match=message):
        call()


def test_lists_of_sizes_make_a_model_that_compiles():
    layer = Conv(1, 1, [2, 2], strides=[2, 1], kernel_dilation=[1, 2], padding=[(0, 0), (1, 1)], rngs=nnx.Rngs(0))
    assert nnx.jit(lambda layer, x: layer(x))(layer, jnp.ones((1, 4, 4, 1))).shape == (1, 2, 4, 1)
    with pytest.raises(ValueError, match=r"expects as many strides of at least 1, got strides=\(2, 0\)"):
        Conv(1, 1, (2, 2), strides=(2, 0), rngs=nnx.Rngs(0))


def test_negative_padding_cuts_the_image_on_one_channel_as_on_several():
    """Few filters on one channel go another way than the rest."""
    x, kernel = random.normal(size=(2, 6, 5, 1)), random.normal(size=(2, 3, 1, 4))
    x, kernel = jnp.asarray(x, jnp.float32), jnp.asarray(kernel, jnp.float32)
    cut = conv(x[:, 1:-1, 1:-1], kernel, padding="VALID")
    np.testing.assert_allclose(conv(x, kernel, padding=-1), cut, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("function", [conv, conv_transpose])
def test_a_bias_of_half_precision_is_added_in_float32_and_its_gradient_is_a_sum_in_float32(function):
    half = jnp.bfloat16
    x, kernel, bias = jnp.ones((3, 20, 20, 1), half), jnp.ones((1, 1, 1, 2), half), jnp.array([2**-8, -1], half)
    y, back = jax.vjp(lambda bias: function(x, kernel, bias), bias)
    assert y.dtype == half
    np.testing.assert_array_equal(y[0, 0, 0], jnp.array([1 + 2**-8, 0], half))
    np.testing.assert_array_equal(back(jnp.ones_like(y))[0], jnp.array([1200, 1200], half))
    assert function(x, kernel, bias.astype(jnp.float32)).dtype == jnp.float32  # as in any sum of the two
