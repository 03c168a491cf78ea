"""Exercise: one step of the long short-term memory, with the four gates' weights side by side."""

import jax  # noqa: F401 (for your answer)
import jax.numpy as jnp  # noqa: F401 (for your answer)
from jaxtyping import Array, Float

State = Float[Array, "*batch hidden"]
Inputs = Float[Array, "*batch inputs"]


def lstm_step(
    carry: tuple[State, State],
    x: Inputs,
    kernel: Float[Array, "inputs four_hidden"],
    recurrent_kernel: Float[Array, "hidden four_hidden"],
    bias: Float[Array, " four_hidden"],
) -> tuple[State, State]:
    """c' = f ⊙ c + i ⊙ g and h' = o ⊙ tanh c', where (i, f, g, o) come from x W + h U + b.

    The input gate i, the forget gate f and the output gate o go through a sigmoid, the candidate g through tanh. With f = 1
    and i = 0 the cell c is carried unchanged, and so is its gradient: that is how it remembers.

    Args:
      carry: (c, h), the cell and what it shows of itself.
      x: the input of this step.
      kernel: W, the columns of i, f, g and o side by side.
      recurrent_kernel: U, in the same order.
      bias: b, in the same order.

    Returns:
      The new (c, h).

    References: Hochreiter and Schmidhuber 1997, "Long Short-Term Memory"; the forget gate: Gers, Schmidhuber and Cummins 2000.
    """
    raise NotImplementedError("TODO: which two of the four decide what the cell holds next, and which one what it shows?")
