"""Exercise: a convolution in two dimensions, as a sum that you can read."""

import jax.numpy as jnp  # noqa: F401 (for your answer)
from jaxtyping import Array, Float


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
    raise NotImplementedError(
        "TODO: when the window moves over all places, which part of the image does one of its corners see?"
    )
