"""VGG: depth from nothing but 3 × 3 windows. Two of them see as far as one of 5 × 5, with fewer weights and a bend between."""

from dataclasses import dataclass
from itertools import pairwise
from math import prod
from typing import Any

from flax import nnx
from jaxtyping import Array, Float

from nn.layers.activations import relu
from nn.layers.containers import List
from nn.layers.convolution import Conv
from nn.layers.dropout import Dropout
from nn.layers.initializers import he_normal
from nn.layers.linear import Linear
from nn.layers.normalization import BatchNorm
from nn.layers.pooling import max_pool
from nn.models.classifier import Classifier


@dataclass(frozen=True, kw_only=True)
class VGGConfig:
    """What a VGG is made of. `vgg11` and `vgg16` are sizes with a name.

    Args:
      image_shape: height, width and channels of an image.
      blocks: for each block the channels of its 3 × 3 convolutions; behind each block a pooling halves height and width.
      hidden: width of each hidden layer; the last one is the width of `VGG.features`.
      out_features: one score per class.
      batch_norm: whether a batch norm follows each convolution. The paper came before it.
      dropout: the share of hidden units silenced in training.

    Raises:
      ValueError: if a size is below 1, the poolings leave no position of an image, or dropout is not between 0 and 1.
    """

    image_shape: tuple[int, int, int] = (224, 224, 3)
    blocks: tuple[tuple[int, ...], ...]
    hidden: tuple[int, ...] = (4096, 4096)
    out_features: int = 1000
    batch_norm: bool = False
    dropout: float = 0.5

    def __post_init__(self):
        # JSON has lists, and a config must be hashable
        object.__setattr__(self, "image_shape", tuple(self.image_shape))
        object.__setattr__(self, "blocks", tuple(map(tuple, self.blocks)))
        object.__setattr__(self, "hidden", tuple(self.hidden))
        if not all(self.blocks) or not self.blocks or not self.hidden:
            raise ValueError(f"VGGConfig expects blocks and hidden layers, got blocks={self.blocks}, hidden={self.hidden}.")
        if min(*map(min, self.blocks), *self.hidden, self.out_features) < 1:
            raise ValueError(
                f"VGGConfig expects sizes of at least 1, got blocks={self.blocks}, hidden={self.hidden}, "
                f"out_features={self.out_features}."
            )
        smallest = 2 ** len(self.blocks)
        if len(self.image_shape) != 3 or min(self.image_shape[:2]) < smallest or self.image_shape[2] < 1:
            raise ValueError(
                f"VGGConfig expects image_shape (height, width, channels) of at least ({smallest}, {smallest}, 1) for "
                f"{len(self.blocks)} blocks, got {self.image_shape}."
            )
        if not 0 <= self.dropout <= 1:
            raise ValueError(f"VGGConfig expects dropout between 0 and 1, got {self.dropout}.")

    @classmethod
    def vgg11(cls, **changes: Any) -> "VGGConfig":
        """11 layers with weights: column A of the paper's table 1. Changes are other arguments of the config."""
        sizes: dict[str, Any] = dict(blocks=((64,), (128,), (256,) * 2, (512,) * 2, (512,) * 2))
        return cls(**sizes | changes)

    @classmethod
    def vgg16(cls, **changes: Any) -> "VGGConfig":
        """16 layers with weights: column D of the paper's table 1. Changes are other arguments of the config."""
        sizes: dict[str, Any] = dict(blocks=((64,) * 2, (128,) * 2, (256,) * 3, (512,) * 3, (512,) * 3))
        return cls(**sizes | changes)


class VGG(Classifier):
    """Blocks of 3 × 3 convolutions, a pooling behind each, then hidden layers with dropout and a linear `head`.

    `blocks[b][i]` is a convolution, and `norms[b][i]`, if there are any, the batch norm behind it.

    Args:
      config: sizes and choices.
      rngs: where the weights and the dropout masks come from.

    Raises:
      ValueError: from a call with images of another shape.

    Reference: Simonyan and Zisserman 2015, "Very Deep Convolutional Networks for Large-Scale Image Recognition", table 1.
    """

    def __init__(self, config: VGGConfig, *, rngs: nnx.Rngs):
        self.config = config
        height, width, channels = config.image_shape
        blocks, norms = [], []
        for outputs in config.blocks:
            pairs = list(pairwise((channels, *outputs)))
            blocks.append(List([Conv(i, o, (3, 3), kernel_init=he_normal(), rngs=rngs) for i, o in pairs]))
            if config.batch_norm:
                norms.append(List([BatchNorm(o, momentum=0.9, rngs=rngs) for o in outputs]))
            height, width, channels = height // 2, width // 2, outputs[-1]
        self.blocks, self.norms = List(blocks), List(norms)
        pairs = list(pairwise((height * width * channels, *config.hidden)))
        self.hidden = List([Linear(i, o, kernel_init=he_normal(), rngs=rngs) for i, o in pairs])
        self.dropouts = List([Dropout(config.dropout, rngs=rngs) for _ in pairs] if config.dropout else [])
        self.head = Linear(config.hidden[-1], config.out_features, rngs=rngs)

    def features(self, x: Float[Array, "*batch height width channels"]) -> Float[Array, "*batch features"]:
        """The activations of the last hidden layer."""
        if x.shape[-3:] != self.config.image_shape:
            height, width, channels = self.config.image_shape
            raise ValueError(f"VGG expects images of shape (*batch, {height}, {width}, {channels}), got x.shape={x.shape}.")
        for b, block in enumerate(self.blocks):
            for i, conv in enumerate(block):
                x = conv(x)
                if self.norms:
                    x = self.norms[b][i](x)
                x = relu(x)
            x = max_pool(x, (2, 2), strides=(2, 2))
        x = x.reshape(*x.shape[:-3], prod(x.shape[-3:]))
        for i, layer in enumerate(self.hidden):
            x = relu(layer(x))
            if self.dropouts:
                x = self.dropouts[i](x)
        return x
