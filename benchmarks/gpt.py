"""A small GPT: large products, and between them much that is read and written once for little work."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.attention import by_head
from benchmarks.weights import Weights, as_linen, into_keras, into_nnx, into_pytorch
from benchmarks.workload import Operations, Supervised

EPSILON = 1e-5


def separate_heads(weights: Weights, heads: int) -> dict[str, np.ndarray]:
    """Ours has queries, keys and values in one matrix; Flax and Keras have one for each, with an axis of heads."""
    separate = {}
    for name, array in weights.items():
        if "/attn/" not in name:
            separate[name] = array
            continue
        attention, layer, part = name.rsplit("/", 2)
        if layer == "c_proj":
            separate[f"{attention}/out/{part}"] = by_head(array, heads, axis=0) if part == "kernel" else array
        else:
            for maps, piece in zip(("query", "key", "value"), np.split(array, 3, axis=-1), strict=True):
                separate[f"{attention}/{maps}/{part}"] = by_head(piece, heads, axis=-1)
    return {name.replace("/mlp/", "/"): array for name, array in separate.items()}


@dataclass(frozen=True)
class GPT(Supervised):
    """Tokens in, scores for the next token out; the table of embeddings is read both ways.

    Args:
      batch_size: texts in a batch.
      length: tokens in each.
      vocabulary: how many tokens there are.
      features: the width.
      heads: attentions side by side.
      layers: how many blocks.
    """

    batch_size: int = 8
    length: int = 256
    vocabulary: int = 256
    features: int = 256
    heads: int = 4
    layers: int = 4
    name: str = "gpt"
    family: str = "gpt"
    size: int = 0
    steps: tuple[int, int] = (4, 8)

    def tokens(self) -> np.ndarray:
        """One more of each text than the network sees at once: the last is only guessed."""
        random = np.random.default_rng(0)
        return random.integers(0, self.vocabulary, (self.batch_size, self.length + 1)).astype(np.int32)

    def examples(self):
        tokens = self.tokens()
        return np.ascontiguousarray(tokens[:, :-1]), np.ascontiguousarray(tokens[:, 1:])

    def batch(self) -> Mapping[str, Any]:
        return {"tokens": self.tokens()}

    def objective(self) -> Any:
        import nn

        return nn.training.next_token_loss

    def operations(self) -> Operations:
        tokens = self.batch_size * self.length
        maps = 12 * self.layers * self.features**2 + self.vocabulary * self.features
        scores = 2 * self.layers * self.length * self.features  # all of them, also those that a causal mask hides
        forward = 2 * tokens * (maps + scores)
        return Operations(train=3 * forward, infer=forward)

    def ours(self) -> Any:
        from flax import nnx

        import nn

        config = nn.models.GPTConfig(
            vocabulary=self.vocabulary, length=self.length, features=self.features, heads=self.heads, layers=self.layers
        )
        return nn.models.GPT(config, rngs=nnx.Rngs(0))

    def flax_nnx(self, weights: Weights) -> Any:
        import jax.numpy as jnp
        from flax import nnx

        mask = nnx.make_causal_mask(jnp.ones((1, self.length)))

        class Block(nnx.Module):
            def __init__(self, features, heads, rngs):
                self.ln_1, self.ln_2 = (nnx.LayerNorm(features, epsilon=EPSILON, rngs=rngs) for _ in range(2))
                self.attn = nnx.MultiHeadAttention(heads, features, decode=False, rngs=rngs)
                self.c_fc = nnx.Linear(features, 4 * features, rngs=rngs)
                self.c_proj = nnx.Linear(4 * features, features, rngs=rngs)

            def __call__(self, x):
                x = x + self.attn(self.ln_1(x), mask=mask)
                return x + self.c_proj(nnx.gelu(self.c_fc(self.ln_2(x))))

        class Network(nnx.Module):
            def __init__(self, workload, rngs):
                self.wte = nnx.Embed(workload.vocabulary, workload.features, rngs=rngs)
                self.wpe = nnx.Embed(workload.length, workload.features, rngs=rngs)
                blocks = [Block(workload.features, workload.heads, rngs) for _ in range(workload.layers)]
                self.h = getattr(nnx, "List", list)(blocks)
                self.ln_f = nnx.LayerNorm(workload.features, epsilon=EPSILON, rngs=rngs)

            def __call__(self, tokens):
                x = self.wte(tokens) + self.wpe(np.arange(tokens.shape[1]))
                for block in self.h:
                    x = block(x)
                return self.wte.attend(self.ln_f(x))

        return into_nnx(Network(self, nnx.Rngs(0)), separate_heads(weights, self.heads))

    def flax_linen(self, weights: Weights) -> tuple[Any, Any]:
        import jax.numpy as jnp
        from flax import linen

        mask = linen.make_causal_mask(jnp.ones((1, self.length)))

        class Block(linen.Module):
            features: int
            heads: int

            @linen.compact
            def __call__(self, x):
                attention = linen.MultiHeadDotProductAttention(self.heads, name="attn")
                x = x + attention(linen.LayerNorm(epsilon=EPSILON, name="ln_1")(x), mask=mask)
                y = linen.Dense(4 * self.features, name="c_fc")(linen.LayerNorm(epsilon=EPSILON, name="ln_2")(x))
                return x + linen.Dense(self.features, name="c_proj")(linen.gelu(y))

        class Network(linen.Module):
            workload: GPT

            @linen.compact
            def __call__(self, tokens):
                size = self.workload
                wte = linen.Embed(size.vocabulary, size.features, name="wte")
                x = wte(tokens) + linen.Embed(size.length, size.features, name="wpe")(np.arange(tokens.shape[1]))
                for i in range(size.layers):
                    x = Block(size.features, size.heads, name=f"h_{i}")(x)
                return wte.attend(linen.LayerNorm(epsilon=EPSILON, name="ln_f")(x))

        return Network(self), as_linen(separate_heads(weights, self.heads))

    def keras(self, weights: Weights) -> Any:
        import keras
        from keras import layers, ops

        class Network(keras.Model):
            def __init__(self, size):
                super().__init__()
                self.wte = layers.Embedding(size.vocabulary, size.features)
                self.wpe = layers.Embedding(size.length, size.features)
                self.blocks = [
                    (
                        layers.LayerNormalization(epsilon=EPSILON),
                        layers.MultiHeadAttention(size.heads, size.features // size.heads),
                        layers.LayerNormalization(epsilon=EPSILON),
                        layers.Dense(4 * size.features, activation=lambda x: ops.gelu(x, approximate=True)),
                        layers.Dense(size.features),
                    )
                    for _ in range(size.layers)
                ]
                self.ln_f = layers.LayerNormalization(epsilon=EPSILON)

            def call(self, tokens):
                x = self.wte(tokens) + self.wpe(ops.arange(tokens.shape[1]))
                for norm_1, attention, norm_2, widen, narrow in self.blocks:
                    y = norm_1(x)
                    x = x + attention(y, y, use_causal_mask=True)
                    x = x + narrow(widen(norm_2(x)))
                return ops.matmul(self.ln_f(x), ops.transpose(self.wte.embeddings))

        model: Any = Network(self)
        model(self.examples()[0])
        norm, dense = ("scale", "bias"), ("kernel", "bias")
        order = ["wte/embedding", "wpe/embedding"]
        for i in range(self.layers):
            order += [f"h/{i}/ln_1/{part}" for part in norm]
            order += [f"h/{i}/attn/{maps}/{part}" for maps in ("query", "key", "value", "out") for part in dense]
            order += [f"h/{i}/ln_2/{part}" for part in norm]
            order += [f"h/{i}/{layer}/{part}" for layer in ("c_fc", "c_proj") for part in dense]
        return into_keras(model, separate_heads(weights, self.heads), [*order, "ln_f/scale", "ln_f/bias"])

    def pytorch(self, weights: Weights) -> Any:
        import torch
        import torch.nn.functional as F

        class Attention(torch.nn.Module):
            def __init__(self, features, heads):
                super().__init__()
                self.heads = heads
                self.c_attn, self.c_proj = torch.nn.Linear(features, 3 * features), torch.nn.Linear(features, features)

            def forward(self, x):
                query, key, value = (
                    part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in self.c_attn(x).chunk(3, -1)
                )
                x = F.scaled_dot_product_attention(query, key, value, is_causal=True)
                return self.c_proj(x.transpose(1, 2).flatten(-2))

        class Block(torch.nn.Module):
            def __init__(self, features, heads):
                super().__init__()
                self.ln_1, self.ln_2 = torch.nn.LayerNorm(features), torch.nn.LayerNorm(features)
                self.attn = Attention(features, heads)
                wide = dict(c_fc=torch.nn.Linear(features, 4 * features), c_proj=torch.nn.Linear(4 * features, features))
                self.mlp = torch.nn.ModuleDict(wide)

            def forward(self, x):
                x = x + self.attn(self.ln_1(x))
                return x + self.mlp["c_proj"](F.gelu(self.mlp["c_fc"](self.ln_2(x)), approximate="tanh"))

        class Network(torch.nn.Module):
            def __init__(self, size):
                super().__init__()
                self.wte = torch.nn.Embedding(size.vocabulary, size.features)
                self.wpe = torch.nn.Embedding(size.length, size.features)
                self.h = torch.nn.ModuleList([Block(size.features, size.heads) for _ in range(size.layers)])
                self.ln_f = torch.nn.LayerNorm(size.features)

            def forward(self, tokens):
                x = self.wte(tokens) + self.wpe.weight[: tokens.shape[1]]
                for block in self.h:
                    x = block(x)
                return self.ln_f(x) @ self.wte.weight.T

        return into_pytorch(Network(self), weights)
