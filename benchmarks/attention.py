"""Attention alone: all scores at once cost memory like the square of the length, block by block like the length itself."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from benchmarks.weights import Weights, as_linen, into_keras, into_nnx, into_pytorch
from benchmarks.workload import LIBRARIES, OURS, Operations, Program, Supervised

EQUATION = "ours, all scores"
MAPS = ("query", "key", "value", "out")


def by_head(array: np.ndarray, heads: int, axis: int) -> np.ndarray:
    """(…, features, …) → (…, heads, depth, …) at this axis."""
    axis %= array.ndim
    return array.reshape(*array.shape[:axis], heads, -1, *array.shape[axis + 1 :])


def squared_error(model: Any, batch: Mapping[str, Any]) -> Any:
    """For `nn.training.fit`: the squared distance from targets, averaged over all of them."""
    import nn

    return nn.training.mean_squared_error(model(batch["image"]), batch["label"]).mean()


@dataclass(frozen=True)
class Attention(Supervised):
    """A layer of causal self-attention with several heads, trained to give random targets.

    Args:
      length: how many positions.
      batch_size: sequences in a batch.
      features: the width.
      heads: attentions side by side.
      implementation: the form that our layer is told to take; None leaves it to the layer.
    """

    length: int = 256
    batch_size: int = 1
    features: int = 256
    heads: int = 4
    implementation: Literal["reference"] | None = None
    family: str = "attention"
    libraries = (OURS, EQUATION, *LIBRARIES[2:])  # one sequence is not spread over a mesh
    loss = "squares"

    @property
    def name(self) -> str:
        return f"attention-{self.length}"

    @property
    def size(self) -> int:
        return self.length

    @property
    def descent(self) -> float:
        return 0.05 * self.features  # the loss is a mean over all features, and so its gradient is small

    @property
    def steps(self) -> tuple[int, int]:
        return max(1, 2**21 // self.length**2), max(2, 2**23 // self.length**2)

    def examples(self):
        random = np.random.default_rng(0)
        shape = (self.batch_size, self.length, self.features)
        return random.normal(size=shape).astype(np.float32), random.normal(size=shape).astype(np.float32)

    def objective(self) -> Any:
        return squared_error

    def operations(self) -> Operations:
        positions = self.batch_size * self.length
        one, out = 2 * positions * 3 * self.features**2, 2 * positions * self.features**2
        scores = 4 * positions * self.length * self.features  # all of them, also those that the mask hides
        return Operations(train=2 * one + 3 * (scores + out), infer=one + scores + out)

    def program(self, library: str, optimizer, weights: Weights) -> Program:
        if library == EQUATION:
            from benchmarks.supervised import Ours

            return Ours(replace(self, implementation="reference"), optimizer, weights)
        return super().program(library, optimizer, weights)

    def ours(self) -> Any:
        from flax import nnx

        from nn import layers

        class Network(nnx.Module):
            def __init__(self, features, heads, implementation, rngs):
                self.attention = layers.MultiHeadAttention(heads, features, implementation=implementation, rngs=rngs)

            def __call__(self, x):
                return self.attention(x, is_causal=True)

        return Network(self.features, self.heads, self.implementation, nnx.Rngs(0))

    def flax_nnx(self, weights: Weights) -> Any:
        import jax.numpy as jnp
        from flax import nnx

        mask = nnx.make_causal_mask(jnp.ones((1, self.length)))

        class Network(nnx.Module):
            def __init__(self, features, heads, rngs):
                self.attention = nnx.MultiHeadAttention(heads, features, decode=False, rngs=rngs)

            def __call__(self, x):
                return self.attention(x, mask=mask)

        return into_nnx(Network(self.features, self.heads, nnx.Rngs(0)), weights)

    def flax_linen(self, weights: Weights) -> tuple[Any, Any]:
        import jax.numpy as jnp
        from flax import linen

        mask = linen.make_causal_mask(jnp.ones((1, self.length)))

        class Network(linen.Module):
            heads: int

            @linen.compact
            def __call__(self, x):
                return linen.MultiHeadDotProductAttention(self.heads, name="attention")(x, mask=mask)

        return Network(self.heads), as_linen(weights)

    def keras(self, weights: Weights) -> Any:
        import keras

        x = keras.Input((self.length, self.features))
        y = keras.layers.MultiHeadAttention(self.heads, self.features // self.heads)(x, x, use_causal_mask=True)
        order = [f"attention/{maps}/{part}" for maps in MAPS for part in ("kernel", "bias")]
        return into_keras(keras.Model(x, y), weights, order)

    def pytorch(self, weights: Weights) -> Any:
        import torch
        import torch.nn.functional as F

        class Network(torch.nn.Module):
            def __init__(self, features, heads):
                super().__init__()
                self.heads = heads
                self.attention = torch.nn.ModuleDict({name: torch.nn.Linear(features, features) for name in MAPS})

            def forward(self, x):
                maps = (self.attention[name] for name in MAPS[:3])
                query, key, value = (layer(x).unflatten(-1, (self.heads, -1)).transpose(1, 2) for layer in maps)
                x = F.scaled_dot_product_attention(query, key, value, is_causal=True)
                return self.attention["out"](x.transpose(1, 2).flatten(-2))

        flat = {name: _without_heads(name, array, self.features) for name, array in weights.items()}
        return into_pytorch(Network(self.features, self.heads), flat)


def _without_heads(name: str, array: np.ndarray, features: int) -> np.ndarray:
    """PyTorch's maps know no heads: a kernel is (features, features), a bias (features,)."""
    return array.reshape(-1 if name.endswith("bias") else (features, features))
