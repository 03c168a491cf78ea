"""LeNet-5, the network that read the digits on bank cheques: small windows first, then ordinary layers on what they found."""

from dataclasses import dataclass
from itertools import pairwise

from flax import nnx
from jaxtyping import Array, Float

from nn.layers.activations import relu
from nn.layers.containers import List
from nn.layers.convolution import Conv
from nn.layers.initializers import he_normal
from nn.layers.linear import Linear
from nn.layers.pooling import max_pool
from nn.models.classifier import Classifier

SMALLEST = 12  # pixels a side that the two windows and the two poolings leave one position of


@dataclass(frozen=True, kw_only=True)
class LeNetConfig:
    """What a LeNet is made of; the defaults are LeNet-5 on images of 28 × 28.

    Args:
      image_shape: height, width and channels of an image.
      channels: how many patterns the first and the second convolution look for.
      hidden: width of each hidden layer; the last one is the width of `LeNet.features`.
      out_features: one score per class.

    Raises:
      ValueError: if a size is below 1, or an image is smaller than 12 × 12.
    """

    image_shape: tuple[int, int, int] = (28, 28, 1)
    channels: tuple[int, int] = (6, 16)
    hidden: tuple[int, ...] = (120, 84)
    out_features: int

    def __post_init__(self):
        for name in ("image_shape", "channels", "hidden"):
            object.__setattr__(self, name, tuple(getattr(self, name)))  # JSON has lists, and a config must be hashable
        if len(self.channels) != 2 or not self.hidden or min(*self.channels, *self.hidden, self.out_features) < 1:
            raise ValueError(
                f"LeNetConfig expects two channels, at least one hidden layer and sizes of at least 1, got "
                f"channels={self.channels}, hidden={self.hidden}, out_features={self.out_features}."
            )
        if len(self.image_shape) != 3 or min(self.image_shape[:2]) < SMALLEST or self.image_shape[2] < 1:
            raise ValueError(
                f"LeNetConfig expects image_shape (height, width, channels) of at least ({SMALLEST}, {SMALLEST}, 1), "
                f"got {self.image_shape}."
            )


class LeNet(Classifier):
    """Convolution 5 × 5, pooling, convolution 5 × 5, pooling, hidden layers, then a linear `head`.

    It is LeNet-5 with what came after it in two places: ReLU for the scaled tanh, and the largest of four neighbours for a
    weighted mean of them. As in most of its descendants, each pattern of the second convolution sees all of the first.

    Args:
      config: sizes.
      rngs: where the weights come from.

    Raises:
      ValueError: from a call with images of another shape.

    Reference: LeCun, Bottou, Bengio and Haffner 1998, "Gradient-Based Learning Applied to Document Recognition", figure 2.
    """

    def __init__(self, config: LeNetConfig, *, rngs: nnx.Rngs):
        self.config = config
        height, width, inputs = config.image_shape
        first, second = config.channels
        he = he_normal()
        self.conv1 = Conv(inputs, first, (5, 5), padding="SAME", kernel_init=he, rngs=rngs)
        self.conv2 = Conv(first, second, (5, 5), padding="VALID", kernel_init=he, rngs=rngs)
        positions = ((height // 2 - 4) // 2) * ((width // 2 - 4) // 2)
        pairs = pairwise((positions * second, *config.hidden))
        self.hidden = List([Linear(i, o, kernel_init=he, rngs=rngs) for i, o in pairs])
        self.head = Linear(config.hidden[-1], config.out_features, rngs=rngs)

    def features(self, x: Float[Array, "*batch height width channels"]) -> Float[Array, "*batch features"]:
        """The activations of the last hidden layer."""
        if x.shape[-3:] != self.config.image_shape:
            height, width, channels = self.config.image_shape
            raise ValueError(f"LeNet expects images of shape (*batch, {height}, {width}, {channels}), got x.shape={x.shape}.")
        batch = x.shape[:-3]
        for conv in (self.conv1, self.conv2):
            x = max_pool(relu(conv(x)), (2, 2), strides=(2, 2))
        x = x.reshape(*batch, self.hidden[0].in_features)
        for layer in self.hidden:
            x = relu(layer(x))
        return x
