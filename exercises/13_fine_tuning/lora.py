"""Exercise: change a large layer by a few numbers."""

import jax.numpy as jnp  # noqa: F401 (for your answer)
from jaxtyping import Array, Float


def lora(
    x: Float[Array, "*batch inputs"],
    a: Float[Array, "inputs rank"],
    b: Float[Array, "rank outputs"],
    *,
    alpha: float,
) -> Float[Array, "*batch outputs"]:
    """(α / rank) · x A B: what LoRA adds to a linear layer, by two thin products and not by one of the layer's size.

    Args:
      x: the layer's input.
      a: A, to the few numbers in between.
      b: B, from them to the layer's outputs. Zeros to begin with.
      alpha: α, how much it counts. Divided by the rank, so that another rank needs no other learning rate.

    Raises:
      ValueError: if the shapes do not follow one another.

    Reference: Hu et al. 2022, "LoRA: Low-Rank Adaptation of Large Language Models", eq. 3 and section 4.1.
    """
    raise NotImplementedError("TODO: x A B may be computed in two orders: how large is what lies in between, in each of them?")
