"""One optimizer, said to each library in its own words: what is compared must take the same steps."""

from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Optimizer:
    """Adam, which is timed, or plain gradient descent, whose step shows the gradient itself.

    Args:
      name: which of them.
      rate: the learning rate.
      momentum: Adam's β₁.
    """

    name: Literal["adam", "sgd"]
    rate: float
    momentum: float = 0.9

    def optax(self) -> Any:
        """For JAX: ours, flax.nnx and flax.linen."""
        import optax

        return optax.adam(self.rate, b1=self.momentum) if self.name == "adam" else optax.sgd(self.rate)

    def keras(self) -> Any:
        """For Keras, whose own ε is ten times as large as that of the others."""
        import keras

        if self.name == "adam":
            return keras.optimizers.Adam(self.rate, beta_1=self.momentum, epsilon=1e-8)
        return keras.optimizers.SGD(self.rate)

    def pytorch(self, parameters: Any) -> Any:
        """For PyTorch, in one pass over all weights, which is its quickest form."""
        import torch

        if self.name == "adam":
            return torch.optim.Adam(parameters, self.rate, betas=(self.momentum, 0.999), fused=True)
        return torch.optim.SGD(parameters, self.rate)
