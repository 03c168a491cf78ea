"""Optimizers from first principles: given its gradient, which way and how far does each weight move?

Each is an equation for one array first (`adam_step`), then the same for a whole tree of parameters (`adam`): a transformation
of gradients as optax has them, so that the two mix, and equal to optax's step for step. (`momentum(η, μ)` is
`optax.sgd(η, momentum=μ)` there, and `nesterov` the same with `nesterov=True`.) The library trains with optax; these are what
it computes.
"""

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int

from nn.training.schedules import Schedule

LearningRate = float | Schedule


# The equations: each gives a direction, and the weight then moves by −(learning rate) · direction.


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
    velocity = decay * velocity + gradient
    return velocity, velocity


def nesterov_step(
    gradient: Float[Array, "..."], velocity: Float[Array, "..."], *, decay: float = 0.9
) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
    """v ← μ v + g, and the direction is g + μ v: one step further along the velocity, before the next gradient is known.

    Arguments and results as for `momentum_step`.

    Reference: Nesterov 1983; in the form of Sutskever et al. 2013, "On the importance of initialization and momentum in
      deep learning", eq. 3 and 4, written for the point that looks ahead.
    """
    velocity = decay * velocity + gradient
    return gradient + decay * velocity, velocity


def rmsprop_step(
    gradient: Float[Array, "..."], mean_square: Float[Array, "..."], *, decay: float = 0.9, eps: float = 1e-8
) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
    """s ← ρ s + (1 − ρ) g², and the direction is g / √(s + ε): every weight's step is measured by its own gradients.

    Args:
      gradient: g, of one array of parameters.
      mean_square: s, of the same shape; zeros before the first step.
      decay: ρ; s averages over about the last 1 / (1 − ρ) gradients.
      eps: ε, added inside the root, as optax does.

    Returns:
      The direction and the new mean square.

    Reference: Tieleman and Hinton 2012, "Lecture 6.5: rmsprop", COURSERA: Neural Networks for Machine Learning.
    """
    mean_square = decay * mean_square + (1 - decay) * gradient**2
    return gradient * jax.lax.rsqrt(mean_square + eps), mean_square


def adam_step(
    gradient: Float[Array, "..."],
    mean: Float[Array, "..."],
    mean_square: Float[Array, "..."],
    step: int | Int[Array, ""],
    *,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
) -> tuple[Float[Array, "..."], Float[Array, "..."], Float[Array, "..."]]:
    """The direction m̂ / (√ŝ + ε), with m the running mean of g, s that of g², and both freed of their start at 0.

    m ← β₁ m + (1 − β₁) g and s ← β₂ s + (1 − β₂) g²; then m̂ = m / (1 − β₁ᵗ) and ŝ = s / (1 − β₂ᵗ), without which the first
    means would be too small. The direction is about ±1 where gradients agree, whatever their size, and near 0 where they
    are noise.

    Args:
      gradient: g, of one array of parameters.
      mean: m, of the same shape; zeros before the first step.
      mean_square: s, of the same shape; zeros before the first step.
      step: t, the number of this step, counted from 1.
      b1: β₁; m averages over about the last 1 / (1 − β₁) gradients.
      b2: β₂, the same for s.
      eps: ε, added to the root.

    Returns:
      The direction, the new m and the new s, neither of the two corrected.

    Reference: Kingma and Ba 2015, "Adam: A Method for Stochastic Optimization", algorithm 1.
    """
    mean = b1 * mean + (1 - b1) * gradient
    mean_square = b2 * mean_square + (1 - b2) * gradient**2
    unbiased_mean, unbiased_square = mean / (1 - b1**step), mean_square / (1 - b2**step)
    return unbiased_mean / (jnp.sqrt(unbiased_square) + eps), mean, mean_square


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
    direction, mean, mean_square = adam_step(gradient, mean, mean_square, step, b1=b1, b2=b2, eps=eps)
    return direction + weight_decay * parameter, mean, mean_square


def clip_gradients(gradients: Any, max_norm: float) -> Any:
    """All gradients times one factor, so that their common length is at most max_norm; shorter ones stay as they are.

    The length is that of all numbers of all arrays as one long vector. One factor for all keeps the direction.

    Args:
      gradients: a tree of arrays, as `jax.grad` returns it.
      max_norm: the largest length allowed.

    Returns:
      A tree of the same structure, shapes and dtypes.

    Raises:
      ValueError: if max_norm is not above 0.

    Reference: Pascanu, Mikolov and Bengio 2013, "On the difficulty of training recurrent neural networks", algorithm 1.
    """
    if not max_norm > 0:
        raise ValueError(f"clip_gradients expects max_norm above 0, got {max_norm}.")
    norm = jnp.sqrt(sum((gradient.astype(jnp.float32) ** 2).sum() for gradient in jax.tree.leaves(gradients)))
    factor = jnp.where(norm > max_norm, max_norm / norm, 1)
    return jax.tree.map(lambda gradient: gradient * factor.astype(gradient.dtype), gradients)


# The same for trees of parameters, as transformations that chain with optax's.


class Averages(NamedTuple):
    """What an optimizer remembers: how many steps it took, and its running averages, each a tree like the parameters."""

    count: Int[Array, ""]
    averages: tuple[Any, ...]


def sgd(learning_rate: LearningRate) -> optax.GradientTransformation:
    """Gradient descent, w ← w − η g. With gradients of random batches it is stochastic gradient descent.

    Reference: Robbins and Monro 1951, "A Stochastic Approximation Method", eq. 7 and 8.
    """
    return _transformation("sgd", learning_rate, lambda gradient, parameter, count: (gradient,), averages=0)


def momentum(learning_rate: LearningRate, decay: float = 0.9) -> optax.GradientTransformation:
    """Gradient descent with momentum: `momentum_step`."""
    _require_shares("momentum", decay=decay)

    def step(gradient, parameter, count, velocity):
        return momentum_step(gradient, velocity, decay=decay)

    return _transformation("momentum", learning_rate, step, averages=1)


def nesterov(learning_rate: LearningRate, decay: float = 0.9) -> optax.GradientTransformation:
    """Gradient descent with Nesterov's momentum: `nesterov_step`."""
    _require_shares("nesterov", decay=decay)

    def step(gradient, parameter, count, velocity):
        return nesterov_step(gradient, velocity, decay=decay)

    return _transformation("nesterov", learning_rate, step, averages=1)


def rmsprop(learning_rate: LearningRate, decay: float = 0.9, eps: float = 1e-8) -> optax.GradientTransformation:
    """RMSProp: `rmsprop_step`."""
    _require_shares("rmsprop", decay=decay)
    _require_not_negative("rmsprop", eps=eps)

    def step(gradient, parameter, count, mean_square):
        return rmsprop_step(gradient, mean_square, decay=decay, eps=eps)

    return _transformation("rmsprop", learning_rate, step, averages=1)


def adam(learning_rate: LearningRate, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8) -> optax.GradientTransformation:
    """Adam: `adam_step`."""
    _require_shares("adam", b1=b1, b2=b2)
    _require_not_negative("adam", eps=eps)

    def step(gradient, parameter, count, mean, mean_square):
        return adam_step(gradient, mean, mean_square, count, b1=b1, b2=b2, eps=eps)

    return _transformation("adam", learning_rate, step, averages=2)


def adamw(
    learning_rate: LearningRate, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, weight_decay: float = 1e-4
) -> optax.GradientTransformation:
    """Adam with weight decay of its own: `adamw_step`. It needs the parameters: `update(gradients, state, parameters)`."""
    _require_shares("adamw", b1=b1, b2=b2)
    _require_not_negative("adamw", eps=eps, weight_decay=weight_decay)

    def step(gradient, parameter, count, mean, mean_square):
        return adamw_step(gradient, parameter, mean, mean_square, count, b1=b1, b2=b2, eps=eps, weight_decay=weight_decay)

    return _transformation("adamw", learning_rate, step, averages=2, needs_parameters=True)


def clip_by_global_norm(max_norm: float) -> optax.GradientTransformation:
    """`clip_gradients` as a transformation, to be put before an optimizer: `optax.chain(clip_by_global_norm(1.0), adam(1e-3))`.

    Raises:
      ValueError: if max_norm is not above 0.
    """
    if not max_norm > 0:
        raise ValueError(f"clip_by_global_norm expects max_norm above 0, got {max_norm}.")

    def update(updates, state, params=None):
        return clip_gradients(updates, max_norm), state

    return optax.GradientTransformation(lambda params: optax.EmptyState(), update)


@lru_cache(maxsize=64)  # fit compiles once for each optimizer object
def cosine_adam(learning_rate: float, steps: int) -> optax.GradientTransformation:
    """optax's Adam, with a learning rate that falls from its first value to 0 along half a cosine.

    References: Kingma and Ba 2015, "Adam", algorithm 1; Loshchilov and Hutter 2017, "SGDR", eq. 5.
    """
    return optax.adam(optax.cosine_decay_schedule(learning_rate, steps))


def _transformation(
    name: str, learning_rate: LearningRate, step: Callable, *, averages: int, needs_parameters: bool = False
) -> optax.GradientTransformation:
    """The equation of one array, for every array of a tree.

    `step` maps (gradient, parameter, count, *averages) to (direction, *averages).
    """
    if not callable(learning_rate):
        _require_not_negative(name, learning_rate=learning_rate)

    def init(params):
        return Averages(jnp.zeros((), jnp.int32), tuple(jax.tree.map(jnp.zeros_like, params) for _ in range(averages)))

    def update(updates, state, params=None):
        if needs_parameters and params is None:
            raise ValueError(f"{name} shrinks the parameters and so must see them: update(gradients, state, parameters).")
        gradients, tree = jax.tree.flatten(updates)
        parameters = jax.tree.leaves(params) if needs_parameters else [None] * len(gradients)
        remembered = zip(*map(jax.tree.leaves, state.averages), strict=True) if averages else [()] * len(gradients)
        count = state.count + 1
        rate = learning_rate(state.count) if callable(learning_rate) else learning_rate
        moved = [
            [result.astype(gradient.dtype) for result in step(gradient, parameter, count, *old)]
            for gradient, parameter, old in zip(gradients, parameters, remembered, strict=True)
        ]
        directions, *new = ([results[i] for results in moved] for i in range(1 + averages))
        steps = [-jnp.asarray(rate, direction.dtype) * direction for direction in directions]
        return tree.unflatten(steps), Averages(count, tuple(map(tree.unflatten, new)))

    return optax.GradientTransformation(init, update)


def _require_shares(optimizer: str, **shares: float) -> None:
    for name, share in shares.items():
        if not 0 <= share < 1:
            raise ValueError(f"{optimizer} expects {name} of at least 0 and below 1, got {name}={share}.")


def _require_not_negative(optimizer: str, **values: float) -> None:
    for name, value in values.items():
        if not (value >= 0 and math.isfinite(value)):
            raise ValueError(f"{optimizer} expects {name} of at least 0 and finite, got {name}={value}.")
