"""The multilayer perceptron: little work in few products, so that what stands around them shows."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from benchmarks.weights import Weights, as_linen, into_keras, into_nnx, into_pytorch
from benchmarks.workload import Operations, Supervised


@dataclass(frozen=True)
class MLP(Supervised):
    """Linear layers with relu between them.

    Args:
      batch_size: examples in a batch.
      widths: of the input, the hidden layers and the output.
    """

    batch_size: int = 128
    widths: tuple[int, ...] = (784, 512, 256, 10)
    name: str = "mlp"
    family: str = "mlp"
    size: int = 0
    steps: tuple[int, int] = (100, 100)

    def examples(self):
        random = np.random.default_rng(0)
        inputs = random.normal(size=(self.batch_size, self.widths[0])).astype(np.float32)
        return inputs, random.integers(0, self.widths[-1], self.batch_size).astype(np.int32)

    def operations(self) -> Operations:
        first, *rest = (2 * self.batch_size * i * o for i, o in pairwise(self.widths))
        # Backward each product is done twice more, for the weights and for what is below; below the first is the data.
        return Operations(train=2 * first + 3 * sum(rest), infer=first + sum(rest))

    def ours(self) -> Any:
        from flax import nnx

        import nn

        inputs, *hidden, outputs = self.widths
        config = nn.models.MLPConfig(in_features=inputs, hidden=tuple(hidden), out_features=outputs)
        return nn.models.MLP(config, rngs=nnx.Rngs(0))

    def flax_nnx(self, weights: Weights) -> Any:
        from flax import nnx

        class Network(nnx.Module):
            def __init__(self, widths, rngs):
                *hidden, head = (nnx.Linear(i, o, rngs=rngs) for i, o in pairwise(widths))
                self.hidden, self.head = getattr(nnx, "List", list)(hidden), head

            def __call__(self, x):
                for layer in self.hidden:
                    x = nnx.relu(layer(x))
                return self.head(x)

        return into_nnx(Network(self.widths, nnx.Rngs(0)), weights)

    def flax_linen(self, weights: Weights) -> tuple[Any, Any]:
        from flax import linen

        class Network(linen.Module):
            widths: tuple[int, ...]

            @linen.compact
            def __call__(self, x):
                *hidden, outputs = self.widths[1:]
                for i, width in enumerate(hidden):
                    x = linen.relu(linen.Dense(width, name=f"hidden_{i}")(x))
                return linen.Dense(outputs, name="head")(x)

        return Network(self.widths), as_linen(weights)

    def keras(self, weights: Weights) -> Any:
        import keras

        inputs, *hidden, outputs = self.widths
        layers = [keras.layers.Dense(width, activation="relu") for width in hidden]
        model = keras.Sequential([keras.Input((inputs,)), *layers, keras.layers.Dense(outputs)])
        names = [*(f"hidden/{i}" for i in range(len(hidden))), "head"]
        return into_keras(model, weights, [f"{name}/{part}" for name in names for part in ("kernel", "bias")])

    def pytorch(self, weights: Weights) -> Any:
        import torch

        class Network(torch.nn.Module):
            def __init__(self, widths):
                super().__init__()
                *hidden, head = (torch.nn.Linear(i, o) for i, o in pairwise(widths))
                self.hidden, self.head = torch.nn.ModuleList(hidden), head

            def forward(self, x):
                for layer in self.hidden:
                    x = torch.relu(layer(x))
                return self.head(x)

        return into_pytorch(Network(self.widths), weights)
