"""Exercise: one way forward, the other way back."""

import jax  # noqa: F401 (for your answer)
import jax.numpy as jnp  # noqa: F401 (for your answer)
from jaxtyping import Array, Float


def reverse_gradient(x: Float[Array, "*shape"], strength: float | Float[Array, ""]) -> Float[Array, "*shape"]:
    """x itself on the way forward; on the way back the gradient times −strength.

    Put between features and a classifier of domains, it makes one descent do two things at once: the classifier learns to tell
    the domains apart, and the features learn to make that hard.

    Args:
      x: features.
      strength: λ, at least 0; how much the features are to care. It gets no gradient itself.

    Returns:
      x, unchanged to the last bit.

    Raises:
      ValueError: for a strength that is below 0 or NaN, outside of `jax.jit`.

    Reference: Ganin et al. 2016, "Domain-Adversarial Training of Neural Networks", section 4.
    """
    raise NotImplementedError(
        "TODO: the value stays and its gradient turns: which function of jax lets you write the way back by hand?"
    )
