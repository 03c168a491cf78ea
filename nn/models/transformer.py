"""The Transformer: one stack of attentions reads a sentence, a second writes its translation and looks back at the first.

It is that of the paper, but that norms stand before each sublayer and not behind it, which trains without a warm-up.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Bool, Float, Int

from nn.layers.activations import relu
from nn.layers.attention import MultiHeadAttention, padding_mask
from nn.layers.containers import List, in_turn
from nn.layers.dropout import Dropout
from nn.layers.embedding import Embed
from nn.layers.linear import Linear
from nn.layers.normalization import LayerNorm
from nn.layers.positions import sinusoidal_positions
from nn.layers.shapes import require_positive, require_within

Source = Int[Array | np.ndarray, "*batch source"]
Target = Int[Array | np.ndarray, "*batch target"]
Lengths = Int[Array | np.ndarray, "*batch"]
Hidden = Float[Array, "*batch length features"]
Memory = Float[Array, "*batch source features"]
Mask = Bool[Array, "*batch 1 1 source"]


@dataclass(frozen=True, kw_only=True)
class TransformerConfig:
    """What a Transformer is made of; named sizes are the class methods.

    Args:
      source_vocabulary: how many tokens the language has that is read.
      target_vocabulary: how many tokens the language has that is written.
      features: the size of the vector that stands for a token; even, for the positions.
      heads: attentions side by side; they divide the features.
      layers: how many in the encoder, and as many in the decoder.
      hidden: width of the feed-forward sublayers.
      dropout: the share silenced of the embeddings and of what each sublayer adds.
      max_length: how many tokens a sentence may have, start and end included.
      rematerialize: whether training keeps only what goes from layer to layer, and computes the rest once more: less memory
        for more work, see `nn.layers.in_turn`.
      scan: whether the layers are one loop in the compiled program, which is then as short as for one.

    Raises:
      ValueError: if a size is below 1, the features are odd or not divided by the heads, or dropout is not between 0 and 1.

    Reference: Vaswani et al. 2017, "Attention Is All You Need", table 3.
    """

    source_vocabulary: int
    target_vocabulary: int
    features: int = 64
    heads: int = 4
    layers: int = 2
    hidden: int = 256
    dropout: float = 0.1
    max_length: int = 64
    rematerialize: bool = False
    scan: bool = False

    def __post_init__(self):
        others = ("dropout", "rematerialize", "scan")
        require_positive("TransformerConfig", **{name: size for name, size in vars(self).items() if name not in others})
        if self.features % self.heads or self.features % 2:
            raise ValueError(
                "TransformerConfig expects an even number of features and heads that divide it, "
                f"got {self.features} features and {self.heads} heads."
            )
        if not 0 <= self.dropout <= 1:
            raise ValueError(f"TransformerConfig expects dropout between 0 and 1, got {self.dropout}.")

    @classmethod
    def base(cls, *, source_vocabulary: int, target_vocabulary: int, **changes: Any) -> "TransformerConfig":
        """The paper's base model: 44 million weights and the embeddings."""
        sizes: dict[str, Any] = dict(features=512, heads=8, layers=6, hidden=2048, dropout=0.1, max_length=512) | changes
        return cls(source_vocabulary=source_vocabulary, target_vocabulary=target_vocabulary, **sizes)

    @classmethod
    def big(cls, *, source_vocabulary: int, target_vocabulary: int, **changes: Any) -> "TransformerConfig":
        """The paper's big model: 176 million weights and the embeddings."""
        sizes: dict[str, Any] = dict(features=1024, heads=16, hidden=4096, dropout=0.3) | changes
        return cls.base(source_vocabulary=source_vocabulary, target_vocabulary=target_vocabulary, **sizes)


class FeedForward(nnx.Module):
    """max(0, x W₁ + b₁) W₂ + b₂, each token on its own. Vaswani et al. 2017, eq. 2."""

    def __init__(self, config: TransformerConfig, *, rngs: nnx.Rngs):
        self.linear_1 = Linear(config.features, config.hidden, rngs=rngs)
        self.linear_2 = Linear(config.hidden, config.features, rngs=rngs)

    def __call__(self, x: Hidden) -> Hidden:
        return self.linear_2(relu(self.linear_1(x)))


class EncoderLayer(nnx.Module):
    """Each token asks all others, then thinks for itself."""

    def __init__(self, config: TransformerConfig, *, rngs: nnx.Rngs):
        self.self_attention = MultiHeadAttention(config.heads, config.features, rngs=rngs)
        self.feed_forward = FeedForward(config, rngs=rngs)
        self.norms = List([LayerNorm(config.features, rngs=rngs) for _ in range(2)])
        self.dropout = Dropout(config.dropout, rngs=rngs)

    def __call__(self, x: Hidden, mask: Mask | None) -> Hidden:
        x = x + self.dropout(self.self_attention(self.norms[0](x), mask=mask))
        return x + self.dropout(self.feed_forward(self.norms[1](x)))


class DecoderLayer(nnx.Module):
    """Each token asks those before it, then the sentence that was read, then thinks for itself."""

    def __init__(self, config: TransformerConfig, *, rngs: nnx.Rngs):
        self.self_attention = MultiHeadAttention(config.heads, config.features, rngs=rngs)
        self.cross_attention = MultiHeadAttention(config.heads, config.features, rngs=rngs)
        self.feed_forward = FeedForward(config, rngs=rngs)
        self.norms = List([LayerNorm(config.features, rngs=rngs) for _ in range(3)])
        self.dropout = Dropout(config.dropout, rngs=rngs)

    def __call__(self, x: Hidden, memory: Memory, mask: Mask | None, *, decode: bool = False) -> Hidden:
        x = self.ask_before(x, decode=decode)
        x = x + self.dropout(self.cross_attention(self.norms[1](x), memory, mask=mask))
        return x + self.dropout(self.feed_forward(self.norms[2](x)))

    def ask_before(self, x: Hidden, *, decode: bool = False) -> Hidden:
        """The first of the three sublayers."""
        return x + self.dropout(self.self_attention(self.norms[0](x), is_causal=True, decode=decode))


class Transformer(nnx.Module):
    """A sentence and the beginning of its translation in, scores for the next token out, at every position at once.

    The output uses the table of the target language read the other way round (tied weights).

    Args:
      config: sizes.
      rngs: where the weights and the dropout masks come from.

    Raises:
      ValueError: from a call, for more tokens than `config.max_length`, or (outside `jax.jit`) for a token outside its
        vocabulary or a length beyond the sentence.

    References: Vaswani et al. 2017, "Attention Is All You Need", section 3; the place of the norms: Xiong et al. 2020, "On
    Layer Normalization in the Transformer Architecture", figure 1.
    """

    def __init__(self, config: TransformerConfig, *, rngs: nnx.Rngs):
        self.config = config
        self.source_embed = Embed(config.source_vocabulary, config.features, rngs=rngs)
        self.target_embed = Embed(config.target_vocabulary, config.features, rngs=rngs)
        self.dropout = Dropout(config.dropout, rngs=rngs)
        self.encoder = List([EncoderLayer(config, rngs=rngs) for _ in range(config.layers)])
        self.encoder_norm = LayerNorm(config.features, rngs=rngs)
        self.decoder = List([DecoderLayer(config, rngs=rngs) for _ in range(config.layers)])
        self.decoder_norm = LayerNorm(config.features, rngs=rngs)

    def __call__(
        self, source: Source, target: Target, *, source_lengths: Lengths | None = None
    ) -> Float[Array, "*batch target vocabulary"]:
        """Scores for the token behind each one of `target`, which begins with the start token.

        Args:
          source: the sentences to read, padded to one length.
          target: what is written so far; no position sees those behind it.
          source_lengths: how many tokens of each sentence are real; None: all of them.
        """
        return self.decode(self.encode(source, source_lengths), target, source_lengths=source_lengths)

    def encode(self, source: Source, source_lengths: Lengths | None = None) -> Memory:
        """What the encoder makes of each token of the sentences: the memory that the decoder looks back at."""
        x, mask = self._embed(self.source_embed, source, 0), _mask(source, source_lengths)
        return self.encoder_norm(in_turn(self.encoder, x, mask, **self._how()))

    def decode(
        self, memory: Memory, target: Target, *, source_lengths: Lengths | None = None, decode: bool = False
    ) -> Float[Array, "*batch target vocabulary"]:
        """Scores for the token behind each one of `target`.

        Args:
          memory: of the sentences, from `encode`.
          target: what is written so far.
          source_lengths: how many tokens of each sentence are real; None: all of them.
          decode: whether these tokens follow those of the calls before, which are remembered; `init_cache` comes first.
        """
        x, mask = self._embed(self.target_embed, target, self._start(decode)), _mask(memory[..., 0], source_lengths)
        x = in_turn(self.decoder, x, memory, mask, **self._how(decode), decode=decode)
        return self.target_embed.attend(self.decoder_norm(x))

    def attention_maps(
        self, source: Source, target: Target, *, source_lengths: Lengths | None = None
    ) -> Float[Array, "layers *batch heads target source"]:
        """Where the decoder looks while it writes: how much each target position takes from each source position."""
        memory, mask = self.encode(source, source_lengths), _mask(source, source_lengths)
        x, maps = self._embed(self.target_embed, target, 0), []
        for layer in self.decoder:
            asking = layer.norms[1](layer.ask_before(x))
            maps.append(layer.cross_attention.weights(asking, memory, mask=mask))
            x = layer(x, memory, mask)
        return jnp.stack(maps)

    def init_cache(self, *batch: int) -> None:
        """Makes room for `config.max_length` target tokens of this many sentences, and starts at position 0."""
        for layer in self.decoder:
            layer.self_attention.init_cache((*batch, self.config.max_length, self.config.features))

    def translate(
        self, source: Source, *, start: int, end: int, source_lengths: Lengths | None = None, count: int | None = None
    ) -> Int[Array, "*batch count"]:
        """Writes the likeliest next token again and again, in evaluation mode. Compiled, and each token is computed once.

        Args:
          source: the sentences to read, padded to one length.
          start: the token that every target begins with; it is not in the result.
          end: the token that ends a target; behind the first one there are only such.
          source_lengths: how many tokens of each sentence are real; None: all of them.
          count: how many tokens to write at most; `config.max_length` if None.

        Raises:
          ValueError: for a count that is not from 1 to `config.max_length`, or as a call does.
        """
        count = self.config.max_length if count is None else count
        if not 1 <= count <= self.config.max_length:
            raise ValueError(f"Transformer.translate expects a count from 1 to {self.config.max_length}, got {count}.")
        # Compiled, values are not seen: what is wrong is refused here.
        require_within("Transformer.translate", "tokens", source, 0, self.config.source_vocabulary - 1)
        require_within("Transformer.translate", "start and end", np.array([start, end]), 0, self.config.target_vocabulary - 1)
        _mask(source, source_lengths)
        graphdef, state = nnx.split(self)
        return _compiled_translate(graphdef, count)(state, source, source_lengths, start, end)

    def _how(self, decode=False):
        """Writing token by token needs no gradient, and its programs are short: there each layer is called as it is."""
        return dict(rematerialize=self.config.rematerialize and not decode, scan=self.config.scan and not decode)

    def _start(self, decode):
        index = self.decoder[0].self_attention.cache_index
        return index[...] if decode and index is not None else 0

    def _embed(self, table, tokens, start):
        """√features times the token's vector, so that it is as large as what is added: where it stands."""
        length, longest, features = tokens.shape[-1], self.config.max_length, self.config.features
        if length > longest:
            raise ValueError(f"Transformer expects at most {longest} tokens, got {length}.")
        positions = jnp.take(sinusoidal_positions(longest, features), start + jnp.arange(length), axis=0, mode="fill")
        x = table(tokens) * math.sqrt(features)
        return self.dropout(x + jnp.broadcast_to(positions.astype(x.dtype), x.shape))


def _mask(source, lengths):
    return None if lengths is None else padding_mask(lengths, source.shape[-1])


@lru_cache(maxsize=64)
def _compiled_translate(graphdef, count: int):
    @jax.jit
    def run(state, source, source_lengths, start, end):
        model = nnx.merge(graphdef, state)
        model.eval()
        memory = model.encode(source, source_lengths)
        model.init_cache(*source.shape[:-1])
        graph, cache, rest = nnx.split(model, nnx.Cache, ...)

        def step(carry, _):
            cache, token, done = carry
            model = nnx.merge(graph, cache, rest, copy=True)
            logits = model.decode(memory, token[..., None], source_lengths=source_lengths, decode=True)[..., 0, :]
            token = jnp.where(done, end, logits.argmax(-1))
            return (nnx.split(model, nnx.Cache, ...)[1], token, done | (token == end)), token

        first, done = jnp.full(source.shape[:-1], start), jnp.zeros(source.shape[:-1], bool)  # start and end may be one token
        _, written = jax.lax.scan(step, (cache, first, done), length=count)
        return jnp.moveaxis(written, 0, -1)

    return run
