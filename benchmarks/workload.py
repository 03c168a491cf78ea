"""What a workload is: a network that each library builds for itself, work to do with it, and how much work that is."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np

from benchmarks.optimizers import Optimizer
from benchmarks.weights import Weights

OURS, MESH, NNX, LINEN, KERAS = "ours", "ours on a mesh", "flax.nnx", "flax.linen", "Keras"
TORCH, COMPILED = "PyTorch", "PyTorch compiled"
LIBRARIES = (OURS, MESH, NNX, LINEN, KERAS, TORCH, COMPILED)

BFLOAT16 = ", bfloat16"
"""What ends the name of a library that calculates in half the precision: it is no longer the same work, and is opted for."""

HALF = tuple(library + BFLOAT16 for library in (OURS, KERAS, TORCH))


class Operations(NamedTuple):
    """Additions and multiplications of the matrix products in a step, of training and of inference."""

    train: float
    infer: float


class Program(Protocol):
    """A network in one library, and that library's own way to train it and to ask it. Each call returns when all is done."""

    def train(self, steps: int) -> float:
        """So many steps on the workload's batch, which is always the same. Returns the last loss."""
        ...

    def infer(self, inputs: np.ndarray) -> np.ndarray:
        """The outputs for inputs of any number of batches, batch by batch."""
        ...


class Workload(Protocol):
    """Something to time."""

    @property
    def name(self) -> str:
        """What it is called on the command line."""
        ...

    @property
    def family(self) -> str:
        """What workloads of several sizes have in common; `name` if it has one size."""
        ...

    @property
    def size(self) -> int:
        """Which of these sizes, such as the number of tokens."""
        ...

    @property
    def libraries(self) -> tuple[str, ...]:
        """Who takes part."""
        ...

    @property
    def rate(self) -> float:
        """Adam's learning rate."""
        ...

    @property
    def momentum(self) -> float:
        """Adam's β₁."""
        ...

    @property
    def descent(self) -> float:
        """The learning rate of the check's gradient descent: its steps should move the outputs by much more than rounding."""
        ...

    @property
    def steps(self) -> tuple[int, int]:
        """How many steps of training, and of inference, are timed at once: some tenths of a second's work."""
        ...

    def inputs(self) -> np.ndarray:
        """One batch of what `infer` gets."""
        ...

    def weights(self) -> dict[str, np.ndarray]:
        """Those of our network, by name: all libraries begin with them."""
        ...

    def program(self, library: str, optimizer: Optimizer, weights: Weights) -> Program:
        """The network in one library."""
        ...

    def operations(self) -> Operations:
        """How much work a step is."""
        ...


class Supervised:
    """A workload with inputs, labels and a loss: each library trains it by the loop of `benchmarks.supervised`.

    A subclass builds the network in each library; see there what is asked of each.
    """

    libraries: tuple[str, ...] = LIBRARIES
    loss: Literal["cross entropy", "squares"] = "cross entropy"
    rate: float = 1e-3
    momentum: float = 0.9
    descent: float = 0.1

    def examples(self) -> tuple[np.ndarray, np.ndarray]:
        """Inputs and labels of one batch."""
        raise NotImplementedError

    def inputs(self) -> np.ndarray:
        return self.examples()[0]

    def batch(self) -> Mapping[str, Any]:
        """The batch as `objective` takes it."""
        inputs, labels = self.examples()
        return {"image": inputs, "label": labels}

    def objective(self) -> Any:
        """The loss that `nn.training.fit` is given."""
        import nn

        return nn.training.classification_loss

    def ours(self) -> Any:
        """The network from `nn.models`, or of `nn.layers` where there is none of its form."""
        raise NotImplementedError

    def flax_nnx(self, weights: Weights) -> Any:
        raise NotImplementedError

    def flax_linen(self, weights: Weights) -> tuple[Any, Any]:
        """The module, and its parameters."""
        raise NotImplementedError

    def keras(self, weights: Weights) -> Any:
        raise NotImplementedError

    def pytorch(self, weights: Weights) -> Any:
        """A network that takes inputs as they are here: channels last."""
        raise NotImplementedError

    def weights(self) -> dict[str, np.ndarray]:
        from benchmarks.weights import from_nnx

        return from_nnx(self.ours())

    def program(self, library: str, optimizer: Optimizer, weights: Weights) -> Program:
        from benchmarks.supervised import PROGRAMS

        return PROGRAMS[library](self, optimizer, weights)
