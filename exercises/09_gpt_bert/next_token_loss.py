"""Exercise: the loss of a language model."""

from collections.abc import Callable, Mapping
from typing import Any

import jax  # noqa: F401 (for your answer)
import jax.numpy as jnp  # noqa: F401 (for your answer)
from jaxtyping import Array, Float


def next_token_loss(model: Callable[..., Any], batch: Mapping[str, Any]) -> Float[Array, ""]:
    """The loss of a language model: how surprised it is, in nats per token, by each token given those before it.

    Made for `nn.training.fit`. The model maps tokens (batch, time) to logits (batch, time, vocabulary) and may not look ahead.

    Args:
      model: gets all tokens but the last.
      batch: `tokens` (batch, time + 1); optionally `mask` of the same shape, False where a token is padding. The first token
        is never asked for.

    Raises:
      ValueError: for sequences of fewer than two tokens.

    Reference: Bengio et al. 2003, "A Neural Probabilistic Language Model", section 2.
    """
    raise NotImplementedError(
        "TODO: which token are the scores at place i about, and what may the model see when it is asked for the last one?"
    )
