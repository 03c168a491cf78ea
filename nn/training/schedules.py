"""Learning-rate schedules: large steps while there is far to go, small ones to settle.

Each is a function of the step, counted from 0, as in optax, of whose schedules these are the plain forms; an optimizer takes
one in place of a fixed learning rate.
"""

from collections.abc import Callable

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

Schedule = Callable[[int | Int[Array, ""]], float | Float[Array, ""]]


def constant_schedule(value: float) -> Schedule:
    """The same at every step."""
    return lambda step: value


def linear_schedule(init_value: float, end_value: float, transition_steps: int) -> Schedule:
    """A straight line from init_value at step 0 to end_value at step transition_steps; flat from there on.

    Raises:
      ValueError: if transition_steps is below 1.
    """
    _require_steps("linear_schedule", transition_steps=transition_steps)

    def schedule(step):
        return init_value + (end_value - init_value) * jnp.clip(step / transition_steps, 0, 1)

    return schedule


def cosine_decay_schedule(init_value: float, decay_steps: int) -> Schedule:
    """Half a cosine from init_value at step 0 down to 0 at step decay_steps; 0 from there on.

    Raises:
      ValueError: if decay_steps is below 1.

    Reference: Loshchilov and Hutter 2017, "SGDR: Stochastic Gradient Descent with Warm Restarts", eq. 5.
    """
    _require_steps("cosine_decay_schedule", decay_steps=decay_steps)

    def schedule(step):
        return init_value * 0.5 * (1 + jnp.cos(jnp.pi * jnp.clip(step / decay_steps, 0, 1)))

    return schedule


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
    if not 1 <= warmup_steps < decay_steps:
        raise ValueError(
            "warmup_cosine_decay_schedule expects at least 1 step of warmup and the end of the decay after it, "
            f"got warmup_steps={warmup_steps} and decay_steps={decay_steps}."
        )

    def schedule(step):
        rise = init_value + (peak_value - init_value) * step / warmup_steps
        share = jnp.clip((step - warmup_steps) / (decay_steps - warmup_steps), 0, 1)
        fall = end_value + (peak_value - end_value) * 0.5 * (1 + jnp.cos(jnp.pi * share))
        return jnp.where(step < warmup_steps, rise, fall)

    return schedule


def _require_steps(schedule: str, **steps: int) -> None:
    for name, value in steps.items():
        if value < 1:
            raise ValueError(f"{schedule} expects {name} of at least 1, got {name}={value}.")
