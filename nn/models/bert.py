"""BERT: a stack of attentions that see both ways, and fill holes. What it makes of each token is good for many other tasks.

Parts are named after those of the published checkpoints, only flatter. Norms stand behind each sublayer, as they
did in 2018.
"""

from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Bool, Float, Int

from nn.layers.activations import gelu
from nn.layers.attention import MultiHeadAttention, padding_mask
from nn.layers.containers import List, in_turn
from nn.layers.dropout import Dropout
from nn.layers.embedding import Embed
from nn.layers.initializers import normal, zeros
from nn.layers.linear import Linear
from nn.layers.normalization import LayerNorm
from nn.layers.positions import LearnedPositions
from nn.layers.shapes import require_positive

Tokens = Int[Array | np.ndarray, "*batch length"]
Lengths = Int[Array | np.ndarray, "*batch"]
Hidden = Float[Array, "*batch length features"]
INIT = normal(0.02)
EPSILON = 1e-12


@dataclass(frozen=True, kw_only=True)
class BERTConfig:
    """What a BERT is made of; named sizes are the class methods.

    Args:
      vocabulary: how many tokens there are, that of the hole included.
      length: how many tokens it can see at once.
      features: the size of the vector that stands for a token.
      heads: attentions side by side in each layer; they divide the features.
      layers: how many.
      token_types: how many kinds of sentence there are, such as question and text.
      dropout: the share silenced of embeddings, attention weights and the output of each half layer.
      rematerialize: whether training keeps only what goes from layer to layer, and computes the rest once more: less memory
        for more work, see `nn.layers.in_turn`.
      scan: whether the layers are one loop in the compiled program, which is then as short as for one.

    Raises:
      ValueError: if a size is below 1, the heads do not divide the features, or dropout is not between 0 and 1.

    Reference: Devlin et al. 2019, "BERT: Pre-training of Deep Bidirectional Transformers", section 3.
    """

    vocabulary: int
    length: int
    features: int
    heads: int
    layers: int
    token_types: int = 2
    dropout: float = 0.0
    rematerialize: bool = False
    scan: bool = False

    def __post_init__(self):
        others = ("dropout", "rematerialize", "scan")
        require_positive("BERTConfig", **{name: size for name, size in vars(self).items() if name not in others})
        if self.features % self.heads:
            raise ValueError(f"BERTConfig expects heads that divide the features, got {self.heads} and {self.features}.")
        if not 0 <= self.dropout <= 1:
            raise ValueError(f"BERTConfig expects dropout between 0 and 1, got {self.dropout}.")

    @classmethod
    def small(cls, *, vocabulary: int, length: int, **changes: Any) -> "BERTConfig":
        """0.1 million weights and the embeddings: trains on a processor, and has every part that the large ones have."""
        sizes: dict[str, Any] = dict(vocabulary=vocabulary, length=length, features=64, heads=4, layers=2)
        return cls(**sizes | changes)

    @classmethod
    def base(cls, **changes: Any) -> "BERTConfig":
        """BERT-base, uncased: 109 million parameters, and 0.6 million more in the head for masked tokens.

        Changes are other arguments of the config.
        """
        sizes: dict[str, Any] = dict(vocabulary=30522, length=512, features=768, heads=12, layers=12, dropout=0.1)
        return cls(**sizes | changes)

    @classmethod
    def large(cls, **changes: Any) -> "BERTConfig":
        """BERT-large, uncased: 335 million parameters, and 1.1 million more in the head for masked tokens."""
        return cls.base(**dict(features=1024, heads=16, layers=24) | changes)


class Embeddings(nnx.Module):
    """What a token is, where it stands and which sentence it belongs to: the sum of three vectors, normalized."""

    def __init__(self, config: BERTConfig, *, rngs: nnx.Rngs):
        features = config.features
        self.word_embeddings = Embed(config.vocabulary, features, embedding_init=INIT, rngs=rngs)
        self.position_embeddings = LearnedPositions(config.length, features, embedding_init=INIT, rngs=rngs)
        self.token_type_embeddings = Embed(config.token_types, features, embedding_init=INIT, rngs=rngs)
        self.LayerNorm = LayerNorm(features, epsilon=EPSILON, rngs=rngs)
        self.dropout = Dropout(config.dropout, rngs=rngs)

    def __call__(self, tokens: Tokens, token_types: Tokens | None) -> Hidden:
        longest, length = self.position_embeddings.max_length, tokens.shape[-1]
        if length > longest:
            raise ValueError(f"BERT expects at most {longest} tokens, got {length}.")
        token_types = jnp.zeros(tokens.shape, jnp.int32) if token_types is None else token_types
        x = self.word_embeddings(tokens) + self.token_type_embeddings(token_types)
        return self.dropout(self.LayerNorm(self.position_embeddings(x)))


class EncoderLayer(nnx.Module):
    """norm(x + attention(x)), then norm(x + feed-forward(x))."""

    def __init__(self, config: BERTConfig, *, rngs: nnx.Rngs):
        features, rate = config.features, config.dropout
        self.attention = MultiHeadAttention(config.heads, features, dropout_rate=rate, kernel_init=INIT, rngs=rngs)
        self.attention_norm = LayerNorm(features, epsilon=EPSILON, rngs=rngs)
        self.intermediate = Linear(features, 4 * features, kernel_init=INIT, rngs=rngs)
        self.output = Linear(4 * features, features, kernel_init=INIT, rngs=rngs)
        self.output_norm = LayerNorm(features, epsilon=EPSILON, rngs=rngs)
        self.dropout = Dropout(rate, rngs=rngs)

    def __call__(self, x: Hidden, mask: Bool[Array, "*batch 1 1 length"] | None) -> Hidden:
        x = self.attention_norm(x + self.dropout(self.attention(x, mask=mask)))
        # The exact gelu: the published weights are used with it everywhere.
        return self.output_norm(x + self.dropout(self.output(gelu(self.intermediate(x), approximate=False))))


class MaskedTokenHead(nnx.Module):
    """From what the encoder made of a hole to scores for the token that was there, by the table of the input (tied weights)."""

    def __init__(self, config: BERTConfig, *, rngs: nnx.Rngs):
        self.dense = Linear(config.features, config.features, kernel_init=INIT, rngs=rngs)
        self.LayerNorm = LayerNorm(config.features, epsilon=EPSILON, rngs=rngs)
        self.bias = nnx.Param(zeros(rngs.params(), (config.vocabulary,)))

    def __call__(self, x: Hidden, words: Embed) -> Float[Array, "*batch length vocabulary"]:
        scores = words.attend(self.LayerNorm(gelu(self.dense(x), approximate=False)))
        return scores + jnp.broadcast_to(self.bias[...], scores.shape)


class BERT(nnx.Module):
    """Tokens with holes in, scores for what was in them out. `features` and `pooled` are what other tasks build on.

    Args:
      config: sizes.
      rngs: where the weights and the dropout masks come from.

    Raises:
      ValueError: from a call, for more tokens than `config.length`, or (outside `jax.jit`) for a token outside the
        vocabulary, a length beyond the text, or an unknown token type.

    Reference: Devlin et al. 2019, "BERT: Pre-training of Deep Bidirectional Transformers", section 3.
    """

    def __init__(self, config: BERTConfig, *, rngs: nnx.Rngs):
        self.config = config
        self.embeddings = Embeddings(config, rngs=rngs)
        self.layer = List([EncoderLayer(config, rngs=rngs) for _ in range(config.layers)])
        self.pooler = Linear(config.features, config.features, kernel_init=INIT, rngs=rngs)
        self.predictions = MaskedTokenHead(config, rngs=rngs)

    def __call__(
        self, tokens: Tokens, *, lengths: Lengths | None = None, token_types: Tokens | None = None
    ) -> Float[Array, "*batch length vocabulary"]:
        """Scores for the token at each position, of use where there was a hole.

        Args:
          tokens: at most `config.length`, padded to one length.
          lengths: how many of each text are real; None: all of them.
          token_types: which sentence each token belongs to; None: all to the first.
        """
        return self.predictions(
            self.features(tokens, lengths=lengths, token_types=token_types), self.embeddings.word_embeddings
        )

    def features(self, tokens: Tokens, *, lengths: Lengths | None = None, token_types: Tokens | None = None) -> Hidden:
        """What the network makes of each token, having seen all others."""
        x, mask, config = self.embeddings(tokens, token_types), _mask(tokens, lengths), self.config
        return in_turn(self.layer, x, mask, rematerialize=config.rematerialize, scan=config.scan)

    def pooled(
        self, tokens: Tokens, *, lengths: Lengths | None = None, token_types: Tokens | None = None
    ) -> Float[Array, "*batch features"]:
        """One vector for a whole text: what it makes of the first token, through a linear map and tanh."""
        return jnp.tanh(self.pooler(self.features(tokens, lengths=lengths, token_types=token_types)[..., 0, :]))

    def attention_maps(
        self, tokens: Tokens, *, lengths: Lengths | None = None, token_types: Tokens | None = None
    ) -> Float[Array, "layers *batch heads length length"]:
        """How much each position takes from each one, layer by layer and head by head."""
        x, mask, maps = self.embeddings(tokens, token_types), _mask(tokens, lengths), []
        for layer in self.layer:
            maps.append(layer.attention.weights(x, mask=mask))
            x = layer(x, mask)
        return jnp.stack(maps)


def _mask(tokens, lengths):
    return None if lengths is None else padding_mask(lengths, tokens.shape[-1])
