"""GPT: a stack of attentions that see only what came before, and guess what comes next. Guessing well takes knowing much.

The form is GPT-2's, its parts named as in the published checkpoints: wte, wpe, h, ln_1, attn, ln_2, mlp, ln_f.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, Int, Key

from nn.layers.activations import gelu
from nn.layers.attention import CachedAttention, attend, attention_weights
from nn.layers.containers import List, in_turn
from nn.layers.dropout import Dropout
from nn.layers.embedding import Embed
from nn.layers.initializers import normal
from nn.layers.linear import Linear
from nn.layers.normalization import LayerNorm
from nn.layers.positions import LearnedPositions
from nn.layers.shapes import require_positive, require_within
from nn.models.sampling import sample_token

Tokens = Int[Array | np.ndarray, "*batch length"]
Hidden = Float[Array, "*batch length features"]
STDDEV = 0.02  # of all weights at the start


@dataclass(frozen=True, kw_only=True)
class GPTConfig:
    """What a GPT is made of; named sizes are the class methods.

    Args:
      vocabulary: how many tokens there are.
      length: how many tokens it can see at once (the context).
      features: the size of the vector that stands for a token on its way through the layers.
      heads: attentions side by side in each layer; they divide the features.
      layers: how many blocks.
      dropout: the share silenced of embeddings, attention weights and the output of each half block.
      rematerialize: whether training keeps only what goes from block to block, and computes the rest once more: less memory
        for more work, see `nn.layers.in_turn`.
      scan: whether the blocks are one loop in the compiled program, which is then as short as for one.

    Raises:
      ValueError: if a size is below 1, the heads do not divide the features, or dropout is not between 0 and 1.

    Reference: Radford et al. 2019, "Language Models are Unsupervised Multitask Learners", table 2.
    """

    vocabulary: int
    length: int
    features: int
    heads: int
    layers: int
    dropout: float = 0.0
    rematerialize: bool = False
    scan: bool = False

    def __post_init__(self):
        others = ("dropout", "rematerialize", "scan")
        require_positive("GPTConfig", **{name: size for name, size in vars(self).items() if name not in others})
        if self.features % self.heads:
            raise ValueError(f"GPTConfig expects heads that divide the features, got {self.heads} and {self.features}.")
        if not 0 <= self.dropout <= 1:
            raise ValueError(f"GPTConfig expects dropout between 0 and 1, got {self.dropout}.")

    @classmethod
    def small(cls, *, vocabulary: int, length: int, **changes: Any) -> "GPTConfig":
        """0.1 million weights and the embeddings: trains on a processor, and has every part that the large ones have."""
        sizes: dict[str, Any] = dict(vocabulary=vocabulary, length=length, features=64, heads=4, layers=2)
        return cls(**sizes | changes)

    @classmethod
    def gpt2(cls, **changes: Any) -> "GPTConfig":
        """124 million parameters. Changes, here and below, are other arguments of the config."""
        sizes: dict[str, Any] = dict(vocabulary=50257, length=1024, features=768, heads=12, layers=12, dropout=0.1)
        return cls(**sizes | changes)

    @classmethod
    def gpt2_medium(cls, **changes: Any) -> "GPTConfig":
        """355 million parameters."""
        return cls.gpt2(**dict(features=1024, heads=16, layers=24) | changes)

    @classmethod
    def gpt2_large(cls, **changes: Any) -> "GPTConfig":
        """774 million parameters."""
        return cls.gpt2(**dict(features=1280, heads=20, layers=36) | changes)

    @classmethod
    def gpt2_xl(cls, **changes: Any) -> "GPTConfig":
        """1,558 million parameters."""
        return cls.gpt2(**dict(features=1600, heads=25, layers=48) | changes)


class CausalSelfAttention(CachedAttention):
    """Each token asks those before it. Queries, keys and values come side by side from one map, `c_attn`; `c_proj` ends it."""

    def __init__(self, config: GPTConfig, *, rngs: nnx.Rngs):
        super().__init__(config.heads, config.features // config.heads)
        self.c_attn = Linear(config.features, 3 * config.features, kernel_init=normal(STDDEV), rngs=rngs)
        self.c_proj = Linear(config.features, config.features, kernel_init=_residual(config), rngs=rngs)
        self.attn_dropout = Dropout(config.dropout, rngs=rngs)

    def __call__(self, x: Hidden, *, decode: bool = False) -> Hidden:
        query, key, value = self._heads(x)
        seen = None
        if decode:
            key, value, seen = self.extend_cache(key, value)
        silenced = self.attn_dropout
        x = attend(
            query,
            key,
            value,
            mask=seen,
            is_causal=not decode,
            dropout_rate=silenced.rate,
            dropout_key=silenced.rngs() if silenced.is_active() else None,
        )
        return self.c_proj(x.reshape(*x.shape[:-2], -1))

    def weights(self, x: Hidden) -> Float[Array, "*batch heads queries keys"]:
        """How much each position takes from each one before it, head by head."""
        query, key, _ = self._heads(x)
        return attention_weights(query, key, is_causal=True)

    def _heads(self, x):
        return (part.reshape(*x.shape[:-1], -1, self.head_dim) for part in jnp.split(self.c_attn(x), 3, axis=-1))


class FeedForward(nnx.Module):
    """To four times the features and back, each token on its own: `c_fc`, gelu, `c_proj`."""

    def __init__(self, config: GPTConfig, *, rngs: nnx.Rngs):
        self.c_fc = Linear(config.features, 4 * config.features, kernel_init=normal(STDDEV), rngs=rngs)
        self.c_proj = Linear(4 * config.features, config.features, kernel_init=_residual(config), rngs=rngs)

    def __call__(self, x: Hidden) -> Hidden:
        return self.c_proj(gelu(self.c_fc(x)))


class Block(nnx.Module):
    """x + attention(norm(x)), then x + feed-forward(norm(x)): what goes past the halves goes past unchanged."""

    def __init__(self, config: GPTConfig, *, rngs: nnx.Rngs):
        self.ln_1 = LayerNorm(config.features, epsilon=1e-5, rngs=rngs)
        self.attn = CausalSelfAttention(config, rngs=rngs)
        self.ln_2 = LayerNorm(config.features, epsilon=1e-5, rngs=rngs)
        self.mlp = FeedForward(config, rngs=rngs)
        self.dropout = Dropout(config.dropout, rngs=rngs)

    def __call__(self, x: Hidden, *, decode: bool = False) -> Hidden:
        x = x + self.dropout(self.attn(self.ln_1(x), decode=decode))
        return x + self.dropout(self.mlp(self.ln_2(x)))


class GPT(nnx.Module):
    """Tokens in, scores for the next token out, at every position at once.

    The output uses the table of the input, `wte`, read the other way round (tied weights): there is no second one.

    Args:
      config: sizes.
      rngs: where the weights and the dropout masks come from.

    Raises:
      ValueError: from a call, for more tokens than `config.length`, or (outside `jax.jit`) a token outside the vocabulary.

    Reference: Radford et al. 2019, "Language Models are Unsupervised Multitask Learners", section 2.3.
    """

    def __init__(self, config: GPTConfig, *, rngs: nnx.Rngs):
        self.config = config
        self.wte = Embed(config.vocabulary, config.features, embedding_init=normal(STDDEV), rngs=rngs)
        self.wpe = LearnedPositions(config.length, config.features, embedding_init=normal(STDDEV), rngs=rngs)
        self.dropout = Dropout(config.dropout, rngs=rngs)
        self.h = List([Block(config, rngs=rngs) for _ in range(config.layers)])
        self.ln_f = LayerNorm(config.features, epsilon=1e-5, rngs=rngs)

    def __call__(self, tokens: Tokens, *, decode: bool = False) -> Float[Array, "*batch length vocabulary"]:
        """Scores for the token behind each one of `tokens`.

        Args:
          tokens: at most `config.length`.
          decode: whether these tokens follow those of the calls before, which are remembered; `init_cache` comes first.
        """
        return self.wte.attend(self.features(tokens, decode=decode))

    def features(self, tokens: Tokens, *, decode: bool = False) -> Hidden:
        """What the network makes of each token, having seen those before it: the last layer, normalized."""
        # Writing token by token needs no gradient, and its programs are short: there each block is called as it is.
        how = dict(rematerialize=self.config.rematerialize and not decode, scan=self.config.scan and not decode)
        return self.ln_f(in_turn(self.h, self._embed(tokens, decode), **how, decode=decode))

    def attention_maps(self, tokens: Tokens) -> Float[Array, "layers *batch heads length length"]:
        """How much each position takes from each one before it, layer by layer and head by head."""
        x, maps = self._embed(tokens, decode=False), []
        for block in self.h:
            maps.append(block.attn.weights(block.ln_1(x)))
            x = block(x)
        return jnp.stack(maps)

    def init_cache(self, *batch: int) -> None:
        """Makes room for `config.length` tokens of this many sequences (of one without a batch), and starts at position 0."""
        for block in self.h:
            block.attn.init_cache((*batch, self.config.length, self.config.features))

    def _embed(self, tokens, decode):
        if tokens.shape[-1] > self.config.length:
            raise ValueError(f"GPT expects at most {self.config.length} tokens, got {tokens.shape[-1]}.")
        index = self.h[0].attn.cache_index
        start = index[...] if decode and index is not None else 0
        return self.dropout(self.wpe(self.wte(tokens), start))


def _residual(config):
    """The 2 · layers maps that add to the same sum begin smaller, so that the sum does not grow with their number."""
    return normal(STDDEV / math.sqrt(2 * config.layers))


def generate(
    model: GPT,
    tokens: Tokens,
    count: int,
    *,
    key: Key[Array, ""],
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
) -> Int[Array, "*batch total"]:
    """Continues a text: draws a token, lets the model see it, draws the next. Compiled, and each token is computed once.

    Args:
      model: used in evaluation mode, and left as it is.
      tokens: the beginning, at least one token; for a batch, all of one length.
      count: how many tokens to add.
      key: the randomness; the same key continues the same way.
      temperature, top_k, top_p: as in `nn.models.sampling.sample_token`. Another value compiles nothing again.

    Returns:
      The beginning and its continuation, (*batch, length + count).

    Raises:
      ValueError: for an empty beginning, a count below 1, more than `config.length` tokens in all, a token outside the
        vocabulary, or a bad temperature, top_k or top_p.
    """
    length = tokens.shape[-1]
    if length < 1 or count < 1 or length + count > model.config.length:
        raise ValueError(
            f"generate expects a beginning and a count of at least 1 and at most {model.config.length} tokens in all, "
            f"got {length} and {count}."
        )
    choice: dict[str, Any] = dict(temperature=temperature, top_k=top_k, top_p=top_p)
    # Compiled, values are not seen: what is wrong is refused here.
    require_within("generate", "tokens", tokens, 0, model.config.vocabulary - 1)
    sample_token(key, jnp.zeros(1), **choice)
    graphdef, state = nnx.split(model)
    tokens = jnp.asarray(tokens)
    return jnp.concatenate([tokens, _compiled_generate(graphdef, count)(state, tokens, key, choice)], axis=-1)


@lru_cache(maxsize=64)
def _compiled_generate(graphdef, count: int):
    @jax.jit
    def run(state, tokens, key, choice):
        model = nnx.merge(graphdef, state)
        model.eval()
        model.init_cache(*tokens.shape[:-1])
        logits = model(tokens, decode=True)[..., -1, :]  # all of the beginning at once
        graph, cache, rest = nnx.split(model, nnx.Cache, ...)

        def step(carry, key):
            cache, logits = carry
            token = sample_token(key, logits, **choice)
            model = nnx.merge(graph, cache, rest, copy=True)
            logits = model(token[..., None], decode=True)[..., -1, :]
            return (nnx.split(model, nnx.Cache, ...)[1], logits), token

        _, new = jax.lax.scan(step, (cache, logits), jax.random.split(key, count))
        return jnp.moveaxis(new, 0, -1)

    return run
