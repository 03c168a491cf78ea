"""Dropout: silence random units while training, so that no unit can rely on one other being there."""

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Key


def dropout(key: Key[Array, ""], x: Float[Array, "*shape"], rate: float) -> Float[Array, "*shape"]:
    """Sets each element to 0 with probability `rate`, and divides the rest by 1 − rate, which keeps the mean.

    Args:
      key: the randomness; the same key silences the same elements.
      x: any shape.
      rate: the share to silence, from 0 to 1.

    Raises:
      ValueError: if rate is not between 0 and 1.

    Reference: Srivastava et al. 2014, "Dropout", section 4, in the inverted form that needs no change at test time.
    """
    require_rate("dropout", rate)
    if rate == 1:  # x / 0 times a mask of zeros would be NaN
        return jnp.zeros_like(x)
    keep = jax.random.bernoulli(key, 1 - rate, x.shape)
    return jnp.where(keep, x / (1 - rate), jnp.zeros_like(x))


def require_rate(layer: str, rate: float) -> None:
    """Raises a ValueError, in the layer's name, unless the rate is a probability."""
    if not 0 <= rate <= 1:
        raise ValueError(f"{layer} expects a rate between 0 and 1, got rate={rate}.")


class Dropout(nnx.Module):
    """Silences random elements while training and passes everything afterwards.

    `train()` and `eval()` of any module around it switch between the two. A drop-in for `flax.nnx.Dropout`: from the same
    `rngs` it draws the same masks.

    Args:
      rate: the share to silence, from 0 to 1.
      deterministic: whether to begin in evaluation mode.
      rngs: where the keys come from, its `dropout` stream.

    Attributes:
      frozen: while True the layer stays in evaluation mode, whatever `train()` says; `transfer.freeze` sets it.

    Raises:
      ValueError: if rate is not between 0 and 1.
    """

    def __init__(self, rate: float, *, deterministic: bool = False, rngs: nnx.Rngs):
        require_rate("Dropout", rate)
        self.rate, self.deterministic, self.frozen = rate, deterministic, False
        self.rngs = rngs["dropout"].fork()

    def __call__(self, x: Float[Array, "*shape"], *, deterministic: bool | None = None) -> Float[Array, "*shape"]:
        return dropout(self.rngs(), x, self.rate) if self.is_active(deterministic) else x

    def is_active(self, deterministic: bool | None = None) -> bool:
        """Whether a call would silence anything."""
        deterministic = self.deterministic if deterministic is None else deterministic
        return not (deterministic or self.frozen or self.rate == 0)
