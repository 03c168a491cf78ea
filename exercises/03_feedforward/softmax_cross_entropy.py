"""Exercise: the cross-entropy of a softmax, the loss of nearly every classifier."""

import jax.numpy as jnp  # noqa: F401 (for your answer)
from jaxtyping import Array, Float, Int


def softmax_cross_entropy(logits: Float[Array, "*batch classes"], labels: Int[Array, "*batch"]) -> Float[Array, "*batch"]:
    """−log softmax(logits)[label] in nats: how surprised the network is by the right answer.

    It is computed as log Σ eˢ − s[label] with s = z − max z, which stays exact where the softmax itself would round to 0,
    and under a shift of any size.

    Args:
      logits: scores before the softmax, of any finite size.
      labels: the index of the right class, from 0 to classes − 1. An index outside the classes gives NaN for that
        example, not another class's loss.

    Raises:
      ValueError: if there is not one label for each row of logits.

    Reference: Bishop 2006, "Pattern Recognition and Machine Learning", eq. 4.108.
    """
    raise NotImplementedError("TODO: what is log softmax(z)[label], with the logarithm taken on paper, before any code?")
