"""Linear layers: every output is a weighted sum of all inputs. They hold most of the weights of most networks.

The equation is `linear`. The layers compute the same by `affine`, in the form that suits the machine.
"""

from collections.abc import Sequence
from math import prod
from typing import Any

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from nn.kernels.choice import Implementation
from nn.kernels.matmul import matmul
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


def affine(
    x: Float[Array, "*batch inputs"],
    kernel: Float[Array, "inputs outputs"],
    bias: Float[Array, " outputs"] | None = None,
    *,
    implementation: Implementation | None = None,
) -> Float[Array, "*batch outputs"]:
    """`linear`, in the form that suits the machine: this is what the layers call.

    Args:
      x, kernel, bias: as for `linear`; of several dtypes all take the one that JAX promotes them to, a floating-point one.
      implementation: a form of `nn.kernels.matmul.matmul`, whose choice None is. In bfloat16 only "reference" is differentiable
        in forward mode.

    Raises:
      ValueError: if sizes do not fit, or the form that is named cannot run.
    """
    arrays = (x, kernel) if bias is None else (x, kernel, bias)
    return matmul(*(jnp.asarray(array, jnp.result_type(*arrays)) for array in arrays), implementation=implementation)


class Linear(nnx.Module):
    """A linear map with learned weights: `kernel` (in_features, out_features) and `bias` (out_features,).

    A drop-in for `flax.nnx.Linear`.

    Args:
      in_features: size of the last axis of the input.
      out_features: size of the last axis of the output.
      use_bias: whether to add a bias.
      kernel_init: draws the kernel. LeCun's normal keeps the variance of a signal that no activation follows.
      bias_init: draws the bias.
      implementation: in which form to multiply, see `affine`.
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
        implementation: Implementation | None = None,
        rngs: nnx.Rngs,
    ):
        require_positive("Linear", in_features=in_features, out_features=out_features)
        self.in_features, self.out_features = in_features, out_features
        self.implementation: Implementation | None = implementation
        kernel_init = lecun_normal() if kernel_init is None else kernel_init
        self.kernel = nnx.Param(kernel_init(rngs.params(), (in_features, out_features), jnp.float32))
        self.bias: Any = nnx.Param(bias_init(rngs.params(), (out_features,), jnp.float32)) if use_bias else None

    def __call__(self, x: Float[Array, "*batch inputs"]) -> Float[Array, "*batch outputs"]:
        require_features("Linear", x, self.in_features)
        bias = None if self.bias is None else self.bias[...]
        return affine(x, self.kernel[...], bias, implementation=self.implementation)


class LinearGeneral(nnx.Module):
    """A linear map between several axes at once: from the last axes of the input to as many new ones as there are outputs.

    `kernel` (*in_features, *out_features) and `bias` (*out_features,). Attention uses it to go from features to (heads,
    depth) and back. A drop-in for `flax.nnx.LinearGeneral` over the last axes.

    Args:
      in_features: sizes of the last axes of the input.
      out_features: sizes of the axes that replace them.
      axis: which axes those are, as Flax asks; always the last ones: −1, or (−2, −1), …
      use_bias: whether to add a bias.
      kernel_init: draws the kernel, as one matrix from all inputs to all outputs.
      bias_init: draws the bias.
      implementation: in which form to multiply, see `affine`.
      rngs: where the random keys come from.

    Raises:
      ValueError: if a size is below 1, `axis` is not the last axes, or, from a call, if x ends in other sizes.
    """

    def __init__(
        self,
        in_features: int | Sequence[int],
        out_features: int | Sequence[int],
        *,
        axis: int | Sequence[int] = -1,
        use_bias: bool = True,
        kernel_init: Initializer | None = None,
        bias_init: Initializer = zeros,
        implementation: Implementation | None = None,
        rngs: nnx.Rngs,
    ):
        self.in_features, self.out_features, axes = (
            (sizes,) if isinstance(sizes, int) else tuple(sizes) for sizes in (in_features, out_features, axis)
        )
        require_positive(
            "LinearGeneral", in_features=min(self.in_features, default=0), out_features=min(self.out_features, default=0)
        )
        if axes != tuple(range(-len(self.in_features), 0)):
            raise ValueError(
                f"LinearGeneral expects the last axes, one for each of in_features={in_features}, got axis={axis}."
            )
        kernel_init = lecun_normal() if kernel_init is None else kernel_init
        inputs, outputs = prod(self.in_features), prod(self.out_features)
        self.implementation: Implementation | None = implementation
        kernel = kernel_init(rngs.params(), (inputs, outputs), jnp.float32)
        self.kernel = nnx.Param(kernel.reshape(*self.in_features, *self.out_features))
        self.bias = nnx.Param(bias_init(rngs.params(), (outputs,)).reshape(self.out_features)) if use_bias else None

    def __call__(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        axes = len(self.in_features)
        if x.shape[-axes:] != self.in_features:
            raise ValueError(f"LinearGeneral expects x to end in the sizes {self.in_features}, got x.shape={x.shape}.")
        batch, inputs, outputs = x.shape[:-axes], prod(self.in_features), prod(self.out_features)
        # One flat product: XLA is quickest with matrices.
        kernel, bias = self.kernel[...].reshape(inputs, outputs), None if self.bias is None else self.bias[...].reshape(outputs)
        y = affine(x.reshape(*batch, inputs), kernel, bias, implementation=self.implementation)
        return y.reshape(*batch, *self.out_features)
