"""Exercise: random weights that keep the size of a signal from layer to layer.

Return a function `init(key, shape, dtype=jnp.float32)`, as those in `jax.nn.initializers` are. The last two axes of
`shape` are (inputs, outputs). Axes before them, as in a convolution's kernel (height, width, inputs, outputs), are
positions: every unit is fed from all of them, so they multiply both fans.
"""

import math  # noqa: F401 (for your answer)
from collections.abc import Callable
from typing import Literal

import jax  # noqa: F401 (for your answer)
import jax.numpy as jnp  # noqa: F401 (for your answer)
from jaxtyping import Array, Float

Initializer = Callable[..., Float[Array, "..."]]


def variance_scaling(
    scale: float,
    mode: Literal["fan_in", "fan_out", "fan_avg"],
    distribution: Literal["normal", "truncated_normal", "uniform"],
) -> Initializer:
    """Random weights of mean 0 and variance scale / fan, so that a layer passes on the variance that it receives.

    Args:
      scale: 1 for a linear layer; 2 where a ReLU silences half of the units.
      mode: the fan: of inputs (keeps the forward signal), of outputs (keeps the gradient), or their mean.
      distribution: the shape of the histogram; all three have the same variance. truncated_normal is a normal cut off
        at ±2 of its own standard deviations, then widened so that its variance is again scale / fan.

    Returns:
      init(key, shape, dtype=jnp.float32), whose result has exactly that shape and dtype.

    Raises:
      ValueError: for an unknown mode or distribution, a scale not above 0, or a shape with fewer than two axes.

    References:
      LeCun, Bottou, Orr and Müller 1998, "Efficient BackProp", section 4.6.
      Glorot and Bengio 2010, "Understanding the difficulty of training deep feedforward neural networks", eq. 12 and 16.
      He, Zhang, Ren and Sun 2015, "Delving Deep into Rectifiers", eq. 10.
    """
    raise NotImplementedError("TODO: what is the variance of a sum of `fan` products, and which weight variance undoes that?")
