"""Convolution of images with a single channel: shifted images, added up. A matrix product has nothing to multiply here.

XLA makes a matrix of every window, with as many columns as the window has places, and multiplies it with the kernel. With one
channel and few filters that matrix costs more than the product saves. For 16 images of 28 × 28 and six filters of 5 × 5 the
shifts below take a ninth of the time on one core. Backwards XLA's forms are the quicker ones, so the derivatives are XLA's.
"""

from collections.abc import Sequence
from functools import partial
from itertools import product
from math import prod

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero
from jaxtyping import Array, Float

from nn.kernels.choice import platform

FILTERS, PLACES = 16, 64  # the most of either for which the shifts were measured to win

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


def suits_one_channel(kernel: Float[Array, "*window inputs outputs"]) -> bool:
    """Whether `convolve_one_channel` is the quicker form for this kernel on this platform."""
    *window, inputs, outputs = kernel.shape
    return platform() == "cpu" and inputs == 1 and outputs <= FILTERS and prod(window) <= PLACES


@partial(jax.custom_jvp, nondiff_argnums=(2, 3))
@partial(jax.jit, static_argnums=(2, 3))
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


@partial(convolve_one_channel.defjvp, symbolic_zeros=True)
def _one_channel_jvp(strides, pads, primals, tangents):
    """Linear in both: y′ = x′ ∗ W + x ∗ W′. A tangent that is known to be zero costs nothing."""
    (x, kernel), (x_change, kernel_change) = primals, tangents
    y = convolve_one_channel(x, kernel, strides, pads)
    changes = []
    if not isinstance(x_change, SymbolicZero):
        changes.append(convolve_reference(x_change, kernel, strides, pads))
    if not isinstance(kernel_change, SymbolicZero):
        changes.append(convolve_reference(x, kernel_change, strides, pads))
    return y, sum(changes[1:], start=changes[0])
