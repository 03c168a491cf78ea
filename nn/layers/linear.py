"""Linear layers: every output is a weighted sum of all inputs. They hold most of the weights of most networks."""

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from nn.layers.initializers import Initializer, lecun_normal, zeros
from nn.layers.shapes import require_features, require_positive


def linear(
    x: Float[Array, "*batch inputs"],
    kernel: Float[Array, "inputs outputs"],
    bias: Float[Array, " outputs"] | None = None,
) -> Float[Array, "*batch outputs"]:
    """y = x W + b, along the last axis.

    Args:
      x: inputs; any number of leading axes.
      kernel: W, one column per output.
      bias: b, or None for none.
    """
    y = x @ kernel
    return y if bias is None else y + jnp.broadcast_to(bias, y.shape)


class Linear(nnx.Module):
    """A linear map with learned weights: `kernel` (in_features, out_features) and `bias` (out_features,).

    A drop-in for `flax.nnx.Linear`.

    Args:
      in_features: size of the last axis of the input.
      out_features: size of the last axis of the output.
      use_bias: whether to add a bias.
      kernel_init: draws the kernel. LeCun's normal keeps the variance of a signal that no activation follows.
      bias_init: draws the bias.
      rngs: where the random keys come from.

    Raises:
      ValueError: if a size is below 1, or, from a call, if x has another number of features.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        use_bias: bool = True,
        kernel_init: Initializer | None = None,
        bias_init: Initializer = zeros,
        rngs: nnx.Rngs,
    ):
        require_positive("Linear", in_features=in_features, out_features=out_features)
        self.in_features, self.out_features = in_features, out_features
        kernel_init = lecun_normal() if kernel_init is None else kernel_init
        self.kernel = nnx.Param(kernel_init(rngs.params(), (in_features, out_features), jnp.float32))
        self.bias = nnx.Param(bias_init(rngs.params(), (out_features,), jnp.float32)) if use_bias else None

    def __call__(self, x: Float[Array, "*batch inputs"]) -> Float[Array, "*batch outputs"]:
        require_features("Linear", x, self.in_features)
        return linear(x, self.kernel[...], None if self.bias is None else self.bias[...])
