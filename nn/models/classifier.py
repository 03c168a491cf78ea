"""What every classifier here has in common: features, which transfer reuses, and a linear head, which it replaces."""

from typing import Any

from flax import nnx
from jaxtyping import Array, Float

from nn.layers.linear import Linear


class Classifier(nnx.Module):
    """A network whose output is `head(features(x))`. A subclass makes `config` and `head` and defines `features`."""

    config: Any  # a frozen dataclass, with out_features the number of classes
    head: Linear

    def features(self, x: Float[Array, "..."]) -> Float[Array, "*batch width"]:
        """What the network makes of x, before the head: its last hidden activations."""
        raise NotImplementedError(f"{type(self).__name__} has to define features.")

    def __call__(self, x: Float[Array, "..."]) -> Float[Array, "*batch classes"]:
        return self.head(self.features(x))
