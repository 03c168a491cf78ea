"""How each library trains a network and asks it, as its own documentation shows: `fit` and `predict`, or a loop of steps.

All get the same batch again and again, as an array that is there already: what is timed is the network, not the loading of
data. A process imports the library that it times and no other, so imports stand inside.
"""

from collections.abc import Iterator, Mapping
from itertools import repeat
from typing import Any

import numpy as np

from benchmarks.optimizers import Optimizer
from benchmarks.weights import Weights
from benchmarks.workload import BFLOAT16, COMPILED, KERAS, LINEN, MESH, NNX, OURS, TORCH, Supervised


def batches_of(inputs: np.ndarray, size: int) -> Iterator[np.ndarray]:
    """The inputs, so many at a time."""
    return (inputs[start : start + size] for start in range(0, len(inputs), size))


class Repeated:
    """Batches for `nn.training.fit`: one batch, for ever."""

    def __init__(self, batch: Any):
        self.batch = batch

    def from_step(self, step: int) -> Iterator[Any]:
        return repeat(self.batch)


class Ours:
    """`nn.training.fit` and `predict`, as in the README. Each call of `fit` begins with a fresh memory of the optimizer."""

    def __init__(self, workload: Supervised, optimizer: Optimizer, weights: Weights):
        import jax

        self.model = workload.ours()
        self.size = len(workload.inputs())
        self.batches = Repeated(jax.device_put(dict(workload.batch())))
        self.optimizer, self.objective = optimizer.optax(), workload.objective()
        self.options: dict[str, Any] = {}

    def train(self, steps: int) -> float:
        import nn

        self.model.train()
        history = nn.training.fit(
            self.model, self.batches, optimizer=self.optimizer, steps=steps, loss=self.objective, **self.options
        )
        return history["loss"][-1]

    def infer(self, inputs: np.ndarray) -> np.ndarray:
        import nn

        return nn.training.predict(self.model, inputs, batch_size=self.size)


class OursOnAMesh(Ours):
    """The same, over as many devices as the process has cores: `fit(…, mesh=…)`."""

    def __init__(self, workload: Supervised, optimizer: Optimizer, weights: Weights):
        super().__init__(workload, optimizer, weights)
        import nn

        self.options = {"mesh": nn.training.device_mesh()}  # where the model then stays, for `predict`, too


class OursInBfloat16(Ours):
    """`fit(…, compute_dtype=jnp.bfloat16)`; and asked with weights of bfloat16."""

    def __init__(self, workload: Supervised, optimizer: Optimizer, weights: Weights):
        super().__init__(workload, optimizer, weights)
        import jax.numpy as jnp

        self.options = {"compute_dtype": jnp.bfloat16}

    def infer(self, inputs: np.ndarray) -> np.ndarray:
        import jax
        import jax.numpy as jnp
        from flax import nnx

        import nn

        def narrow(array):
            return array.astype(jnp.bfloat16) if jnp.issubdtype(array.dtype, jnp.floating) else array

        graphdef, state = nnx.split(self.model)
        model = nnx.merge(graphdef, jax.tree.map(narrow, state))
        return nn.training.predict(model, narrow(inputs), batch_size=self.size).astype(np.float32)


def _mean_loss(kind: str):
    """(outputs, labels) → the mean loss, for Flax, which leaves losses to optax."""
    import optax

    if kind == "squares":
        return lambda outputs, labels: optax.squared_error(outputs, labels).mean()
    return lambda logits, labels: optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()


class FlaxNNX:
    """`nnx.jit` of a step with `nnx.value_and_grad` and `nnx.Optimizer`, the loop of Flax's own introduction."""

    def __init__(self, workload: Supervised, optimizer: Optimizer, weights: Weights):
        import jax
        from flax import nnx

        loss = _mean_loss(workload.loss)

        @nnx.jit
        def step(model, optimizer, inputs, labels):
            value, gradients = nnx.value_and_grad(lambda model: loss(model(inputs), labels))(model)
            optimizer.update(model, gradients)
            return value

        self.model = workload.flax_nnx(weights)
        self.optimizer = nnx.Optimizer(self.model, optimizer.optax(), wrt=nnx.Param)
        self.step, self.forward = step, nnx.jit(lambda model, inputs: model(inputs))
        inputs, labels = workload.examples()
        self.size, self.examples = len(inputs), jax.device_put((inputs, labels))

    def train(self, steps: int) -> float:
        value: Any = np.nan
        for _ in range(steps):
            value = self.step(self.model, self.optimizer, *self.examples)
        return float(value)

    def infer(self, inputs: np.ndarray) -> np.ndarray:
        import jax

        return np.concatenate(jax.device_get([self.forward(self.model, batch) for batch in batches_of(inputs, self.size)]))


class FlaxLinen:
    """`jax.jit` of a step that gives its old state's memory to the new one."""

    def __init__(self, workload: Supervised, optimizer: Optimizer, weights: Weights):
        import jax
        import optax

        loss, rule = _mean_loss(workload.loss), optimizer.optax()
        module, parameters = workload.flax_linen(weights)

        def step(parameters, memory, inputs, labels):
            value, gradients = jax.value_and_grad(lambda p: loss(module.apply(p, inputs), labels))(parameters)
            updates, memory = rule.update(gradients, memory, parameters)
            return optax.apply_updates(parameters, updates), memory, value

        self.parameters, self.memory = parameters, rule.init(parameters)
        self.step, self.forward = jax.jit(step, donate_argnums=(0, 1)), jax.jit(module.apply)
        inputs, labels = workload.examples()
        self.size, self.examples = len(inputs), jax.device_put((inputs, labels))

    def train(self, steps: int) -> float:
        value: Any = np.nan
        for _ in range(steps):
            self.parameters, self.memory, value = self.step(self.parameters, self.memory, *self.examples)
        return float(value)

    def infer(self, inputs: np.ndarray) -> np.ndarray:
        import jax

        return np.concatenate(jax.device_get([self.forward(self.parameters, x) for x in batches_of(inputs, self.size)]))


class Keras:
    """`compile`, `fit` and `predict`, on JAX."""

    def __init__(self, workload: Supervised, optimizer: Optimizer, weights: Weights):
        import keras

        self.model = workload.keras(weights)
        squares = workload.loss == "squares"
        loss = keras.losses.MeanSquaredError() if squares else keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        self.model.compile(optimizer.keras(), loss, jit_compile=True)
        inputs, labels = workload.examples()
        self.size, self.examples, self.repeated = len(inputs), (inputs, labels), (0, (inputs, labels))

    def train(self, steps: int) -> float:
        if self.repeated[0] != steps:
            self.repeated = steps, tuple(np.concatenate([array] * steps) for array in self.examples)
        inputs, labels = self.repeated[1]
        history = self.model.fit(inputs, labels, batch_size=self.size, epochs=1, shuffle=False, verbose=0)
        return history.history["loss"][-1]

    def infer(self, inputs: np.ndarray) -> np.ndarray:
        return self.model.predict(inputs, batch_size=self.size, verbose=0).astype(np.float32)


class KerasInBfloat16(Keras):
    """Under Keras's own policy for it: weights of float32, sums and products of bfloat16."""

    def __init__(self, workload: Supervised, optimizer: Optimizer, weights: Weights):
        import keras

        before = keras.config.dtype_policy()
        keras.config.set_dtype_policy("mixed_bfloat16")  # a layer keeps the policy that it was made under
        try:
            super().__init__(workload, optimizer, weights)
        finally:
            keras.config.set_dtype_policy(before)


class PyTorch:
    """The loop of PyTorch's own introduction."""

    def __init__(self, workload: Supervised, optimizer: Optimizer, weights: Weights):
        import torch
        import torch.nn.functional as F

        self.network = workload.pytorch(weights)
        self.rule = optimizer.pytorch([parameter for parameter in self.network.parameters() if parameter.requires_grad])
        squares = F.mse_loss
        self.loss = squares if workload.loss == "squares" else lambda z, y: F.cross_entropy(z.flatten(0, -2), y.flatten())
        inputs, labels = workload.examples()
        labels = labels if workload.loss == "squares" else labels.astype(np.int64)
        self.size, self.examples = len(inputs), (torch.tensor(inputs), torch.tensor(labels))

    def train(self, steps: int) -> float:
        inputs, labels = self.examples
        value: Any = None
        for _ in range(steps):
            value = self.loss(self.network(inputs), labels)
            self.rule.zero_grad()
            value.backward()
            self.rule.step()
        return value.item()

    def infer(self, inputs: np.ndarray) -> np.ndarray:
        import torch

        with torch.inference_mode():
            outputs = [self.network(torch.from_numpy(batch)) for batch in batches_of(inputs, self.size)]
        return np.concatenate([output.numpy() for output in outputs])


class PyTorchInBfloat16(PyTorch):
    """Under `torch.autocast`; the loss is computed in float32."""

    def __init__(self, workload: Supervised, optimizer: Optimizer, weights: Weights):
        super().__init__(workload, optimizer, weights)
        import torch

        network = self.network

        def narrow(inputs):
            with torch.autocast("cpu", torch.bfloat16):
                return network(inputs).float()

        self.network = narrow


class PyTorchCompiled(PyTorch):
    """The same network through `torch.compile`."""

    def __init__(self, workload: Supervised, optimizer: Optimizer, weights: Weights):
        super().__init__(workload, optimizer, weights)
        import torch

        self.network = torch.compile(self.network)


PROGRAMS: Mapping[str, Any] = {
    OURS: Ours,
    MESH: OursOnAMesh,
    NNX: FlaxNNX,
    LINEN: FlaxLinen,
    KERAS: Keras,
    TORCH: PyTorch,
    COMPILED: PyTorchCompiled,
    OURS + BFLOAT16: OursInBfloat16,
    KERAS + BFLOAT16: KerasInBfloat16,
    TORCH + BFLOAT16: PyTorchInBfloat16,
}
