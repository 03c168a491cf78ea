"""Exercise: pick what a network said at the end of each sequence, where the sequences end at different steps.

Inside `jax.jit` the lengths are not known and cannot be checked: `isinstance(lengths, jax.core.Tracer)` is True there.
"""

import jax  # noqa: F401 (for your answer)
import jax.numpy as jnp  # noqa: F401 (for your answer)
import numpy as np
from jaxtyping import Array, Float, Int

Sequences = Float[Array, "*batch time inputs"]
Inputs = Float[Array, "*batch inputs"]


def last_outputs(outputs: Sequences, lengths: Int[Array | np.ndarray, "*batch"] | None = None) -> Inputs:
    """What a network said at the last real step of each sequence, when it had seen all of it.

    Args:
      outputs: what it said at every step, those of the padding included.
      lengths: how many steps of each sequence are real; None: all of them.

    Returns:
      (*batch, features).

    Raises:
      ValueError: if the lengths have another shape than the batch, or (outside `jax.jit`) one is not from 1 to the number
        of steps.
    """
    raise NotImplementedError("TODO: steps count from 0; at which index is the last real one of a sequence with n of them?")
