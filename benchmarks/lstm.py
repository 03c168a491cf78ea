"""A recurrent network: steps that wait for one another, each with little to do. How does time grow with their number?"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.weights import Weights, into_keras, into_nnx, into_pytorch
from benchmarks.workload import Operations, Supervised

WALK = ("rnn/cell/dense_i/kernel", "rnn/cell/dense_h/kernel", "rnn/cell/dense_h/bias")
HEAD = ("head/kernel", "head/bias")


def network(layers: Any, features: int, hidden: int, classes: int) -> Any:
    """The network of ours or of flax.nnx: these lines, with the layers of either."""
    from flax import nnx

    class Reader(nnx.Module):
        def __init__(self, rngs: nnx.Rngs):
            self.rnn = layers.RNN(layers.OptimizedLSTMCell(features, hidden, rngs=rngs))
            self.head = layers.Linear(hidden, classes, rngs=rngs)

        def __call__(self, x):
            return self.head(self.rnn(x)[:, -1])

    return Reader(nnx.Rngs(0))


@dataclass(frozen=True)
class LSTM(Supervised):
    """A walk over a sequence of vectors, and a linear layer on what is remembered in the end.

    Args:
      time: steps in a sequence.
      batch_size: sequences in a batch.
      features: size of a vector.
      hidden: size of the state.
      classes: how many.
    """

    time: int = 128
    batch_size: int = 64
    features: int = 64
    hidden: int = 128
    classes: int = 10
    family: str = "lstm"

    @property
    def name(self) -> str:
        return "lstm" if self.time == LSTM.time else f"lstm-{self.time}"

    @property
    def size(self) -> int:
        return self.time

    @property
    def steps(self) -> tuple[int, int]:
        return max(1, 1024 // self.time), max(1, 4096 // self.time)

    def examples(self):
        random = np.random.default_rng(0)
        inputs = random.normal(size=(self.batch_size, self.time, self.features)).astype(np.float32)
        return inputs, random.integers(0, self.classes, self.batch_size).astype(np.int32)

    def operations(self) -> Operations:
        one = 2 * self.batch_size * self.time * self.features * 4 * self.hidden
        rest = 2 * self.batch_size * self.hidden * (self.time * 4 * self.hidden + self.classes)
        return Operations(train=2 * one + 3 * rest, infer=one + rest)

    def ours(self) -> Any:
        from nn import layers

        return network(layers, self.features, self.hidden, self.classes)

    def flax_nnx(self, weights: Weights) -> Any:
        from flax import nnx

        return into_nnx(network(nnx, self.features, self.hidden, self.classes), weights)

    def flax_linen(self, weights: Weights) -> tuple[Any, Any]:
        from flax import linen

        class Network(linen.Module):
            hidden: int
            classes: int

            @linen.compact
            def __call__(self, x):
                outputs: Any = linen.RNN(linen.OptimizedLSTMCell(self.hidden, name="cell"))(x)
                return linen.Dense(self.classes, name="head")(outputs[:, -1])

        return Network(self.hidden, self.classes), {"params": _gate_by_gate(weights)}

    def keras(self, weights: Weights) -> Any:
        import keras

        inputs = keras.Input((self.time, self.features))
        model = keras.Sequential([inputs, keras.layers.LSTM(self.hidden), keras.layers.Dense(self.classes)])
        return into_keras(model, weights, [*WALK, *HEAD])

    def pytorch(self, weights: Weights) -> Any:
        import torch

        class Network(torch.nn.Module):
            def __init__(self, features, hidden, classes):
                super().__init__()
                self.rnn = torch.nn.LSTM(features, hidden, batch_first=True)
                self.head = torch.nn.Linear(hidden, classes)

            def forward(self, x):
                return self.head(self.rnn(x)[0][:, -1])

        return into_pytorch(Network(self.features, self.hidden, self.classes), weights)


def _gate_by_gate(weights: Weights) -> Mapping[str, Any]:
    """Linen gives each gate arrays of its own; the cell puts them side by side."""
    import jax.numpy as jnp

    inputs, hidden, bias = (jnp.split(jnp.array(weights[name]), 4, axis=-1) for name in WALK)
    cell: dict[str, Any] = {}
    for gate, i, h, b in zip("ifgo", inputs, hidden, bias, strict=True):
        cell[f"i{gate}"], cell[f"h{gate}"] = {"kernel": i}, {"kernel": h, "bias": b}
    return {"cell": cell, "head": {name.split("/")[1]: jnp.array(weights[name]) for name in HEAD}}
