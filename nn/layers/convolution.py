"""Convolution: one small pattern of weights, slid over all positions. What is learned in one place holds in every other."""

from collections.abc import Sequence
from math import prod

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from nn.kernels.convolution import (
    LAYOUTS,
    convolve_by_blocks,
    convolve_one_channel,
    convolve_transposed_by_blocks,
    suits_blocks,
    suits_blocks_transposed,
    suits_one_channel,
)
from nn.layers.initializers import Initializer, lecun_normal, zeros
from nn.layers.shapes import require_positive

Sizes = int | Sequence[int]
Padding = str | int | Sequence[int | tuple[int, int]]  # "SAME", "VALID", or how many zeros


def conv2d(
    x: Float[Array, "*batch height width inputs"],
    kernel: Float[Array, "rows columns inputs outputs"],
    strides: tuple[int, int] = (1, 1),
) -> Float[Array, "*batch height_out width_out outputs"]:
    """y[p] = Σ_w x[strides · p + w] W[w], w over the window: one shifted image, times one matrix, for each position in it.

    The equation, to be read. `conv` with padding "VALID" gives the same and is quicker.

    Args:
      x: images; any number of leading axes.
      kernel: W, a matrix from inputs to outputs for every position in the window.
      strides: how far the window moves down and across from one output to the next.

    Returns:
      The outputs at those places where the whole window is inside the image.

    Raises:
      ValueError: if the image is smaller than the window, or has other features than the kernel.

    Reference: Goodfellow, Bengio and Courville 2016, "Deep Learning", eq. 9.6.
    """
    (height, width, features), (rows, columns, inputs, _) = x.shape[-3:], kernel.shape
    if height < rows or width < columns or features != inputs:
        raise ValueError(
            f"conv2d expects images of at least {rows} × {columns} pixels with {inputs} features, got x.shape={x.shape}."
        )
    down, across = strides
    below, right = height - rows + 1, width - columns + 1  # how far the window's first corner may go
    terms = [
        x[..., i : i + below : down, j : j + right : across, :] @ kernel[i, j] for i in range(rows) for j in range(columns)
    ]
    return sum(terms[1:], start=terms[0])


def conv(
    x: Float[Array, "*batch_and_space inputs"],
    kernel: Float[Array, "*window inputs_of_a_group outputs"],
    bias: Float[Array, " outputs"] | None = None,
    *,
    strides: Sizes = 1,
    padding: Padding = "SAME",
    kernel_dilation: Sizes = 1,
    feature_group_count: int = 1,
) -> Float[Array, "*batch_and_space_out outputs"]:
    """y[p] = Σ_w x[strides · p + kernel_dilation · w − before] W[w] + b, w over the window, x zero outside the image.

    (What mathematicians call cross-correlation: the kernel is not flipped.)

    Args:
      x: any number of batch axes, then as many axes of space as the window has (one, two or three), then the inputs.
      kernel: W, a matrix from inputs to outputs for every position in the window.
      bias: b, or None for none.
      strides: how far the window moves from one output to the next, one number or one per axis.
      padding: how many zeros stand before and after the image. "VALID": none. "SAME": as few as make the output
        ⌈size / stride⌉ long, one more after than before where they are odd in number. Or a number, one per axis, or a pair
        (before, after) per axis.
      kernel_dilation: the distance between neighbours in the window.
      feature_group_count: into how many groups inputs and outputs are divided; each output sees its own group of inputs
        only. As many groups as inputs is a *depthwise* convolution.

    Returns:
      Batch axes, axes of space, outputs. An axis is (size + zeros − reach) // stride + 1 long, where the window's reach is
      kernel_dilation · (window − 1) + 1.

    Raises:
      ValueError: if x has too few axes or other features than the kernel, groups do not divide them, or the padded image is
        smaller than the window.

    Reference: Goodfellow, Bengio and Courville 2016, "Deep Learning", eq. 9.6; Dumoulin and Visin 2016, "A guide to
    convolution arithmetic for deep learning", relationship 6.
    """
    window = kernel.shape[:-2]
    _require_image("conv", x, len(window), kernel.shape[-2] * feature_group_count)
    _require_groups("conv", x.shape[-1], kernel.shape[-1], feature_group_count)
    strides, dilation = _per_axis("strides", strides, window), _per_axis("kernel_dilation", kernel_dilation, window)
    batch, space = x.shape[: -len(window) - 1], x.shape[-len(window) - 1 : -1]
    reach = _reach(window, dilation)
    pads = _padding(padding, space, reach, strides)
    if any(size + before + after < r for size, (before, after), r in zip(space, pads, reach, strict=True)):
        raise ValueError(
            f"conv expects an image at least as large as its window, which reaches over {_sizes(reach)} positions, got "
            f"x.shape={x.shape} with padding={padding!r}."
        )
    y = _convolve(x, kernel, batch, strides=strides, pads=pads, dilation=dilation, groups=feature_group_count)
    return y if bias is None else _add_bias(y, bias)


def conv_transpose(
    x: Float[Array, "*batch_and_space inputs"],
    kernel: Float[Array, "*window first second"],
    bias: Float[Array, " outputs"] | None = None,
    *,
    strides: Sizes = 1,
    padding: Padding = "SAME",
    kernel_dilation: Sizes = 1,
    transpose_kernel: bool = False,
) -> Float[Array, "*batch_and_space_out outputs"]:
    """The way back from a strided convolution: strides − 1 zeros between the pixels of x, then a convolution of stride 1.

    With `transpose_kernel` it is the adjoint of `conv` with the same kernel and strides and padding SAME or VALID:
    ⟨conv(u), x⟩ = ⟨u, conv_transpose(x)⟩ for all u and x whose sizes fit: with SAME, where the stride divides u's. It is how
    the gradient comes back through a convolution.

    Args:
      x: any number of batch axes, axes of space, inputs.
      kernel: (*window, inputs, outputs), or (*window, outputs, inputs) with `transpose_kernel`.
      bias: one number per output, or None for none.
      strides: how many times larger the output is, one number or one per axis.
      padding: "SAME": the output is strides times as large. "VALID": every overlap with the window counts, so that the
        output is larger by the window's reach − strides where that is positive. Or the zeros around the image spread out.
      kernel_dilation: the distance between neighbours in the window.
      transpose_kernel: whether to turn the kernel round in space and from outputs to inputs.

    Raises:
      ValueError: if x has too few axes or other features than the kernel, or explicit padding leaves nothing.

    Reference: Dumoulin and Visin 2016, "A guide to convolution arithmetic for deep learning", section 4.
    """
    window = kernel.shape[:-2]
    if transpose_kernel:
        kernel = jnp.flip(kernel, range(len(window))).swapaxes(-1, -2)
    _require_image("conv_transpose", x, len(window), kernel.shape[-2])
    strides, dilation = _per_axis("strides", strides, window), _per_axis("kernel_dilation", kernel_dilation, window)
    batch, space = x.shape[: -len(window) - 1], x.shape[-len(window) - 1 : -1]
    reach = _reach(window, dilation)
    if padding == "SAME":
        pads = [_same_transposed(r, s) for r, s in zip(reach, strides, strict=True)]
    elif padding == "VALID":
        pads = [(r - 1, max(r, s) - 1) for r, s in zip(reach, strides, strict=True)]
    else:
        pads = _padding(padding, space, reach, strides)
    spread = [(size - 1) * s + 1 for size, s in zip(space, strides, strict=True)]
    if any(size + before + after < r for size, (before, after), r in zip(spread, pads, reach, strict=True)):
        raise ValueError(
            f"conv_transpose expects an image that is, spread out and padded, at least as large as its window, which reaches "
            f"over {_sizes(reach)} positions, got x.shape={x.shape} with padding={padding!r}."
        )
    ones = (1,) * len(window)
    y = _convolve(x, kernel, batch, strides=ones, pads=pads, dilation=dilation, spread=strides)
    return y if bias is None else _add_bias(y, bias)


def same_padding(size: int, window: int, stride: int = 1) -> tuple[int, int]:
    """How many zeros the padding "SAME" puts (before, after) one axis of an image.

    They are as few as make the output ⌈size / stride⌉ long: one output for every stride begun, so that stride 1 keeps the
    size. Where their number is odd, the odd one comes after.

    Args:
      size: how many pixels the axis has.
      window: how many pixels the window reaches over.
      stride: how far the window moves from one output to the next.

    Raises:
      ValueError: if the window or the stride is below 1.

    Reference: Dumoulin and Visin 2016, "A guide to convolution arithmetic for deep learning", relationship 6, solved for the
    padding.
    """
    if window < 1 or stride < 1:
        raise ValueError(f"same_padding expects a window and a stride of at least 1, got window={window}, stride={stride}.")
    outputs = -(-size // stride)
    zeros_needed = max((outputs - 1) * stride + window - size, 0)
    return zeros_needed // 2, zeros_needed - zeros_needed // 2


def receptive_field(layers: Sequence[tuple[int, int]]) -> int:
    """How many pixels wide the view of one output is, behind a stack of convolutions and poolings, along one axis.

    From the first pixel that the output can depend on to the last, both included.

    Args:
      layers: (window, stride) of each layer, from the image on.

    Raises:
      ValueError: if a window or a stride is below 1.

    Reference: Araujo, Norris and Sim 2019, "Computing Receptive Fields of Convolutional Neural Networks", Distill.
    """
    pixels, step = 1, 1  # seen by one output; between two neighbouring outputs
    for window, stride in layers:
        if window < 1 or stride < 1:
            raise ValueError(f"receptive_field expects windows and strides of at least 1, got {(window, stride)}.")
        pixels += (window - 1) * step
        step *= stride
    return pixels


def _add_bias(y, bias):
    # In float32: the gradient of the bias is a sum over all places. Of bfloat16, XLA for a CPU takes up to 40 times as long.
    wide = jnp.promote_types(y.dtype, jnp.float32)
    return (y.astype(wide) + jnp.broadcast_to(bias.astype(wide), y.shape)).astype(jnp.result_type(y, bias))


def _convolve(x, kernel, batch, *, strides, pads, dilation, spread=None, groups=1):
    """XLA's convolution, which knows one batch axis and one dtype, or a quicker form of it."""
    dtype = jnp.result_type(x, kernel)
    images, kernel = x.reshape(prod(batch), *x.shape[len(batch) :]).astype(dtype), kernel.astype(dtype)
    plain, pads = groups == 1 and set(dilation) == {1}, tuple(pads)
    if plain and spread is None and suits_one_channel(images, kernel) and min(map(min, pads)) >= 0:
        y = convolve_one_channel(images, kernel, strides, pads)
    elif plain and spread is None and suits_blocks(images, kernel, strides, pads):
        y = convolve_by_blocks(images, kernel, strides, pads)
    elif plain and spread is not None and suits_blocks_transposed(images, kernel, spread):
        y = convolve_transposed_by_blocks(images, kernel, spread, pads)
    else:
        y = jax.lax.conv_general_dilated(
            images,
            kernel,
            strides,
            pads,
            lhs_dilation=spread,
            rhs_dilation=dilation,
            dimension_numbers=LAYOUTS[len(strides)],
            feature_group_count=groups,
        )
    return y.reshape(*batch, *y.shape[1:])


def _padding(padding, space, reach, strides) -> list[tuple[int, int]]:
    """The zeros before and after, axis by axis."""
    if padding == "VALID":
        return [(0, 0)] * len(space)
    if padding == "SAME":
        return [same_padding(size, r, s) for size, r, s in zip(space, reach, strides, strict=True)]
    per_axis = (padding,) * len(space) if isinstance(padding, int) else padding
    if isinstance(per_axis, str) or len(per_axis) != len(space):
        raise ValueError(
            f"padding is SAME, VALID, a number, or a number or pair for each of {len(space)} axes of space, got {padding!r}."
        )
    return [(p, p) if isinstance(p, int) else (p[0], p[1]) for p in per_axis]


def _same_transposed(reach: int, stride: int) -> tuple[int, int]:
    """The zeros around the spread-out image that make the output stride times as long."""
    zeros_needed = reach + stride - 2
    before = reach - 1 if stride > reach - 1 else -(-zeros_needed // 2)
    return before, zeros_needed - before


def _reach(window, dilation) -> tuple[int, ...]:
    return tuple(d * (w - 1) + 1 for w, d in zip(window, dilation, strict=True))


def _per_axis(name: str, sizes: Sizes, window) -> tuple[int, ...]:
    sizes = (sizes,) * len(window) if isinstance(sizes, int) else tuple(sizes)
    if len(sizes) != len(window) or min(sizes) < 1:
        raise ValueError(f"A window of {len(window)} axes expects as many {name} of at least 1, got {name}={sizes}.")
    return sizes


def _require_image(layer: str, x: Array, axes: int, features: int) -> None:
    if axes not in LAYOUTS:
        raise ValueError(f"{layer} expects a window of one, two or three axes, got {axes}.")
    if x.ndim < axes + 1 or x.shape[-1] != features:
        space = ", ".join({"D": "depth", "H": "height", "W": "width"}[axis] for axis in LAYOUTS[axes][0][1:-1])
        raise ValueError(f"{layer} expects x of shape (*batch, {space}, {features}), got x.shape={x.shape}.")


def _require_groups(layer: str, inputs: int, outputs: int, groups: int) -> None:
    if groups < 1 or inputs % groups or outputs % groups:
        raise ValueError(f"{layer} expects groups that divide {inputs} inputs and {outputs} outputs, got {groups} groups.")


def _sizes(sizes: Sequence[int]) -> str:
    return " × ".join(map(str, sizes))


class Conv(nnx.Module):
    """A convolution with learned weights: `kernel` (*kernel_size, in_features / groups, out_features), `bias` (out_features,).

    A drop-in for `flax.nnx.Conv`.

    Args:
      in_features: size of the last axis of the input.
      out_features: size of the last axis of the output.
      kernel_size: the window, one number per axis of space; a plain number is a window of one axis.
      strides: how far the window moves from one output to the next, one number or one per axis.
      padding: "SAME", "VALID", or the zeros before and after, as in `conv`.
      kernel_dilation: the distance between neighbours in the window.
      feature_group_count: into how many groups inputs and outputs are divided.
      use_bias: whether to add a bias.
      kernel_init: draws the kernel. LeCun's normal counts every input in the window.
      bias_init: draws the bias.
      rngs: where the random keys come from.

    Raises:
      ValueError: if a size is below 1 or the groups do not divide the features, or, from a call, as `conv` does.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        kernel_size: Sizes,
        strides: Sizes = 1,
        *,
        padding: Padding = "SAME",
        kernel_dilation: Sizes = 1,
        feature_group_count: int = 1,
        use_bias: bool = True,
        kernel_init: Initializer | None = None,
        bias_init: Initializer = zeros,
        rngs: nnx.Rngs,
    ):
        window = (kernel_size,) if isinstance(kernel_size, int) else tuple(kernel_size)
        require_positive("Conv", in_features=in_features, out_features=out_features, kernel_size=min(window, default=0))
        _require_groups("Conv", in_features, out_features, feature_group_count)
        self.in_features, self.out_features, self.kernel_size = in_features, out_features, window
        self.strides, self.padding = _per_axis("strides", strides, window), _hashable(padding)
        self.kernel_dilation = _per_axis("kernel_dilation", kernel_dilation, window)
        self.feature_group_count = feature_group_count
        kernel_init = lecun_normal() if kernel_init is None else kernel_init
        shape = (*window, in_features // feature_group_count, out_features)
        self.kernel = nnx.Param(kernel_init(rngs.params(), shape, jnp.float32))
        self.bias = nnx.Param(bias_init(rngs.params(), (out_features,), jnp.float32)) if use_bias else None

    def __call__(self, x: Float[Array, "*batch_and_space inputs"]) -> Float[Array, "*batch_and_space_out outputs"]:
        _require_image("Conv", x, len(self.kernel_size), self.in_features)
        return conv(
            x,
            self.kernel[...],
            None if self.bias is None else self.bias[...],
            strides=self.strides,
            padding=self.padding,
            kernel_dilation=self.kernel_dilation,
            feature_group_count=self.feature_group_count,
        )


class ConvTranspose(nnx.Module):
    """A transposed convolution with learned weights: `kernel` (*kernel_size, in_features, out_features), `bias`.

    It makes images larger where `Conv` makes them smaller. A drop-in for `flax.nnx.ConvTranspose`.

    Args:
      in_features: size of the last axis of the input.
      out_features: size of the last axis of the output.
      kernel_size: the window, one number per axis of space; a plain number is a window of one axis.
      strides: how many times larger the output is, one number or one per axis.
      padding: "SAME", "VALID", or the zeros before and after, as in `conv_transpose`.
      kernel_dilation: the distance between neighbours in the window.
      use_bias: whether to add a bias.
      kernel_init: draws the kernel.
      bias_init: draws the bias.
      transpose_kernel: whether the kernel is (*kernel_size, out_features, in_features) and turned round, as the adjoint of
        a `Conv` has it.
      rngs: where the random keys come from.

    Raises:
      ValueError: if a size is below 1, or, from a call, as `conv_transpose` does.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        kernel_size: Sizes,
        strides: Sizes = 1,
        *,
        padding: Padding = "SAME",
        kernel_dilation: Sizes = 1,
        use_bias: bool = True,
        kernel_init: Initializer | None = None,
        bias_init: Initializer = zeros,
        transpose_kernel: bool = False,
        rngs: nnx.Rngs,
    ):
        window = (kernel_size,) if isinstance(kernel_size, int) else tuple(kernel_size)
        sizes = dict(in_features=in_features, out_features=out_features, kernel_size=min(window, default=0))
        require_positive("ConvTranspose", **sizes)
        self.in_features, self.out_features, self.kernel_size = in_features, out_features, window
        self.strides, self.padding = _per_axis("strides", strides, window), _hashable(padding)
        self.kernel_dilation = _per_axis("kernel_dilation", kernel_dilation, window)
        self.transpose_kernel = transpose_kernel
        kernel_init = lecun_normal() if kernel_init is None else kernel_init
        features = (out_features, in_features) if transpose_kernel else (in_features, out_features)
        self.kernel = nnx.Param(kernel_init(rngs.params(), (*window, *features), jnp.float32))
        self.bias = nnx.Param(bias_init(rngs.params(), (out_features,), jnp.float32)) if use_bias else None

    def __call__(self, x: Float[Array, "*batch_and_space inputs"]) -> Float[Array, "*batch_and_space_out outputs"]:
        _require_image("ConvTranspose", x, len(self.kernel_size), self.in_features)
        return conv_transpose(
            x,
            self.kernel[...],
            None if self.bias is None else self.bias[...],
            strides=self.strides,
            padding=self.padding,
            kernel_dilation=self.kernel_dilation,
            transpose_kernel=self.transpose_kernel,
        )


def _hashable(padding: Padding) -> Padding:
    """Lists become tuples: NNX keeps what is not an array in the model's definition, which must be hashable."""
    if isinstance(padding, str | int):
        return padding
    return tuple(p if isinstance(p, int) else (p[0], p[1]) for p in padding)
