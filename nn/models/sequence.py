"""Recurrent networks for sequences: one answer for all of it, the next value of a series, the next token of a text.

All three take the same walk. They differ in what goes in, and in what is asked of its outputs.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from itertools import pairwise
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, Int, Key

from nn.layers.containers import List
from nn.layers.embedding import Embed
from nn.layers.linear import Linear
from nn.layers.recurrent import RNN, Bidirectional, Carry, GRUCell, OptimizedLSTMCell, SimpleCell, last_outputs
from nn.layers.shapes import require_features
from nn.models.classifier import Classifier
from nn.models.sampling import sample_token

CELLS = {"simple": SimpleCell, "lstm": OptimizedLSTMCell, "gru": GRUCell}

Tokens = Int[Array | np.ndarray, "*batch time"]
Lengths = Int[Array | np.ndarray, "*batch"]


@dataclass(frozen=True, kw_only=True)
class RecurrentConfig:
    """What the walk of every network here is made of.

    Args:
      cell: what happens at each step, one of `CELLS`.
      hidden: width of each recurrent layer; each walks over the outputs of the one below.

    Raises:
      ValueError: if a size is below 1, there is no layer, or the cell is unknown.
    """

    cell: Literal["simple", "lstm", "gru"] = "gru"
    hidden: tuple[int, ...] = (64,)

    def __post_init__(self):
        object.__setattr__(self, "hidden", tuple(self.hidden))  # JSON has lists, and a config must be hashable
        name, values = type(self).__name__, {field.name: getattr(self, field.name) for field in fields(self)}
        if self.cell not in CELLS:
            raise ValueError(f"{name} expects cell simple, lstm or gru, got {self.cell!r}.")
        sizes = {key: value for key, value in values.items() if type(value) is int}
        if not self.hidden or min(*self.hidden, *sizes.values()) < 1:
            got = ", ".join(f"{key}={value}" for key, value in {"hidden": self.hidden, **sizes}.items())
            raise ValueError(f"{name} expects at least one hidden layer and sizes of at least 1, got {got}.")


@dataclass(frozen=True, kw_only=True)
class SequenceClassifierConfig(RecurrentConfig):
    """What a SequenceClassifier is made of.

    Args:
      vocabulary: how many tokens there are.
      features: size of the vector of each token.
      out_features: one score per class.
      bidirectional: whether each layer walks in both directions; its outputs are then twice as wide.
      cell, hidden: as in `RecurrentConfig`.

    Raises:
      ValueError: if a size is below 1, there is no layer, or the cell is unknown.
    """

    vocabulary: int
    features: int = 32
    out_features: int
    bidirectional: bool = False


@dataclass(frozen=True, kw_only=True)
class ForecasterConfig(RecurrentConfig):
    """What a Forecaster is made of.

    Args:
      features: how many numbers are measured at each step.
      cell, hidden: as in `RecurrentConfig`.

    Raises:
      ValueError: if a size is below 1, there is no layer, or the cell is unknown.
    """

    features: int = 1


@dataclass(frozen=True, kw_only=True)
class LanguageModelConfig(RecurrentConfig):
    """What a LanguageModel is made of.

    Args:
      vocabulary: how many tokens there are.
      features: size of the vector of each token.
      cell, hidden: as in `RecurrentConfig`.

    Raises:
      ValueError: if a size is below 1, there is no layer, or the cell is unknown.
    """

    vocabulary: int
    features: int = 32


def recurrent_layers(config: RecurrentConfig, in_features: int, *, rngs: nnx.Rngs) -> Sequence[RNN]:
    """One RNN for each width in `config.hidden`, each as wide at its input as the one below at its output."""
    cell = CELLS[config.cell]
    return List([RNN(cell(i, o, rngs=rngs)) for i, o in pairwise((in_features, *config.hidden))])


def walk(
    rnns: Sequence[RNN], x: Float[Array, "*batch time inputs"], carries: Sequence[Carry] | None = None
) -> tuple[list[Carry], Float[Array, "*batch time hidden"]]:
    """Through all layers: what each one remembers at the end, and the outputs of the uppermost.

    Args:
      rnns: the layers, from the input up.
      x: what the lowest one walks over.
      carries: what each one remembers at the beginning; zeros if None.
    """
    ends = []
    for rnn, carry in zip(rnns, [None] * len(rnns) if carries is None else carries, strict=True):
        end, x = rnn(x, initial_carry=carry, return_carry=True)
        ends.append(end)
    return ends, x


class SequenceClassifier(Classifier):
    """Reads tokens one after the other, and says in the end what the whole is: Embed → recurrent layers → `head`.

    The features are the outputs of the last layer where it has seen all: those of the last real step and, where it walks in
    both directions, those of the walk back at the first.

    Args:
      config: sizes and choices.
      rngs: where the weights come from.

    Raises:
      ValueError: from a call, for a token outside the vocabulary, or lengths that do not fit the tokens.
    """

    def __init__(self, config: SequenceClassifierConfig, *, rngs: nnx.Rngs):
        self.config = config
        self.embed = Embed(config.vocabulary, config.features, rngs=rngs)
        if config.bidirectional:
            cell = CELLS[config.cell]
            widths = (config.features, *(2 * width for width in config.hidden))
            self.rnns = List(
                [
                    Bidirectional(*(RNN(cell(inputs, hidden, rngs=rngs)) for _ in range(2)))
                    for inputs, hidden in zip(widths, config.hidden, strict=False)
                ]
            )
        else:
            self.rnns = recurrent_layers(config, config.features, rngs=rngs)
        width = config.hidden[-1] * (2 if config.bidirectional else 1)
        self.head = Linear(width, config.out_features, rngs=rngs)

    def features(self, x: Tokens, lengths: Lengths | None = None) -> Float[Array, "*batch width"]:
        """What is remembered of each sequence, once it is read.

        Args:
          x: tokens, padded to one length with any of the vocabulary.
          lengths: how many tokens of each sequence are real; None: all of them.
        """
        outputs = self.embed(x)
        for layer in self.rnns:
            outputs = layer(outputs, seq_lengths=lengths)
        if not self.config.bidirectional:
            return last_outputs(outputs, lengths)
        ahead, back = jnp.split(outputs, 2, axis=-1)
        return jnp.concatenate([last_outputs(ahead, lengths), back[..., 0, :]], axis=-1)

    def __call__(self, x: Tokens, lengths: Lengths | None = None) -> Float[Array, "*batch classes"]:
        return self.head(self.features(x, lengths))


class Forecaster(nnx.Module):
    """Says at each step of a series what the next one will be: recurrent layers → a linear `head`.

    Give it numbers of mean 0 and spread 1, or near: what is far from 0 shuts the gates.

    Args:
      config: sizes and choices.
      rngs: where the weights come from.

    Raises:
      ValueError: from a call, if x has another number of features, or no steps.
    """

    def __init__(self, config: ForecasterConfig, *, rngs: nnx.Rngs):
        self.config = config
        self.rnns = recurrent_layers(config, config.features, rngs=rngs)
        self.head = Linear(config.hidden[-1], config.features, rngs=rngs)

    def __call__(self, x: Float[Array, "*batch time features"]) -> Float[Array, "*batch time features"]:
        """At step t, from all steps up to t, what it expects at step t + 1."""
        require_features("Forecaster", x, self.config.features)
        return self.head(walk(self.rnns, x)[1])

    def forecast(self, x: Float[Array, "*batch time features"], count: int) -> Float[Array, "*batch count features"]:
        """The next `count` steps: what it expects is taken for what happens, and fed back in. Compiled once for each count.

        Raises:
          ValueError: for a count below 1.
        """
        require_features("Forecaster", x, self.config.features)
        if count < 1:
            raise ValueError(f"forecast expects a count of at least 1, got {count}.")
        graphdef, state = nnx.split(self)
        return _compiled(graphdef, "_forecast", count)(state, x)

    def _forecast(self, count, x):
        carries, outputs = walk(self.rnns, x)

        def step(memory, _):
            carries, value = memory
            carries, outputs = walk(self.rnns, value[..., None, :], carries)
            return (carries, self.head(outputs[..., -1, :])), value

        _, values = jax.lax.scan(step, (carries, self.head(outputs[..., -1, :])), length=count)
        return jnp.moveaxis(values, 0, -2)


class LanguageModel(nnx.Module):
    """Says after each token of a text how likely every token is to be the next: Embed → recurrent layers → a linear `head`.

    Args:
      config: sizes and choices.
      rngs: where the weights come from.

    Raises:
      ValueError: from a call, for a token outside the vocabulary, or no tokens.

    Reference: Mikolov et al. 2010, "Recurrent neural network based language model".
    """

    def __init__(self, config: LanguageModelConfig, *, rngs: nnx.Rngs):
        self.config = config
        self.embed = Embed(config.vocabulary, config.features, rngs=rngs)
        self.rnns = recurrent_layers(config, config.features, rngs=rngs)
        self.head = Linear(config.hidden[-1], config.vocabulary, rngs=rngs)

    def __call__(self, tokens: Tokens) -> Float[Array, "*batch time vocabulary"]:
        """Logits at step t for the token at step t + 1, from all tokens up to t."""
        return self.head(walk(self.rnns, self.embed(tokens))[1])

    def generate(
        self,
        tokens: Tokens,
        count: int,
        *,
        key: Key[Array, ""],
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
    ) -> Int[Array, "*batch total"]:
        """Continues a text: draws a token, feeds it back in, draws the next. Compiled once for each count.

        Args:
          tokens: the beginning, at least one token; for a batch, all of one length.
          count: how many tokens to add.
          key: the randomness; the same key continues the same way.
          temperature, top_k, top_p: as in `nn.models.sampling.sample_token`.

        Returns:
          The beginning and its continuation, (*batch, time + count).

        Raises:
          ValueError: for an empty beginning, a count below 1, a token outside the vocabulary, or a bad temperature, top_k or
            top_p.
        """
        if tokens.shape[-1] < 1 or count < 1:
            raise ValueError(
                f"generate expects a beginning and a count of at least 1, got tokens.shape={tokens.shape} and count={count}."
            )
        sample_token(key, jnp.zeros(1), temperature=temperature, top_k=top_k, top_p=top_p)  # refuses bad values
        self.embed(tokens)
        graphdef, state = nnx.split(self)
        tokens = jnp.asarray(tokens)
        new = _compiled(graphdef, "_generate", count)(state, tokens, key, temperature, top_k, top_p)
        return jnp.concatenate([tokens, new], axis=-1)

    def _generate(self, count, tokens, key, temperature, top_k, top_p):
        carries, outputs = walk(self.rnns, self.embed(tokens))

        def step(memory, key):
            carries, logits = memory
            token = sample_token(key, logits, temperature=temperature, top_k=top_k, top_p=top_p)
            carries, outputs = walk(self.rnns, self.embed(token[..., None]), carries)
            return (carries, self.head(outputs[..., -1, :])), token

        _, new = jax.lax.scan(step, (carries, self.head(outputs[..., -1, :])), jax.random.split(key, count))
        return jnp.moveaxis(new, 0, -1)


@lru_cache(maxsize=64)
def _compiled(graphdef: Any, method: str, count: int):
    """A method of a model as a function of its state and of arrays, kept for the next call."""
    return jax.jit(lambda state, *arrays: getattr(nnx.merge(graphdef, state), method)(count, *arrays))
