"""Convolution where XLA's own is slow on a CPU: images of a single channel, gradients for a kernel, and strides transposed.

One channel. XLA makes a matrix of every window, with as many columns as the window has places, and multiplies it with the
kernel. With one channel and few filters that matrix costs more than the product saves: shifted images are added up instead.
For 16 images of 28 × 28 and six filters of 5 × 5 they take a ninth of the time on one core. Backwards XLA's forms are the
quicker ones, so the derivatives are XLA's.

Gradients for the kernel. P holds the windows, a row for each place where the window stands. With g the gradient of y:

    y = P W        dx = g Wᵀ, each window added to where it was taken        dW = Pᵀ g

The first two XLA has well at stride 1. For dW it takes all images and all of g at once, and is slow where g is larger than a
core's cache. Here a few images are taken at a time, so that their part of P, which is written and read but never kept, stays
in the cache. A transposed convolution changes the first two lines: y = x Wᵀ, each window added to where it belongs, and so
dW = P(g)ᵀ x, the windows being those of g. XLA's own dW is slower still there. The operations are 2 for each number of P and
output (in P(g)ᵀ x: input). How many times as fast dW is on one core:

    3 × 3, stride 1        128 images of 28 × 28, 32 channels to 64    2.1
                           128 images of 28 × 28, 1 channel to 32      2.6
                            32 images of 14 × 14, 32 channels to 64    1.1
                            16 images of 7 × 7, 16 channels to 16      0.7, and is left to XLA
    4 × 4, stride 2         64 images of 14 × 14, 64 channels to 128   1.3
    the same, transposed    64 images of 7 × 7, 128 channels to 64     28
                            64 images of 7 × 7, 64 channels to 32      17

Windows added up. Where strides divide the window, it is a few neighbouring squares as large as a step, and whole squares are
added instead of scattered pixels. XLA takes 1.2 times as long for dx of the case with stride 2 above, and 1.1 and 1.3 times
as long for y of the two that are transposed. To read windows so is slower: y with a stride, and dx transposed, are XLA's.

On several devices each takes the blocks of its own images. XLA would not split a loop over them.

Nothing was gained by forms with fewer products and more sums (Winograd's, for 3 × 3 and for 4 × 4 with stride 2).
"""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import product
from math import prod

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero
from jaxtyping import Array, Float

from nn.kernels.choice import platform
from nn.kernels.devices import parts_for, per_device

FILTERS, PLACES = 16, 64  # the most of either for which the shifts were measured to win
GRADIENTS = 2**18  # numbers of g, a megabyte: for more, blocks were measured to win
INPUTS = 8  # channels: of fewer, blocks win only where a window has no more numbers than there are outputs
PIXELS = 2**14  # numbers of x, transposed: for fewer, half a second more of compiling is not won back in a thousand steps
BLOCK = 2**17  # numbers of P at a time: half a megabyte

# Channels last, kernels (*window, inputs, outputs), for one, two and three axes of space.
LAYOUTS = {1: ("NWC", "WIO", "NWC"), 2: ("NHWC", "HWIO", "NHWC"), 3: ("NDHWC", "DHWIO", "NDHWC")}


def convolve_reference(
    x: Float[Array, "images *space inputs"],
    kernel: Float[Array, "*window inputs outputs"],
    strides: Sequence[int],
    pads: Sequence[tuple[int, int]],
) -> Float[Array, "images *space_out outputs"]:
    """XLA's own convolution: y[p] = Σ_w x[strides · p + w − before] W[w].

    Args:
      x: images with zero to be assumed around them.
      kernel: W.
      strides: how far the window moves, axis by axis.
      pads: how many zeros stand before and after each axis.
    """
    return jax.lax.conv_general_dilated(x, kernel, strides, pads, dimension_numbers=LAYOUTS[len(strides)])


def suits_one_channel(x: Float[Array, "images *space inputs"], kernel: Float[Array, "*window inputs outputs"]) -> bool:
    """Whether `convolve_one_channel` is the quicker form for these on this platform."""
    *window, inputs, outputs = kernel.shape
    small = inputs == 1 and outputs <= FILTERS and prod(window) <= PLACES
    return small and _parts(x, kernel) > 0


def _parts(x, kernel) -> int:
    """For how many CPUs these are cut into equal parts; 0 where they cannot be, and on other machines."""
    known = all(isinstance(size, int) for size in x.shape)  # exported, a program may have symbols for sizes
    return parts_for(x.shape[0], x, kernel) if known and platform() == "cpu" else 0


def convolve_one_channel(
    x: Float[Array, "images *space 1"],
    kernel: Float[Array, "*window 1 outputs"],
    strides: tuple[int, ...],
    pads: tuple[tuple[int, int], ...],
) -> Float[Array, "images *space_out outputs"]:
    """`convolve_reference` for one channel: for each place in the window the image, shifted, times the weights at that place.

    It adds up in float32 at least, and can be differentiated in both modes, as often as you like.

    Args:
      x, kernel, strides, pads: as there. The program grows with the places in the window.
    """
    return per_device(lambda x, kernel: _one_channel(x, kernel, strides, pads), [x], [kernel])


@partial(jax.custom_jvp, nondiff_argnums=(2, 3))
@partial(jax.jit, static_argnums=(2, 3))
def _one_channel(x, kernel, strides, pads):
    window = kernel.shape[:-2]
    wide = jnp.promote_types(x.dtype, jnp.float32)
    weights = kernel.astype(wide)[..., 0, :]

    def one_image(image):
        padded = jnp.pad(image.astype(wide), (*pads, (0, 0)))
        # Where the window's first corner may stand, and so how far each shifted image goes.
        room = [size - w for size, w in zip(padded.shape[:-1], window, strict=True)]
        y = jnp.zeros((*(last // s + 1 for last, s in zip(room, strides, strict=True)), kernel.shape[-1]), wide)
        for place in product(*map(range, window)):
            shifted = padded[tuple(slice(i, i + last + 1, s) for i, last, s in zip(place, room, strides, strict=True))]
            y = y + shifted * jnp.broadcast_to(weights[place], y.shape)
        return y.astype(x.dtype)

    # Image by image the sum stays in the nearest memory. And a loop's result is written down: without one XLA would add up
    # anew for everybody who reads y, here the layer above and there its gradient.
    return jax.lax.map(one_image, x)


@partial(_one_channel.defjvp, symbolic_zeros=True)
def _one_channel_jvp(strides, pads, primals, tangents):
    return _changes(_one_channel, convolve_reference, convolve_reference, strides, pads, primals, tangents)


def _changes(form: Callable, along_x: Callable, along_kernel: Callable, strides, pads, primals, tangents):
    """y, and y′ = x′ ∗ W + x ∗ W′, for it is linear in both. A tangent that is known to be zero costs nothing."""
    (x, kernel), (x_change, kernel_change) = primals, tangents
    changes = []
    if not isinstance(x_change, SymbolicZero):
        changes.append(along_x(x_change, kernel, strides, pads))
    if not isinstance(kernel_change, SymbolicZero):
        changes.append(along_kernel(x, kernel_change, strides, pads))
    return form(x, kernel, strides, pads), sum(changes[1:], start=changes[0])


def suits_blocks(
    x: Float[Array, "images *space inputs"],
    kernel: Float[Array, "*window inputs outputs"],
    strides: Sequence[int],
    pads: Sequence[tuple[int, int]],
) -> bool:
    """Whether `convolve_by_blocks` has the quicker gradients for this call on this platform."""
    parts = _parts(x, kernel)
    if not parts or not _measured(x):
        return False
    gradients = prod(_shape(convolve_reference, x, kernel, strides, pads)) // parts
    wide = x.shape[-1] >= INPUTS or prod(kernel.shape[:-1]) <= kernel.shape[-1]
    return wide and gradients > GRADIENTS


def suits_blocks_transposed(
    x: Float[Array, "images *space inputs"], kernel: Float[Array, "*window inputs outputs"], strides: Sequence[int]
) -> bool:
    """Whether `convolve_transposed_by_blocks` has the quicker gradients: where there are zeros between pixels that are many."""
    parts = _parts(x, kernel)
    return parts > 0 and _measured(x) and max(strides) > 1 and x.size // parts > PIXELS


def _measured(x) -> bool:
    return x.dtype.itemsize >= 4  # half precision was not


def _shape(function: Callable, x, kernel, strides, pads) -> tuple[int, ...]:
    return jax.eval_shape(lambda x, kernel: function(x, kernel, strides, pads), x, kernel).shape


def windows(
    x: Float[Array, "images *space inputs"], window: tuple[int, ...], strides: Sequence[int], pads: Sequence[tuple[int, int]]
) -> Float[Array, "rows numbers"]:
    """P: for each image and each place where the window stands a row, with the inputs at each place in the window in turn.

    Args:
      x: images.
      window: its size along each axis of space.
      strides: how far the window moves, axis by axis.
      pads: how many zeros stand before and after each axis; a negative number takes pixels away.
    """
    x = jax.lax.pad(x, jnp.zeros((), x.dtype), [(0, 0, 0), *((before, after, 0) for before, after in pads), (0, 0, 0)])
    for axis in range(len(window), 0, -1):  # The last axis first: then longer and longer pieces are copied at once.
        size, step, room = window[axis - 1], strides[axis - 1], x.shape[axis] - window[axis - 1] + 1
        x = jnp.concatenate([jax.lax.slice_in_dim(x, i, i + room, step, axis) for i in range(size)], -1)
    return x.reshape(-1, x.shape[-1])


def windows_of_squares(
    x: Float[Array, "images *space inputs"], window: tuple[int, ...], strides: Sequence[int], pads: Sequence[tuple[int, int]]
) -> Float[Array, "rows numbers"]:
    """P where strides divide the window, the columns in another order: by squares as large as a step, then by places in them.

    So a window is a few neighbouring squares, and to add all windows up, which is what becomes of this backwards, is to add as
    many shifted images of squares. It takes longer to read than `windows`, and less time to add up.

    Args:
      x, window, strides, pads: as for `windows`.
    """
    x = jax.lax.pad(x, jnp.zeros((), x.dtype), [(0, 0, 0), *((before, after, 0) for before, after in pads), (0, 0, 0)])
    whole = [slice(size - size % step) for size, step in zip(x.shape[1:-1], strides, strict=True)]
    squares = _split(x[(slice(None), *whole)], 1, strides)
    squares = squares.reshape(*squares.shape[: len(window) + 1], -1)
    counts = [size // step for size, step in zip(window, strides, strict=True)]
    room = [size - count + 1 for size, count in zip(squares.shape[1:], counts, strict=False)]
    corners = product(*map(range, counts))
    shifted = [squares[(slice(None), *(slice(i, i + r) for i, r in zip(corner, room, strict=True)))] for corner in corners]
    x = jnp.concatenate(shifted, -1)
    return x.reshape(-1, x.shape[-1])


def _split(x, first: int, steps: Sequence[int]):
    """Each axis of space, from the first on, as (which step, where in it), all of the latter behind all of the former."""
    last = first + len(steps)
    space = [part for size, step in zip(x.shape[first:last], steps, strict=True) for part in (size // step, step)]
    x = x.reshape(*x.shape[:first], *space, *x.shape[last:])
    middle = range(first, first + len(space))
    return x.transpose(*range(first), *middle[::2], *middle[1::2], *range(middle.stop, x.ndim))


def _divide(strides: Sequence[int], kernel) -> bool:
    return max(strides) > 1 and not any(size % step for size, step in zip(kernel.shape, strides, strict=False))


def convolve_by_blocks(
    x: Float[Array, "images *space inputs"],
    kernel: Float[Array, "*window inputs outputs"],
    strides: tuple[int, ...],
    pads: tuple[tuple[int, int], ...],
) -> Float[Array, "images *space_out outputs"]:
    """`convolve_reference`, whose gradient for the kernel is added up over blocks of images.

    It can be differentiated in both modes, as often as you like.

    Args:
      x, kernel, strides, pads: as there. The program for the gradient grows with the places in the window.
    """
    return per_device(lambda x, kernel: _by_blocks(x, kernel, strides, pads), [x], [kernel])


@partial(jax.custom_jvp, nondiff_argnums=(2, 3))
def _by_blocks(x, kernel, strides, pads):
    return convolve_reference(x, kernel, strides, pads)


@partial(_by_blocks.defjvp, symbolic_zeros=True)
def _by_blocks_jvp(strides, pads, primals, tangents):
    along_x = _squares_read if _divide(strides, primals[1]) else convolve_reference
    return _changes(_by_blocks, along_x, _blocks_of_windows, strides, pads, primals, tangents)


@partial(jax.jit, static_argnums=(2, 3))
def _blocks_of_windows(x, kernel, strides, pads):
    """y = P W, block by block of images. What counts is what JAX makes of it backwards: a sum of Pᵀ g over the blocks."""
    matrix = kernel.reshape(-1, kernel.shape[-1])
    numbers, outputs = matrix.shape
    # Transposed, Pᵀ g becomes (gᵀ P)ᵀ: XLA multiplies faster where the longer side is the last.
    turned = numbers > outputs

    @partial(jax.checkpoint, prevent_cse=False)  # What is kept for the way back is x, not P, which is many times as large.
    def one_block(x, matrix):
        P = windows(x, kernel.shape[:-2], strides, pads)
        return jax.lax.dot_general(P, matrix, (((1,), (int(turned),)), ((), ())))

    shape = _shape(convolve_reference, x, kernel, strides, pads)
    blocks = _blocks(x, prod(shape[1:-1]) * numbers)

    def along(matrix):
        return jax.lax.map(lambda block: one_block(block, matrix), blocks)

    return _marked_linear(along, matrix.T if turned else matrix).reshape(shape)


@partial(jax.jit, static_argnums=(2, 3))
def _squares_read(x, kernel, strides, pads):
    """y = P W, where strides divide the window. Backwards: g Wᵀ, each window added to where it was taken, square by square."""
    matrix = _split(kernel, 0, strides).reshape(-1, kernel.shape[-1])

    @partial(jax.checkpoint, prevent_cse=False)
    def one_block(x):
        return windows_of_squares(x, kernel.shape[:-2], strides, pads) @ matrix

    shape = _shape(convolve_reference, x, kernel, strides, pads)
    blocks = _blocks(x, prod(shape[1:-1]) * matrix.shape[0])
    return _marked_linear(lambda blocks: jax.lax.map(one_block, blocks), blocks).reshape(shape)


def convolve_transposed_reference(
    x: Float[Array, "images *space inputs"],
    kernel: Float[Array, "*window inputs outputs"],
    strides: Sequence[int],
    pads: Sequence[tuple[int, int]],
) -> Float[Array, "images *space_out outputs"]:
    """XLA's own convolution, with stride 1, of x spread out: strides − 1 zeros between neighbours.

    Args:
      x, kernel: as for `convolve_reference`.
      strides: how far apart neighbours come to stand, axis by axis.
      pads: how many zeros stand before and after each axis of x spread out.
    """
    layout = LAYOUTS[len(strides)]
    ones = (1,) * len(strides)
    return jax.lax.conv_general_dilated(x, kernel, ones, pads, lhs_dilation=strides, dimension_numbers=layout)


def convolve_transposed_by_blocks(
    x: Float[Array, "images *space inputs"],
    kernel: Float[Array, "*window inputs outputs"],
    strides: tuple[int, ...],
    pads: tuple[tuple[int, int], ...],
) -> Float[Array, "images *space_out outputs"]:
    """`convolve_transposed_reference`, whose values and gradient for the kernel are added up over blocks of images.

    It can be differentiated as `convolve_by_blocks` can.

    Args:
      x, kernel, strides, pads: as there. The program for the gradient grows with the places in the window.
    """
    return per_device(lambda x, kernel: _transposed_by_blocks(x, kernel, strides, pads), [x], [kernel])


@partial(jax.custom_jvp, nondiff_argnums=(2, 3))
def _transposed_by_blocks(x, kernel, strides, pads):
    if not _divide(strides, kernel):
        return convolve_transposed_reference(x, kernel, strides, pads)
    along, matrix, shape = _adding_up(x, kernel, strides, pads, squares=True)
    return along(matrix).reshape(shape)


@partial(_transposed_by_blocks.defjvp, symbolic_zeros=True)
def _transposed_by_blocks_jvp(strides, pads, primals, tangents):
    along_x, along_kernel = convolve_transposed_reference, _blocks_added_up
    return _changes(_transposed_by_blocks, along_x, along_kernel, strides, pads, primals, tangents)


@partial(jax.jit, static_argnums=(2, 3))
def _blocks_added_up(x, kernel, strides, pads):
    """y = x Wᵀ, each window added to where it belongs, block by block of images. JAX makes a sum of P(g)ᵀ x of it backwards."""
    along, matrix, shape = _adding_up(x, kernel, strides, pads, squares=False)
    return _marked_linear(along, matrix).reshape(shape)


def _adding_up(x, kernel, strides, pads, squares: bool):
    """A function of Wᵀ that adds each window of x Wᵀ to where it belongs, block by block; Wᵀ; and the shape of y."""
    window, (inputs, outputs) = kernel.shape[:-2], kernel.shape[-2:]
    # The window that slides over x spread out meets a pixel with its last place first: what a pixel adds is turned round.
    turned = jnp.flip(kernel, range(len(window)))
    matrix = (_split(turned, 0, strides) if squares else turned).reshape(-1, inputs, outputs).swapaxes(0, 1).reshape(inputs, -1)
    around = [(w - 1 - before, w - 1 - after) for w, (before, after) in zip(window, pads, strict=True)]
    shape = _shape(convolve_transposed_reference, x, kernel, strides, pads)
    blocks = _blocks(x, prod(x.shape[1:-1]) * matrix.shape[1])
    like = jax.ShapeDtypeStruct((blocks.shape[1], *shape[1:]), x.dtype)
    rows = blocks.reshape(len(blocks), prod(blocks.shape[1:-1]), inputs)  # not in the loop, which would keep them for later
    take = windows_of_squares if squares else windows
    add_up = jax.linear_transpose(lambda y: take(y, window, strides, around), like)

    def along(matrix):
        return jax.lax.map(lambda rows: add_up(rows @ matrix)[0], rows)

    return along, matrix, shape


def _marked_linear(function: Callable, change):
    """function(change). A loop can be transposed only if it is known in what it is linear, and `jvp` writes that down."""
    return jax.jvp(function, (jnp.zeros_like(change),), (change,))[1]


def _blocks(x, numbers: int):
    """x in blocks of equally many images: as many as have BLOCK numbers of P at most, of which each has `numbers`, or one."""
    images = x.shape[0]
    sizes = [size for size in range(2, images + 1) if images % size == 0 and size * numbers <= BLOCK]
    size = max(sizes, default=1)
    return x.reshape(images // size, size, *x.shape[1:])
