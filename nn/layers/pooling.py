"""Pooling: one number for each window of an image. Less to compute above it, and small shifts matter less."""

from collections.abc import Callable, Sequence
from math import prod

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from nn.kernels.pooling import max_pool_touching

FEW = 16  # positions in a window, up to which each may have a line of its own in the program
Padding = str | Sequence[tuple[int, int]]  # "SAME", "VALID", or how much is outside


def max_pool(
    x: Float[Array, "*batch_and_space features"],
    window_shape: Sequence[int],
    strides: Sequence[int] | None = None,
    padding: Padding = "VALID",
) -> Float[Array, "*batch_and_space_out features"]:
    """The largest number in each window, feature by feature. A drop-in for `flax.nnx.max_pool`.

    Args:
      x: any number of batch axes, then as many axes of space as the window has, then the features.
      window_shape: the size of the window along each axis of space.
      strides: how far the window moves along each axis; 1 if None, as in Flax. Windows that touch but do not overlap have
        `strides=window_shape`.
      padding: "VALID": only windows inside the image. "SAME": an output for every stride begun. Or a pair (before, after)
        for each axis. What lies outside is never the largest.

    Raises:
      ValueError: if x has too few axes, the padded image is smaller than the window, or a size, the strides or the padding
        are not as above.
    """
    window, space = tuple(window_shape), x.shape[-len(window_shape) - 1 : -1]
    touching = padding == "VALID" and strides is not None and tuple(strides) == window and x.ndim > len(window)
    if touching and 1 <= prod(window) <= FEW and all(size >= w >= 1 for size, w in zip(space, window, strict=True)):
        return max_pool_touching(x, window)
    least = -jnp.inf if jnp.issubdtype(x.dtype, jnp.inexact) else jnp.iinfo(x.dtype).min
    return _pool("max_pool", x, least, jax.lax.max, window_shape, strides, padding)


def avg_pool(
    x: Float[Array, "*batch_and_space features"],
    window_shape: Sequence[int],
    strides: Sequence[int] | None = None,
    padding: Padding = "VALID",
    count_include_pad: bool = True,
) -> Float[Array, "*batch_and_space_out features"]:
    """The mean of each window, feature by feature. A drop-in for `flax.nnx.avg_pool`.

    Args:
      x: as in `max_pool`, and so are `window_shape`, `strides` and `padding`.
      count_include_pad: whether the zeros outside the image count as pixels.

    Raises:
      ValueError: as `max_pool` does.
    """
    wide = x.astype(jnp.promote_types(x.dtype, jnp.float32))  # a sum outgrows half precision
    sums = _pool("avg_pool", wide, 0.0, jax.lax.add, window_shape, strides, padding)
    if count_include_pad:
        count = prod(window_shape)
    else:
        count = _pool("avg_pool", jnp.ones_like(wide), 0.0, jax.lax.add, window_shape, strides, padding)
    return (sums / count).astype(x.dtype if jnp.issubdtype(x.dtype, jnp.inexact) else wide.dtype)


def global_avg_pool(x: Float[Array, "*batch_and_space features"], spatial_axes: int = 2) -> Float[Array, "*batch features"]:
    """The mean of each feature over the whole image: what is there, and no longer where.

    Args:
      x: any number of batch axes, then the axes of space, then the features.
      spatial_axes: how many axes of space there are.

    Raises:
      ValueError: if x has too few axes, or no positions.

    Reference: Lin, Chen and Yan 2013, "Network In Network", section 3.2.
    """
    if x.ndim < spatial_axes + 1 or 0 in x.shape[-spatial_axes - 1 : -1]:
        raise ValueError(
            f"global_avg_pool expects {spatial_axes} axes of space, none of them empty, and features behind them, got "
            f"x.shape={x.shape}."
        )
    return x.mean(range(-spatial_axes - 1, -1))


def _pool(layer: str, x, start: float, combine: Callable, window, strides, padding):
    axes = len(window)
    strides = (1,) * axes if strides is None else tuple(strides)
    if x.ndim < axes + 1 or len(strides) != axes:
        raise ValueError(
            f"{layer} expects a stride and an axis of x for each axis of its window, and features behind them, got "
            f"window_shape={tuple(window)}, strides={strides} and x.shape={x.shape}."
        )
    if min(*window, *strides) < 1:
        raise ValueError(
            f"{layer} expects sizes and strides of at least 1, got window_shape={tuple(window)} and strides={strides}."
        )
    if padding not in ("SAME", "VALID") and (isinstance(padding, str) or len(padding) != axes):
        raise ValueError(
            f"{layer} expects padding SAME, VALID or a pair (before, after) for each of {axes} axes of space, got {padding!r}."
        )
    batch = (1,) * (x.ndim - axes - 1)
    pads = padding if isinstance(padding, str) else [(0, 0)] * len(batch) + [tuple(p) for p in padding] + [(0, 0)]
    y = jax.lax.reduce_window(x, np.array(start, x.dtype), combine, (*batch, *window, 1), (*batch, *strides, 1), pads)
    if 0 in y.shape[len(batch) : -1]:
        raise ValueError(f"{layer} expects an image at least as large as its window {tuple(window)}, got x.shape={x.shape}.")
    return y
