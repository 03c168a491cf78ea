"""Two convolutions: the gradient of a convolution's kernel is where compilers for a CPU differ most."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.weights import Weights, as_linen, into_keras, into_nnx, into_pytorch
from benchmarks.workload import Operations, Supervised


def network(layers: Any, relu: Any, max_pool: Any, channels: tuple[int, int], side: int, classes: int) -> Any:
    """The network of ours or of flax.nnx: these lines, with the layers of either."""
    from flax import nnx

    class CNN(nnx.Module):
        def __init__(self, rngs: nnx.Rngs):
            first, second = channels
            self.conv1 = layers.Conv(1, first, (3, 3), rngs=rngs)
            self.conv2 = layers.Conv(first, second, (3, 3), rngs=rngs)
            self.head = layers.Linear((side // 4) ** 2 * second, classes, rngs=rngs)

        def __call__(self, x):
            for conv in (self.conv1, self.conv2):
                x = max_pool(relu(conv(x)), (2, 2), strides=(2, 2))
            return self.head(x.reshape(len(x), -1))

    return CNN(nnx.Rngs(0))


@dataclass(frozen=True)
class CNN(Supervised):
    """Convolution 3 × 3, relu, pooling, the same again, and a linear layer.

    Args:
      batch_size: images in a batch.
      side: of an image, in pixels; 4 divides it.
      channels: behind each convolution.
      classes: how many.
    """

    batch_size: int = 128
    side: int = 28
    channels: tuple[int, int] = (32, 64)
    classes: int = 10
    name: str = "cnn"
    family: str = "cnn"
    size: int = 0
    steps: tuple[int, int] = (8, 40)

    def examples(self):
        random = np.random.default_rng(0)
        inputs = random.normal(size=(self.batch_size, self.side, self.side, 1)).astype(np.float32)
        return inputs, random.integers(0, self.classes, self.batch_size).astype(np.int32)

    def operations(self) -> Operations:
        (first, second), pixels = self.channels, self.side**2
        one = 2 * self.batch_size * pixels * 9 * first
        rest = 2 * self.batch_size * (pixels // 4 * 9 * first * second + pixels // 16 * second * self.classes)
        return Operations(train=2 * one + 3 * rest, infer=one + rest)

    def ours(self) -> Any:
        from nn import layers

        return network(layers, layers.relu, layers.max_pool, self.channels, self.side, self.classes)

    def flax_nnx(self, weights: Weights) -> Any:
        from flax import nnx

        return into_nnx(network(nnx, nnx.relu, nnx.max_pool, self.channels, self.side, self.classes), weights)

    def flax_linen(self, weights: Weights) -> tuple[Any, Any]:
        from flax import linen

        class Network(linen.Module):
            channels: tuple[int, int]
            classes: int

            @linen.compact
            def __call__(self, x):
                for i, channels in enumerate(self.channels, start=1):
                    x = linen.relu(linen.Conv(channels, (3, 3), name=f"conv{i}")(x))
                    x = linen.max_pool(x, (2, 2), strides=(2, 2))
                return linen.Dense(self.classes, name="head")(x.reshape(len(x), -1))

        return Network(self.channels, self.classes), as_linen(weights)

    def keras(self, weights: Weights) -> Any:
        import keras

        layers = [keras.Input((self.side, self.side, 1))]
        for channels in self.channels:
            layers.append(keras.layers.Conv2D(channels, 3, padding="same", activation="relu"))
            layers.append(keras.layers.MaxPooling2D())
        model = keras.Sequential([*layers, keras.layers.Flatten(), keras.layers.Dense(self.classes)])
        names = [f"{layer}/{part}" for layer in ("conv1", "conv2", "head") for part in ("kernel", "bias")]
        return into_keras(model, weights, names)

    def pytorch(self, weights: Weights) -> Any:
        import torch

        class Network(torch.nn.Module):
            def __init__(self, channels, side, classes):
                super().__init__()
                first, second = channels
                self.conv1 = torch.nn.Conv2d(1, first, 3, padding=1)
                self.conv2 = torch.nn.Conv2d(first, second, 3, padding=1)
                self.head = torch.nn.Linear((side // 4) ** 2 * second, classes)

            def forward(self, x):
                x = x.permute(0, 3, 1, 2)  # a view: in memory channels stay last, PyTorch's own quicker arrangement
                for conv in (self.conv1, self.conv2):
                    x = torch.nn.functional.max_pool2d(torch.relu(conv(x)), 2)
                return self.head(x.permute(0, 2, 3, 1).flatten(1))

        net: Any = Network(self.channels, self.side, self.classes)
        return into_pytorch(net, weights).to(memory_format=torch.channels_last)
