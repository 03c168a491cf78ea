"""Exercise: the holes that BERT learns to fill."""

import jax  # noqa: F401 (for your answer)
import jax.numpy as jnp  # noqa: F401 (for your answer)
import numpy as np
from jaxtyping import Array, Bool, Int, Integer, Key


def mask_tokens(
    key: Key[Array, ""],
    tokens: Integer[Array | np.ndarray, "*shape"],
    *,
    mask_token: int,
    vocabulary: int,
    rate: float = 0.15,
) -> tuple[Int[Array, "*shape"], Bool[Array, "*shape"]]:
    """Makes the holes that BERT learns to fill: chooses positions, each on its own, and spoils most of them.

    Of the chosen ones 80% become `mask_token`, 10% a random token, and 10% stay as they are: in use there are no holes, and so
    the network has to make something of every token.

    Args:
      key: the randomness; the same key makes the same holes.
      tokens: the text as it was.
      mask_token: what stands for a hole.
      vocabulary: random tokens are drawn from 0 to vocabulary − 1.
      rate: the chance of a position to be chosen.

    Returns:
      The tokens with holes, and where the loss counts: True at every chosen position, those that stayed included.

    Raises:
      ValueError: for a rate outside 0 to 1, or a vocabulary below 1.

    Reference: Devlin et al. 2019, "BERT: Pre-training of Deep Bidirectional Transformers", section 3.1 and appendix A.1.
    """
    raise NotImplementedError("TODO: three things are random here: which are they, and may two of them share a key?")
