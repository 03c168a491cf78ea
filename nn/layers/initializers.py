"""Initializers: where weights begin. Too small and the signal dies with depth, too large and it explodes.

Each is a function of a key, a shape and a dtype, as in `jax.nn.initializers`, and draws the same numbers.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float, Key

Initializer = Callable[..., Float[Array, "..."]]


def zeros(key, shape: Sequence[int], dtype=jnp.float32) -> Float[Array, "..."]:
    """All zeros; the usual start of a bias. Hidden layers of zeros never learn: their units get the same gradient, or none."""
    return _filled(key, shape, 0, dtype)


def ones(key, shape: Sequence[int], dtype=jnp.float32) -> Float[Array, "..."]:
    """All ones; the usual start of a scale."""
    return _filled(key, shape, 1, dtype)


def normal(stddev: float = 0.01) -> Initializer:
    """Gaussian with mean 0 and this standard deviation."""

    def init(key, shape, dtype=jnp.float32):
        return _draw(jax.random.normal, key, shape, dtype, stddev)

    return init


def fans(shape: Sequence[int]) -> tuple[int, int]:
    """How many numbers feed one unit, and how many units one number feeds: (fan-in, fan-out).

    The last two axes are (inputs, outputs); any axes before them, as in a convolution, are positions that multiply both.

    Raises:
      ValueError: if the shape has fewer than two axes.
    """
    if len(shape) < 2:
        raise ValueError(f"fans needs a shape with at least two axes (…, inputs, outputs), got {tuple(shape)}.")
    *positions, inputs, outputs = shape
    return inputs * math.prod(positions), outputs * math.prod(positions)


# A normal cut off at ±2 standard deviations has this standard deviation, not 1; dividing by it restores the variance.
TRUNCATED_STDDEV = 0.87962566103423978


def variance_scaling(
    scale: float,
    mode: Literal["fan_in", "fan_out", "fan_avg"],
    distribution: Literal["normal", "truncated_normal", "uniform"],
) -> Initializer:
    """Random weights of mean 0 and variance scale / fan, so that a layer passes on the variance that it receives.

    Args:
      scale: 1 for a linear layer; 2 where a ReLU silences half of the units.
      mode: the fan: of inputs (keeps the forward signal), of outputs (keeps the gradient), or their mean.
      distribution: the shape of the histogram; all three have the same variance. truncated_normal is a normal cut off
        at ±2 of its own standard deviations, then widened so that its variance is again scale / fan.

    Returns:
      init(key, shape, dtype=jnp.float32), whose result has exactly that shape and dtype.

    Raises:
      ValueError: for an unknown mode or distribution, a scale not above 0, or a shape with fewer than two axes.

    References:
      LeCun, Bottou, Orr and Müller 1998, "Efficient BackProp", section 4.6.
      Glorot and Bengio 2010, "Understanding the difficulty of training deep feedforward neural networks", eq. 12 and 16.
      He, Zhang, Ren and Sun 2015, "Delving Deep into Rectifiers", eq. 10.
    """
    if not scale > 0:
        raise ValueError(f"variance_scaling expects a scale above 0, got {scale}.")
    if mode not in ("fan_in", "fan_out", "fan_avg"):
        raise ValueError(f"variance_scaling expects mode fan_in, fan_out or fan_avg, got {mode!r}.")
    if distribution not in ("normal", "truncated_normal", "uniform"):
        raise ValueError(f"variance_scaling expects distribution normal, truncated_normal or uniform, got {distribution!r}.")

    def init(key, shape, dtype=jnp.float32):
        fan_in, fan_out = fans(shape)
        fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[mode]
        stddev = math.sqrt(scale / fan)
        if distribution == "normal":
            return _draw(jax.random.normal, key, shape, dtype, stddev)
        if distribution == "truncated_normal":
            return _draw(_cut_normal, key, shape, dtype, stddev / TRUNCATED_STDDEV)
        # Uniform on ±a has variance a²/3.
        return _draw(_symmetric_uniform, key, shape, dtype, math.sqrt(3) * stddev)

    return init


def lecun_normal() -> Initializer:
    """Variance 1 / fan-in: for layers that no activation follows, or tanh. LeCun et al. 1998."""
    return variance_scaling(1.0, "fan_in", "truncated_normal")


def glorot_uniform() -> Initializer:
    """Variance 2 / (fan-in + fan-out): between keeping the signal and keeping the gradient. Glorot and Bengio 2010."""
    return variance_scaling(1.0, "fan_avg", "uniform")


def he_normal() -> Initializer:
    """Variance 2 / fan-in: for layers with a ReLU behind them. He et al. 2015."""
    return variance_scaling(2.0, "fan_in", "truncated_normal")


def orthogonal(key: Key[Array, ""], shape: tuple[int, ...], dtype: Any = jnp.float32) -> Array:
    """A matrix that keeps lengths: its columns (or, where it is wide, its rows) are of length 1 and at right angles.

    Multiplied by itself again and again it neither explodes nor dies, which is what a recurrent network does with it.

    Raises:
      ValueError: unless the shape has two axes.

    Reference: Saxe, McClelland and Ganguli 2014, "Exact solutions to the nonlinear dynamics of learning in deep linear
    neural networks", section 4.
    """
    if len(shape) != 2:
        raise ValueError(f"orthogonal expects a shape of two axes, got {shape}.")
    rows, columns = shape
    wide = rows < columns
    gaussian = _draw(jax.random.normal, key, (columns, rows) if wide else (rows, columns), dtype)
    # The signs make the factorization unique, and so the draw uniform over all orthogonal matrices.
    q, r = jnp.linalg.qr(gaussian)
    q = q * jnp.broadcast_to(jnp.sign(jnp.diag(r)), q.shape)
    return q.T if wide else q


def _filled(key, shape: Sequence[int], value: int, dtype: Any) -> Array:
    """The same number everywhere, without a program for every shape."""
    return jnp.full(shape, value, dtype) if isinstance(key, Tracer) else jnp.asarray(np.full(shape, value, dtype))


def _draw(sample: Callable[..., Array], key: Key[Array, ""], shape: Sequence[int], dtype: Any, factor: float = 1.0) -> Array:
    """factor · sample(key, shape, dtype), the same numbers but for a last bit, without a program for every shape.

    A program runs once for each layer, and XLA takes a hundred times longer to compile it than to run it. So more numbers
    are drawn than are needed, a power of four of them, which makes few programs for many shapes; and these are compiled in
    a hurry.
    """
    size = math.prod(shape)
    if isinstance(key, Tracer) or jax.default_backend() != "cpu":  # part of a larger program; or never measured
        return factor * sample(key, shape, dtype)
    if not 0 < size <= MANY or not _draws_one_by_one(key):
        return factor * _compiled_draw(sample, key, tuple(shape), dtype)
    enough = 4 ** max(5, -(-(size - 1).bit_length() // 2))
    drawn = _compiled_draw(sample, key, (enough,), dtype)
    if not isinstance(drawn, Tracer) and dtype == jnp.float32:
        drawn = np.asarray(drawn)  # NumPy cuts and multiplies without compiling anything
    return jnp.asarray(drawn[:size].reshape(shape) * factor)


MANY = 4**11  # four million numbers: 0.15 s on one core


def _draws_one_by_one(key: Key[Array, ""]) -> bool:
    """Whether the first n numbers are the same, however many are drawn."""
    partitionable: bool = jax.config.jax_threefry_partitionable  # type: ignore[attr-defined]
    return partitionable and str(jax.random.key_impl(key)) == "threefry2x32"


@partial(jax.jit, static_argnums=(0, 2, 3), compiler_options={"xla_backend_optimization_level": "1"})
def _compiled_draw(sample, key, shape, dtype):
    return sample(key, shape, dtype)


def _symmetric_uniform(key, shape, dtype):
    return jax.random.uniform(key, shape, dtype, minval=-1)


def _cut_normal(key, shape, dtype):
    return jax.random.truncated_normal(key, -2, 2, shape, dtype)
