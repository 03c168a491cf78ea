"""Normalization: give each layer inputs of a steady mean and spread, so that one learning rate suits all depths.

They differ in what they average over. BatchNorm: one feature, over the batch. LayerNorm: all features of one example; RMSNorm
the same, without taking the mean off. GroupNorm: a group of features over the positions of one example, as the pixels of an
image; InstanceNorm: one feature of them. Statistics are computed in float32 or better.

The equations are functions. LayerNorm, of which the deepest networks have most, computes the same by a kernel.
"""

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from nn.kernels import layer_norm as kernel
from nn.kernels.choice import Implementation
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


def group_norm(
    x: Float[Array, "batch *positions features"],
    num_groups: int,
    scale: Vector | None = None,
    bias: Vector | None = None,
    *,
    epsilon: float = 1e-6,
) -> Float[Array, "batch *positions features"]:
    """y = (x − mean) / √(var + ε) · scale + bias, mean and variance of each example and group of neighbouring features.

    Every axis between the first and the last is one of positions, and is averaged over too. One group makes it a layer norm
    over all of an example, as many groups as features an instance norm.

    Raises:
      ValueError: if the groups do not divide the features.

    Reference: Wu and He 2018, "Group Normalization", eq. 1 and 7.
    """
    require_groups("group_norm", x.shape[-1], num_groups)
    wide = _at_least_float32(x).reshape(*x.shape[:-1], num_groups, x.shape[-1] // num_groups)
    axes = (*range(1, x.ndim - 1), x.ndim)  # the positions, and the features of a group
    mean, var = wide.mean(axes, keepdims=True), wide.var(axes, keepdims=True)
    return _scale_and_shift(x, ((wide - mean) * jax.lax.rsqrt(var + epsilon)).reshape(x.shape), scale, bias)


def instance_norm(
    x: Float[Array, "batch *positions features"],
    scale: Vector | None = None,
    bias: Vector | None = None,
    *,
    epsilon: float = 1e-6,
) -> Float[Array, "batch *positions features"]:
    """y = (x − mean) / √(var + ε) · scale + bias, mean and variance of each feature over the positions of each example.

    An image's brightness and contrast are such means and spreads, and so they are lost: what stays is the drawing.

    Reference: Ulyanov, Vedaldi and Lempitsky 2016, "Instance Normalization", eq. 2.
    """
    return group_norm(x, x.shape[-1], scale, bias, epsilon=epsilon)


def require_groups(layer: str, features: int, num_groups: int) -> None:
    """Raises a ValueError, in the layer's name, unless the features fall into this many groups of one size."""
    if num_groups < 1 or features % num_groups:
        raise ValueError(f"{layer} expects a number of groups that divides the {features} features, got {num_groups}.")


def _at_least_float32(x):
    return x.astype(jnp.promote_types(x.dtype, jnp.float32))


def _scale_and_shift(x, normalized, scale, bias):
    if scale is not None:
        normalized = normalized * jnp.broadcast_to(scale, x.shape)
    if bias is not None:
        normalized = normalized + jnp.broadcast_to(bias, x.shape)
    # The caller's precision, raised only by the parameters', never by the float32 of the statistics; but no whole numbers.
    dtype = jnp.result_type(x, *(p for p in (scale, bias) if p is not None))
    return normalized.astype(dtype if jnp.issubdtype(dtype, jnp.inexact) else normalized.dtype)


class LayerNorm(nnx.Module):
    """Normalizes each example over its features, then applies a learned `scale` and `bias` (num_features,).

    A drop-in for `flax.nnx.LayerNorm`.

    Args:
      num_features: size of the last axis.
      epsilon: added to the variance, so that a constant example does not divide by 0.
      use_bias: whether to learn a bias.
      use_scale: whether to learn a scale.
      implementation: a form of `nn.kernels.layer_norm.layer_norm`, whose choice None is.
      rngs: scale and bias each take a key, as in Flax, so that what is made after them begins alike.

    Raises:
      ValueError: if num_features is below 1; from a call whose input has another number of features, or if the form that is
        named cannot run.
    """

    def __init__(
        self,
        num_features: int,
        *,
        epsilon: float = 1e-6,
        use_bias: bool = True,
        use_scale: bool = True,
        implementation: Implementation | None = None,
        rngs: nnx.Rngs,
    ):
        require_positive("LayerNorm", num_features=num_features)
        self.num_features, self.epsilon = num_features, epsilon
        self.implementation: Implementation | None = implementation
        self.scale = nnx.Param(ones(rngs.params(), (num_features,))) if use_scale else None
        self.bias = nnx.Param(zeros(rngs.params(), (num_features,))) if use_bias else None

    def __call__(self, x: Float[Array, "*batch features"]) -> Float[Array, "*batch features"]:
        require_features("LayerNorm", x, self.num_features)
        x = jnp.asarray(x) if jnp.issubdtype(x.dtype, jnp.inexact) else _at_least_float32(x)
        scale = jnp.ones(self.num_features, x.dtype) if self.scale is None else self.scale[...]
        bias = jnp.zeros(self.num_features, x.dtype) if self.bias is None else self.bias[...]
        x = x.astype(jnp.result_type(x, scale, bias))
        return kernel.layer_norm(x, scale, bias, epsilon=self.epsilon, implementation=self.implementation)


class RMSNorm(nnx.Module):
    """Divides each example by the root of its mean square, then applies a learned `scale` (num_features,).

    A drop-in for `flax.nnx.RMSNorm`; num_features, epsilon, use_scale and rngs are as in `LayerNorm`.
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
      ValueError: from a call whose input has another number of features, or, in training mode, fewer than two values of each:
        of one alone nothing is left when its mean is taken off, and it would move the running variance towards 0. (Flax
        computes on.)
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
            if isinstance(x.size, int) and x.size < 2 * self.num_features:  # exported, a program may have a symbol there
                raise ValueError(
                    "BatchNorm in training mode expects at least two values of each feature, for of one alone nothing is left "
                    f"when its mean is taken off, got x.shape={x.shape}. After eval() one example will do."
                )
            mean, var = batch_statistics(x)
            self.mean[...] = self.momentum * self.mean[...] + (1 - self.momentum) * jax.lax.stop_gradient(mean)
            self.var[...] = self.momentum * self.var[...] + (1 - self.momentum) * jax.lax.stop_gradient(var)
        return batch_norm(x, mean, var, _value(self.scale), _value(self.bias), epsilon=self.epsilon)


class GroupNorm(nnx.Module):
    """Normalizes groups of features over the positions of each example, then applies a learned `scale` and `bias`.

    A drop-in for `flax.nnx.GroupNorm`: the first axis of x is the batch, the last the features (num_features,), and all
    between are positions. It keeps no running averages, and one example is as good as a batch.

    Args:
      num_features: size of the last axis.
      num_groups: how many groups; it divides num_features.
      epsilon: added to the variance, so that a constant group does not divide by 0.
      use_bias: whether to learn a bias.
      use_scale: whether to learn a scale.
      rngs: scale and bias each take a key, as in Flax, so that what is made after them begins alike.

    Raises:
      ValueError: if the groups do not divide the features, or, from a call, if x has another number of features or no
        batch axis.
    """

    def __init__(
        self,
        num_features: int,
        num_groups: int = 32,
        *,
        epsilon: float = 1e-6,
        use_bias: bool = True,
        use_scale: bool = True,
        rngs: nnx.Rngs,
    ):
        require_positive("GroupNorm", num_features=num_features)
        require_groups("GroupNorm", num_features, num_groups)
        self.num_features, self.num_groups, self.epsilon = num_features, num_groups, epsilon
        self.scale = nnx.Param(ones(rngs.params(), (num_features,))) if use_scale else None
        self.bias = nnx.Param(zeros(rngs.params(), (num_features,))) if use_bias else None

    def __call__(self, x: Float[Array, "batch *positions features"]) -> Float[Array, "batch *positions features"]:
        require_features("GroupNorm", x, self.num_features)
        if x.ndim < 2:
            raise ValueError(f"GroupNorm expects x (batch, *positions, features), got x.shape={x.shape}.")
        return group_norm(x, self.num_groups, _value(self.scale), _value(self.bias), epsilon=self.epsilon)


class InstanceNorm(nnx.Module):
    """Normalizes each feature over the positions of each example, then applies a learned `scale` and `bias`.

    A drop-in for `flax.nnx.InstanceNorm`; axes and arguments as in `GroupNorm`.

    Raises:
      ValueError: from a call whose input has another number of features, or no positions: of one number alone nothing is
        left when its mean is taken off.
    """

    def __init__(
        self, num_features: int, *, epsilon: float = 1e-6, use_bias: bool = True, use_scale: bool = True, rngs: nnx.Rngs
    ):
        require_positive("InstanceNorm", num_features=num_features)
        self.num_features, self.epsilon = num_features, epsilon
        self.scale = nnx.Param(ones(rngs.params(), (num_features,))) if use_scale else None
        self.bias = nnx.Param(zeros(rngs.params(), (num_features,))) if use_bias else None

    def __call__(self, x: Float[Array, "batch *positions features"]) -> Float[Array, "batch *positions features"]:
        require_features("InstanceNorm", x, self.num_features)
        if x.ndim < 3:
            raise ValueError(f"InstanceNorm expects x (batch, *positions, features) with positions, got x.shape={x.shape}.")
        return instance_norm(x, _value(self.scale), _value(self.bias), epsilon=self.epsilon)


def _value(parameter):
    return None if parameter is None else parameter[...]
