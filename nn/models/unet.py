"""U-Net: image in, image out. The way down finds what is there, the way up says where, with the fine detail handed across."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from nn.layers.activations import relu
from nn.layers.containers import List
from nn.layers.convolution import Conv, ConvTranspose
from nn.layers.initializers import he_normal
from nn.layers.normalization import BatchNorm
from nn.layers.pooling import max_pool


@dataclass(frozen=True, kw_only=True)
class UNetConfig:
    """What a U-Net is made of.

    Args:
      in_features: channels of the image that comes in.
      out_features: channels of the image that goes out.
      widths: channels at each level, from the full image down to the coarsest. Each level halves height and width.
      batch_norm: whether a batch norm follows each 3 × 3 convolution. The paper came before it.

    Raises:
      ValueError: if a size is below 1, or there are no widths.
    """

    in_features: int = 1
    out_features: int = 1
    widths: tuple[int, ...] = (16, 32, 64)
    batch_norm: bool = True

    def __post_init__(self):
        object.__setattr__(self, "widths", tuple(self.widths))  # JSON has lists, and a config must be hashable
        if not self.widths or min(self.in_features, self.out_features, *self.widths) < 1:
            raise ValueError(
                f"UNetConfig expects sizes of at least 1 and at least one width, got in_features={self.in_features}, "
                f"out_features={self.out_features}, widths={self.widths}."
            )


class DoubleConv(nnx.Module):
    """Two 3 × 3 convolutions, each with a batch norm, where asked for, and a ReLU behind it."""

    def __init__(self, inputs: int, outputs: int, *, batch_norm: bool, rngs: nnx.Rngs):
        pairs = ((inputs, outputs), (outputs, outputs))
        convs = [Conv(i, o, (3, 3), use_bias=not batch_norm, kernel_init=he_normal(), rngs=rngs) for i, o in pairs]
        self.convs = List(convs)
        self.norms: Any = List([BatchNorm(outputs, momentum=0.9, rngs=rngs) for _ in pairs] if batch_norm else [])

    def __call__(self, x: Float[Array, "*batch height width inputs"]) -> Float[Array, "*batch height width outputs"]:
        for i, conv in enumerate(self.convs):
            x = conv(x)
            x = relu(self.norms[i](x) if self.norms else x)
        return x


class UNet(nnx.Module):
    """Down by pooling, up by transposed convolution; on the way up each level also sees what it saw on the way down.

    `down[i]` and `up[i]` work at level i, from the full image (0) to the coarsest; `grow[i]` leads up to level i from the one
    below it; `head` is a 1 × 1 convolution. Unlike the paper's, these convolutions pad the image with zeros, so that the
    output is as large as the input.

    Args:
      config: sizes and choices.
      rngs: where the weights come from.

    Raises:
      ValueError: from a call with images of other channels, or of a height or width that cannot be halved at each level.

    Reference: Ronneberger, Fischer and Brox 2015, "U-Net: Convolutional Networks for Biomedical Image Segmentation", figure 1.
    """

    def __init__(self, config: UNetConfig, *, rngs: nnx.Rngs):
        self.config = config
        widths, batch_norm = config.widths, config.batch_norm
        levels = list(pairwise(widths))
        self.down = List(
            [DoubleConv(i, o, batch_norm=batch_norm, rngs=rngs) for i, o in pairwise((config.in_features, *widths))]
        )
        self.grow = List([ConvTranspose(low, high, (2, 2), (2, 2), rngs=rngs) for high, low in levels])
        self.up = List([DoubleConv(2 * high, high, batch_norm=batch_norm, rngs=rngs) for high, _ in levels])
        self.head = Conv(widths[0], config.out_features, (1, 1), rngs=rngs)

    def __call__(self, x: Float[Array, "*batch height width inputs"]) -> Float[Array, "*batch height width outputs"]:
        cell = 2 ** len(self.grow)
        if x.ndim < 3 or x.shape[-1] != self.config.in_features or x.shape[-3] % cell or x.shape[-2] % cell:
            raise ValueError(
                f"UNet expects images of shape (*batch, height, width, {self.config.in_features}), height and width multiples "
                f"of {cell}, got x.shape={x.shape}."
            )
        *finer, coarsest = self.down
        seen = []
        for level in finer:
            x = level(x)
            seen.append(x)
            x = max_pool(x, (2, 2), strides=(2, 2))
        x = coarsest(x)
        for grow, level, detail in reversed(list(zip(self.grow, self.up, seen, strict=True))):
            x = level(jnp.concatenate([detail, grow(x)], -1))
        return self.head(x)
