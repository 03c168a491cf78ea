"""Exercise: a linear layer, the weighted sums that every network is made of."""

import jax.numpy as jnp  # noqa: F401 (for your answer)
from jaxtyping import Array, Float


def linear(
    x: Float[Array, "*batch inputs"],
    kernel: Float[Array, "inputs outputs"],
    bias: Float[Array, " outputs"] | None = None,
) -> Float[Array, "*batch outputs"]:
    """y = x W + b, along the last axis.

    Args:
      x: inputs; any number of leading axes.
      kernel: W, one column per output.
      bias: b, or None for none.
    """
    raise NotImplementedError("TODO: which axis of x meets which axis of the kernel, and where do the others go?")
