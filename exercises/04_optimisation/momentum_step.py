"""Exercise: one step of gradient descent with momentum, for one array of weights."""

from jaxtyping import Array, Float


def momentum_step(
    gradient: Float[Array, "..."], velocity: Float[Array, "..."], *, decay: float = 0.9
) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
    """v ← μ v + g, and the direction is v: a ball that rolls on. Gradients that agree add up, those that alternate cancel.

    Args:
      gradient: g, of one array of parameters.
      velocity: v, of the same shape; zeros before the first step.
      decay: μ, the share of the velocity that is kept. Under a steady gradient v grows to g / (1 − μ).

    Returns:
      The direction and the new velocity, here the same.

    Reference: Polyak 1964, "Some methods of speeding up the convergence of iteration methods", eq. 9; in the form of
      Sutskever et al. 2013, eq. 1 and 2, with the learning rate outside of v.
    """
    raise NotImplementedError(
        "TODO: how much of an old gradient is in v three steps later, and what does a steady one add up to?"
    )
