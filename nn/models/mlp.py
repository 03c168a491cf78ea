"""The multilayer perceptron: linear layers with a bend between them, the oldest deep network and still a good first guess."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from flax import nnx
from jaxtyping import Array, Float

from nn.layers.activations import ACTIVATIONS
from nn.layers.containers import List
from nn.layers.dropout import Dropout
from nn.layers.initializers import he_normal
from nn.layers.linear import Linear
from nn.layers.normalization import BatchNorm, LayerNorm, RMSNorm
from nn.models.classifier import Classifier

NORMALIZATIONS = {"batch": BatchNorm, "layer": LayerNorm, "rms": RMSNorm}


@dataclass(frozen=True, kw_only=True)
class MLPConfig:
    """What an MLP is made of.

    Args:
      in_features: size of the input vector.
      hidden: width of each hidden layer; the last one is the width of `MLP.features`. May be empty: a linear model.
      out_features: size of the output vector, one score per class for a classifier.
      activation: name of the bend behind each hidden layer, one of `nn.layers.activations.ACTIVATIONS`.
      normalization: what stands between a hidden layer and its activation, or None.
      dropout: the share of hidden units silenced in training.

    Raises:
      ValueError: if a size is below 1, a name is unknown, or dropout is not between 0 and 1.
    """

    in_features: int
    hidden: tuple[int, ...] = (256, 256)
    out_features: int
    activation: str = "relu"
    normalization: Literal["batch", "layer", "rms"] | None = None
    dropout: float = 0.0

    def __post_init__(self):
        object.__setattr__(self, "hidden", tuple(self.hidden))  # JSON has lists, and a config must be hashable
        for size in (self.in_features, *self.hidden, self.out_features):
            if size < 1:
                raise ValueError(
                    f"MLPConfig expects sizes of at least 1, got in_features={self.in_features}, "
                    f"hidden={self.hidden}, out_features={self.out_features}."
                )
        if self.activation not in ACTIVATIONS:
            raise ValueError(f"MLPConfig expects activation {_choices(ACTIVATIONS)}, got {self.activation!r}.")
        if self.normalization is not None and self.normalization not in NORMALIZATIONS:
            raise ValueError(f"MLPConfig expects normalization {_choices(NORMALIZATIONS)} or None, got {self.normalization!r}.")
        if not 0 <= self.dropout <= 1:
            raise ValueError(f"MLPConfig expects dropout between 0 and 1, got {self.dropout}.")


def _choices(names) -> str:
    *first, last = names
    return f"{', '.join(first)} or {last}"


class MLP(Classifier):
    """Hidden layers, each linear → normalization → activation → dropout, then a linear `head`.

    `MLP(x)` is `head(features(x))`: the features are what transfer reuses, the head is what it replaces.

    Args:
      config: sizes and choices.
      rngs: where the weights and the dropout masks come from.
    """

    def __init__(self, config: MLPConfig, *, rngs: nnx.Rngs):
        self.config = config
        widths = (config.in_features, *config.hidden)
        pairs = list(pairwise(widths))
        self.hidden = List([Linear(i, o, kernel_init=he_normal(), rngs=rngs) for i, o in pairs])
        normalization = NORMALIZATIONS.get(config.normalization or "")
        self.norms = List([normalization(o, rngs=rngs) for _, o in pairs] if normalization else [])
        self.dropouts = List([Dropout(config.dropout, rngs=rngs) for _ in pairs] if config.dropout else [])
        self.head = Linear(widths[-1], config.out_features, rngs=rngs)

    def features(self, x: Float[Array, "*batch inputs"]) -> Float[Array, "*batch width"]:
        """The activations of the last hidden layer: what the network has made of x."""
        activation = ACTIVATIONS[self.config.activation]
        for i, layer in enumerate(self.hidden):
            x = layer(x)
            if self.norms:
                x = self.norms[i](x)
            x = activation(x)
            if self.dropouts:
                x = self.dropouts[i](x)
        return x
