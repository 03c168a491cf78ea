"""The floor: how fast this machine multiplies large matrices. No network whose work is products can be quicker than that."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from benchmarks.optimizers import Optimizer
from benchmarks.weights import Weights
from benchmarks.workload import TORCH, Operations, Program

NUMPY, JAX = "NumPy", "JAX"


@dataclass(frozen=True)
class Floor:
    """A product of two square matrices of float32, by each library that has one; the quickest is the floor.

    Args:
      side: rows and columns.
    """

    side: int = 1024
    name: str = "floor"
    family: str = "floor"
    size: int = 0
    libraries: tuple[str, ...] = (NUMPY, JAX, TORCH)
    rate: float = 0.0
    momentum: float = 0.0
    descent: float = 0.1
    steps: tuple[int, int] = (10, 1)

    def inputs(self) -> np.ndarray:
        return np.random.default_rng(0).normal(size=(self.side, self.side)).astype(np.float32)

    def weights(self) -> dict[str, np.ndarray]:
        return {}

    def program(self, library: str, optimizer: Optimizer, weights: Weights) -> Program:
        return Products(*PRODUCTS[library](self.inputs()))

    def operations(self) -> Operations:
        return Operations(train=2 * self.side**3, infer=2 * self.side**3)


class Products:
    """A step is one product of a matrix with itself."""

    def __init__(self, matrix: Any, product: Any):
        self.matrix, self.product = matrix, product

    def train(self, steps: int) -> float:
        for _ in range(steps):
            result = self.product(self.matrix)
        return float(result[0, 0])

    def infer(self, inputs: np.ndarray) -> np.ndarray:
        return np.asarray(self.product(self.matrix))


def _numpy(matrix: np.ndarray) -> Any:
    return matrix, partial(np.matmul, matrix)


def _jax(matrix: np.ndarray) -> Any:
    import jax
    import jax.numpy as jnp

    return jnp.asarray(matrix), jax.jit(lambda matrix: matrix @ matrix)


def _pytorch(matrix: np.ndarray) -> Any:
    import torch

    matrix = torch.tensor(matrix)
    return matrix, partial(torch.matmul, matrix)


PRODUCTS: Mapping[str, Any] = {NUMPY: _numpy, JAX: _jax, TORCH: _pytorch}
