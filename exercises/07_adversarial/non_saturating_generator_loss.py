"""Exercise: the generator's loss, steep where there is most to learn."""

import jax.numpy as jnp  # noqa: F401 (for your answer)
from jaxtyping import Array, Float


def non_saturating_generator_loss(fake_scores: Float[Array, "*fake"]) -> Float[Array, ""]:
    """−mean log D(fake), where D = sigmoid(score): how surprised the discriminator would be to hear that the fakes are real.

    Its slope is steepest where the discriminator is sure that they are fake, which is where the generator has most to learn.

    Raises:
      ValueError: if there are no scores.

    Reference: Goodfellow et al. 2014, section 3.
    """
    raise NotImplementedError("TODO: which label does the generator wish that the discriminator gave to its examples?")
