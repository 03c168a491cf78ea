"""Exercise: one step of Adam with decoupled weight decay, for one array of weights."""

import jax.numpy as jnp  # noqa: F401 (for your answer)
from jaxtyping import Array, Float, Int


def adamw_step(
    gradient: Float[Array, "..."],
    parameter: Float[Array, "..."],
    mean: Float[Array, "..."],
    mean_square: Float[Array, "..."],
    step: int | Int[Array, ""],
    *,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
    weight_decay: float = 1e-4,
) -> tuple[Float[Array, "..."], Float[Array, "..."], Float[Array, "..."]]:
    """Adam's direction plus λ w: every weight also shrinks towards 0, at a rate that its gradients have no part in.

    Added to the gradient instead, λ w would be divided by √ŝ with it, and weights of large gradients would hardly shrink.

    Args:
      gradient: g, of one array of parameters.
      parameter: w, the parameters themselves.
      mean: m, the running mean of g; zeros before the first step.
      mean_square: s, the running mean of g²; zeros before the first step.
      step: t, the number of this step, counted from 1.
      b1: β₁; m averages over about the last 1 / (1 − β₁) gradients.
      b2: β₂, the same for s.
      eps: ε, added to the root.
      weight_decay: λ. A step takes the share learning rate · λ off every weight.

    Returns:
      The direction, the new m and the new s, as `adam_step`.

    Reference: Loshchilov and Hutter 2019, "Decoupled Weight Decay Regularization", algorithm 2.
    """
    raise NotImplementedError(
        "TODO: how large are m and s after the first step, beside g and g², and what must the decay not meet?"
    )
