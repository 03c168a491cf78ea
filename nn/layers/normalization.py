"""Normalization: give each layer inputs of a steady mean and spread, so that one learning rate suits all depths.

The three differ in what they average over: BatchNorm one feature over the batch, LayerNorm all features of one example,
RMSNorm the same without taking the mean off. Statistics are computed in float32 or better.
"""

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from nn.layers.initializers import ones, zeros
from nn.layers.shapes import require_features, require_positive

Vector = Float[Array, " features"]


def layer_norm(
    x: Float[Array, "*batch features"],
    scale: Vector | None = None,
    bias: Vector | None = None,
    *,
    epsilon: float = 1e-6,
) -> Float[Array, "*batch features"]:
    """y = (x − mean) / √(var + ε) · scale + bias, mean and variance over the last axis (the variance divides by n).

    Reference: Ba, Kiros and Hinton 2016, "Layer Normalization", eq. 4.
    """
    wide = _at_least_float32(x)
    mean, var = wide.mean(-1, keepdims=True), wide.var(-1, keepdims=True)
    return _scale_and_shift(x, (wide - mean) * jax.lax.rsqrt(var + epsilon), scale, bias)


def rms_norm(
    x: Float[Array, "*batch features"], scale: Vector | None = None, *, epsilon: float = 1e-6
) -> Float[Array, "*batch features"]:
    """y = x / √(mean(x²) + ε) · scale, the mean over the last axis.

    Reference: Zhang and Sennrich 2019, "Root Mean Square Layer Normalization", eq. 4.
    """
    wide = _at_least_float32(x)
    return _scale_and_shift(x, wide * jax.lax.rsqrt((wide**2).mean(-1, keepdims=True) + epsilon), scale, None)


def batch_statistics(x: Float[Array, "*batch features"]) -> tuple[Vector, Vector]:
    """Mean and variance of each feature over all axes but the last (the variance divides by n)."""
    axes = tuple(range(x.ndim - 1))
    wide = _at_least_float32(x)
    return wide.mean(axes), wide.var(axes)


def batch_norm(
    x: Float[Array, "*batch features"],
    mean: Vector,
    var: Vector,
    scale: Vector | None = None,
    bias: Vector | None = None,
    *,
    epsilon: float = 1e-5,
) -> Float[Array, "*batch features"]:
    """y = (x − mean) / √(var + ε) · scale + bias, feature by feature.

    Mean and variance are those of the batch while training (`batch_statistics`), and running averages afterwards.

    Reference: Ioffe and Szegedy 2015, "Batch Normalization", algorithm 1.
    """
    mean, factor = jnp.broadcast_to(mean, x.shape), jnp.broadcast_to(jax.lax.rsqrt(var + epsilon), x.shape)
    return _scale_and_shift(x, (_at_least_float32(x) - mean) * factor, scale, bias)


def _at_least_float32(x):
    return x.astype(jnp.promote_types(x.dtype, jnp.float32))


def _scale_and_shift(x, normalized, scale, bias):
    if scale is not None:
        normalized = normalized * jnp.broadcast_to(scale, x.shape)
    if bias is not None:
        normalized = normalized + jnp.broadcast_to(bias, x.shape)
    # The caller's precision, raised only by the parameters', never by the float32 of the statistics.
    return normalized.astype(jnp.result_type(x, *(p for p in (scale, bias) if p is not None)))


class LayerNorm(nnx.Module):
    """Normalizes each example over its features, then applies a learned `scale` and `bias` (num_features,).

    A drop-in for `flax.nnx.LayerNorm`.

    Args:
      num_features: size of the last axis.
      epsilon: added to the variance, so that a constant example does not divide by 0.
      use_bias: whether to learn a bias.
      use_scale: whether to learn a scale.
      rngs: scale and bias each take a key, as in Flax, so that what is made after them begins alike.

    Raises:
      ValueError: from a call whose input has another number of features.
    """

    def __init__(
        self, num_features: int, *, epsilon: float = 1e-6, use_bias: bool = True, use_scale: bool = True, rngs: nnx.Rngs
    ):
        require_positive("LayerNorm", num_features=num_features)
        self.num_features, self.epsilon = num_features, epsilon
        self.scale = nnx.Param(ones(rngs.params(), (num_features,))) if use_scale else None
        self.bias = nnx.Param(zeros(rngs.params(), (num_features,))) if use_bias else None

    def __call__(self, x: Float[Array, "*batch features"]) -> Float[Array, "*batch features"]:
        require_features("LayerNorm", x, self.num_features)
        return layer_norm(x, _value(self.scale), _value(self.bias), epsilon=self.epsilon)


class RMSNorm(nnx.Module):
    """Divides each example by the root of its mean square, then applies a learned `scale` (num_features,).

    A drop-in for `flax.nnx.RMSNorm`; arguments as in `LayerNorm`.
    """

    def __init__(self, num_features: int, *, epsilon: float = 1e-6, use_scale: bool = True, rngs: nnx.Rngs):
        require_positive("RMSNorm", num_features=num_features)
        self.num_features, self.epsilon = num_features, epsilon
        self.scale = nnx.Param(ones(rngs.params(), (num_features,))) if use_scale else None

    def __call__(self, x: Float[Array, "*batch features"]) -> Float[Array, "*batch features"]:
        require_features("RMSNorm", x, self.num_features)
        return rms_norm(x, _value(self.scale), epsilon=self.epsilon)


class BatchNorm(nnx.Module):
    """Normalizes each feature over the batch while training, and by running averages afterwards.

    `scale` and `bias` (num_features,) are learned; `mean` and `var` (num_features,) are running averages, moved by each
    training call: new = momentum · old + (1 − momentum) · batch. `train()` and `eval()` of any module around it switch
    between the two modes. A drop-in for `flax.nnx.BatchNorm`.

    Args:
      num_features: size of the last axis.
      use_running_average: whether to begin in evaluation mode.
      momentum: how much of the running average a training call keeps.
      epsilon: added to the variance, so that a constant feature does not divide by 0.
      use_bias: whether to learn a bias.
      use_scale: whether to learn a scale.
      rngs: scale and bias each take a key, as in Flax, so that what is made after them begins alike.

    Attributes:
      frozen: while True the layer stays in evaluation mode, whatever `train()` says; `transfer.freeze` sets it.

    Raises:
      ValueError: from a call whose input has another number of features, or, in training mode, no examples.
    """

    def __init__(
        self,
        num_features: int,
        *,
        use_running_average: bool = False,
        momentum: float = 0.99,
        epsilon: float = 1e-5,
        use_bias: bool = True,
        use_scale: bool = True,
        rngs: nnx.Rngs,
    ):
        require_positive("BatchNorm", num_features=num_features)
        self.num_features, self.momentum, self.epsilon = num_features, momentum, epsilon
        self.use_running_average, self.frozen = use_running_average, False
        self.mean = nnx.BatchStat(zeros(None, (num_features,)))
        self.var = nnx.BatchStat(ones(None, (num_features,)))
        self.scale = nnx.Param(ones(rngs.params(), (num_features,))) if use_scale else None
        self.bias = nnx.Param(zeros(rngs.params(), (num_features,))) if use_bias else None

    def __call__(
        self, x: Float[Array, "*batch features"], use_running_average: bool | None = None
    ) -> Float[Array, "*batch features"]:
        require_features("BatchNorm", x, self.num_features)
        if use_running_average is None:
            use_running_average = self.use_running_average
        if use_running_average or self.frozen:
            mean, var = self.mean[...], self.var[...]
        else:
            if x.size == 0:
                raise ValueError(f"BatchNorm in training mode expects at least one example, got x.shape={x.shape}.")
            mean, var = batch_statistics(x)
            self.mean[...] = self.momentum * self.mean[...] + (1 - self.momentum) * jax.lax.stop_gradient(mean)
            self.var[...] = self.momentum * self.var[...] + (1 - self.momentum) * jax.lax.stop_gradient(var)
        return batch_norm(x, mean, var, _value(self.scale), _value(self.bias), epsilon=self.epsilon)


def _value(parameter):
    return None if parameter is None else parameter[...]
