"""Exercise: one step of the simple recurrent network. What comes out goes back in at the next step."""

import jax.numpy as jnp  # noqa: F401 (for your answer)
from jaxtyping import Array, Float

State = Float[Array, "*batch hidden"]
Inputs = Float[Array, "*batch inputs"]


def simple_step(
    h: State,
    x: Inputs,
    kernel: Float[Array, "inputs hidden"],
    recurrent_kernel: Float[Array, "hidden hidden"],
    bias: Float[Array, " hidden"],
) -> State:
    """h' = tanh(x W + h U + b).

    Reference: Elman 1990, "Finding Structure in Time".
    """
    raise NotImplementedError("TODO: which three terms are added up, and what does each one's last axis count?")
