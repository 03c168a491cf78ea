"""Exercise: a learning rate that rises in a line and falls along half a cosine.

Return a function of the step. The step may be an array that JAX traces: then there is no `if` on it.
"""

from collections.abc import Callable

import jax.numpy as jnp  # noqa: F401 (for your answer)
from jaxtyping import Array, Float, Int

Schedule = Callable[[int | Int[Array, ""]], float | Float[Array, ""]]


def warmup_cosine_decay_schedule(
    init_value: float, peak_value: float, warmup_steps: int, decay_steps: int, end_value: float = 0.0
) -> Schedule:
    """A straight line up, then half a cosine down: the first steps, when no average is worth much yet, are kept small.

    Args:
      init_value: where it begins, at step 0.
      peak_value: the top, at step warmup_steps.
      warmup_steps: how long it rises.
      decay_steps: when it has fallen to end_value, counted from step 0, so that the fall takes decay_steps − warmup_steps.
      end_value: where it stays from there on.

    Returns:
      A function of the step, a whole number or an array of one, also under jit.

    Raises:
      ValueError: if warmup_steps is below 1, or decay_steps is not above warmup_steps.

    References:
      Goyal et al. 2017, "Accurate, Large Minibatch SGD", section 2.2 (the rise).
      Loshchilov and Hutter 2017, "SGDR: Stochastic Gradient Descent with Warm Restarts", eq. 5 (the fall).
    """
    raise NotImplementedError("TODO: what is its value at step 0, at warmup_steps, halfway down, and ever after decay_steps?")
