"""Activations: the bend between two linear layers, without which any depth of them is one linear layer.

All work element by element on any shape, except softmax and log_softmax, which work along one axis. Those with a curve are
computed in float32 at least, and returned in the dtype of x.
"""

import math
from collections.abc import Callable
from functools import wraps

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

Values = Float[Array, "*shape"]


def _in_float32(function: Callable[..., Values]) -> Callable[..., Values]:
    """Half precision is widened once and narrowed once. Else each operation in between would round and, on a CPU, convert: in
    bfloat16 gelu, there and back, would take four times as long."""

    @wraps(function)
    def widened(x, *args, **kwargs):
        dtype = jnp.result_type(x)
        if dtype not in (jnp.bfloat16, jnp.float16):
            return function(x, *args, **kwargs)
        return function(x.astype(jnp.float32), *args, **kwargs).astype(dtype)

    return widened


def relu(x: Values) -> Values:
    """max(x, 0). Its slope at 0 is taken as 0, and NaN stays NaN.

    Reference: Nair and Hinton 2010, "Rectified linear units improve restricted Boltzmann machines".
    """
    return _at_least_zero(x)


@jax.custom_jvp
def _at_least_zero(x):
    return jnp.maximum(x, 0)


_at_least_zero.defjvps(lambda change, y, x: jnp.where(y <= 0, 0, change))  # JAX's own slope of maximum at 0 is ½


def leaky_relu(x: Values, negative_slope: float = 0.01) -> Values:
    """x above 0, negative_slope · x below: a unit that never goes quite silent. Maas, Hannun and Ng 2013."""
    return jnp.where(x >= 0, x, negative_slope * x)


@_in_float32
def elu(x: Values, alpha: float = 1.0) -> Values:
    """x above 0, α (eˣ − 1) below. Clevert, Unterthiner and Hochreiter 2016, eq. 15."""
    # The exponential's argument is kept at or below 0, or its overflow would make the unused branch's gradient NaN; by
    # `where`, since `minimum` would halve the slope at 0.
    return jnp.where(x > 0, x, alpha * jnp.expm1(jnp.where(x > 0, 0, x)))


@_in_float32
def sigmoid(x: Values) -> Values:
    """1 / (1 + e⁻ˣ), between 0 and 1, safe for x of any size."""
    return jax.lax.logistic(x)


@_in_float32
def tanh(x: Values) -> Values:
    """(eˣ − e⁻ˣ) / (eˣ + e⁻ˣ), between −1 and 1."""
    return jnp.tanh(x)


@_in_float32
def softplus(x: Values) -> Values:
    """log(1 + eˣ): a smooth relu, safe for x of any size."""
    return jnp.logaddexp(x, 0)


@_in_float32
def silu(x: Values) -> Values:
    """x · sigmoid(x), also called swish. Elfwing, Uchibe and Doya 2018."""
    return x * sigmoid(x)


@_in_float32
def gelu(x: Values, approximate: bool = True) -> Values:
    """x · Φ(x), where Φ is the Gaussian distribution function: x times the chance that a unit normal is below x.

    Args:
      x: any shape.
      approximate: whether to use the tanh form that GPT-2 and BERT's first code use; off by at most 5e-4.

    Reference: Hendrycks and Gimpel 2016, "Gaussian Error Linear Units", section 2.
    """
    if approximate:
        return _gelu_by_tanh(x)
    # erfc: far below 0, 1 + erf would be the difference of two numbers near 1, and x times its rounding.
    return 0.5 * x * jax.lax.erfc(-x / math.sqrt(2))


@jax.custom_jvp
def _gelu_by_tanh(x):
    return 0.5 * x * (1 + jnp.tanh(_bent(x)))


def _bent(x):
    return math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)


@_gelu_by_tanh.defjvp
def _gelu_by_tanh_jvp(primals, tangents):
    """With u = `_bent(x)` gelu is x (1 + tanh u) / 2 = x σ(2u), and its slope is written by σ here.

    Of a tanh XLA would see that it was there before, and keep it for the way back. It is as large as x, in a GPT the largest
    array of a layer: to find it anew saves 2% of a step on one core.
    """
    (x,), (change,) = primals, tangents
    u, u_change = jax.jvp(_bent, primals, tangents)
    share = sigmoid(2 * u)
    return _gelu_by_tanh(x), change * share + 2 * x * share * (1 - share) * u_change


def softmax(x: Values, axis: int = -1) -> Values:
    """eˣ / Σ eˣ along an axis: scores to probabilities, safe for scores of any finite size.

    Taking the largest score off all of them changes nothing, since e^(x−c) / Σ e^(x−c) = eˣ / Σ eˣ, and keeps the
    largest exponent at 0.
    """
    unnormalized = jnp.exp(x - jax.lax.stop_gradient(x.max(axis, keepdims=True)))
    return unnormalized / unnormalized.sum(axis, keepdims=True)


def log_softmax(x: Values, axis: int = -1) -> Values:
    """x − log Σ eˣ along an axis; exact where softmax itself would round to 0 and its logarithm to −∞."""
    shifted = x - jax.lax.stop_gradient(x.max(axis, keepdims=True))
    return shifted - jnp.log(jnp.exp(shifted).sum(axis, keepdims=True))


ACTIVATIONS = {function.__name__: function for function in (relu, leaky_relu, elu, sigmoid, tanh, softplus, silu, gelu)}
