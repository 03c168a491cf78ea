"""Exercise: one step of the gated recurrent unit, with the weights of r, z and n side by side."""

import jax  # noqa: F401 (for your answer)
import jax.numpy as jnp  # noqa: F401 (for your answer)
from jaxtyping import Array, Float

State = Float[Array, "*batch hidden"]
Inputs = Float[Array, "*batch inputs"]


def gru_step(
    h: State,
    x: Inputs,
    kernel: Float[Array, "inputs three_hidden"],
    recurrent_kernel: Float[Array, "hidden three_hidden"],
    bias: Float[Array, " three_hidden"],
) -> State:
    """h' = (1 − z) ⊙ n + z ⊙ h: the update gate z keeps the old state or takes the candidate n.

    r = σ(x W_r + h U_r + b_r), and z likewise; n = tanh(x W_n + b_n + r ⊙ (h U_n)), where the reset gate r can forget h.

    Args:
      h: the state.
      x: the input of this step.
      kernel: W, the columns of r, z and n side by side: [W_r W_z W_n].
      recurrent_kernel: U, in the same order.
      bias: b, in the same order.

    Reference: Cho et al. 2014, "Learning Phrase Representations using RNN Encoder-Decoder", eq. 5 to 8, with r applied behind
    U_n, as Flax and cuDNN have it.
    """
    raise NotImplementedError("TODO: what is the new state if z is 1, and what if both gates are 0?")
