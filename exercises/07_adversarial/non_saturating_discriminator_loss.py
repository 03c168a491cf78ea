"""Exercise: the discriminator's loss: a classifier of real and made examples."""

import jax.numpy as jnp  # noqa: F401 (for your answer)
from jaxtyping import Array, Float


def non_saturating_discriminator_loss(
    real_scores: Float[Array, "*real"], fake_scores: Float[Array, "*fake"]
) -> Float[Array, ""]:
    """−mean log D(real) − mean log(1 − D(fake)), where D = sigmoid(score): a classifier of real (1) and fake (0), in nats.

    Where it can do no better than guess, it is log 4: that is what a perfect generator leaves.

    Raises:
      ValueError: if there are no scores.

    Reference: Goodfellow et al. 2014, "Generative Adversarial Nets", algorithm 1 and theorem 1.
    """
    raise NotImplementedError("TODO: what are log σ(s) and log(1 − σ(s)) on paper, so that no score is too large for them?")
