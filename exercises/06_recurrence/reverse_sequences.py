"""Exercise: turn padded sequences round, each within its own length, for a walk from the end to the beginning.

Inside `jax.jit` the lengths are not known and cannot be checked: `isinstance(lengths, jax.core.Tracer)` is True there.
"""

import jax  # noqa: F401 (for your answer)
import jax.numpy as jnp  # noqa: F401 (for your answer)
import numpy as np
from jaxtyping import Array, Float, Int

Sequences = Float[Array, "*batch time inputs"]


def reverse_sequences(x: Sequences, lengths: Int[Array | np.ndarray, "*batch"] | None = None) -> Sequences:
    """Every sequence from its last real step to its first; what is behind it, the padding, stays where it is.

    Done twice, it gives x back. A network that reads from the end as well (a bidirectional one) walks over this, so that it
    begins with the last real step and not with padding: a b c · · becomes c b a · ·

    Args:
      x: sequences, padded to one length.
      lengths: how many steps of each are real; None: all of them.

    Raises:
      ValueError: if the lengths have another shape than the batch, or (outside `jax.jit`) one is not from 1 to the number
        of steps.
    """
    raise NotImplementedError("TODO: of a sequence with n real steps, which step of x stands at place t of the result?")
