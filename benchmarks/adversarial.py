"""How each library trains a generator and a discriminator in turn: `fit_adversarial`, or a loop of steps.

As in `benchmarks.supervised`, all get the same batch again and again, and a process imports the library that it times alone.
"""

from functools import partial
from typing import Any

import numpy as np

from benchmarks.dcgan import DCGAN, NOISE, noise_for_discriminator, noise_for_generator
from benchmarks.optimizers import Optimizer
from benchmarks.supervised import Repeated, batches_of
from benchmarks.weights import Weights, as_linen, into_keras, into_nnx, into_pytorch
from benchmarks.workload import COMPILED, KERAS, LINEN, MESH, NNX, OURS, TORCH, Program

SLOPE = 0.2  # of the leaky relu, below 0
MOMENTUM = 0.9  # of a running average, at each step


def side_of(weights: Weights, network: str) -> dict[str, np.ndarray]:
    """The weights of one of the two networks."""
    return {name.removeprefix(f"{network}/"): array for name, array in weights.items() if name.startswith(f"{network}/")}


def losses(softplus: Any) -> tuple[Any, Any]:
    """Non-saturating: (real, fake scores) → the discriminator's loss, and fake scores → the generator's."""
    return lambda real, fake: softplus(-real).mean() + softplus(fake).mean(), lambda fake: softplus(-fake).mean()


class Ours:
    """`nn.training.fit_adversarial` and `predict`."""

    def __init__(self, workload: DCGAN, optimizer: Optimizer, weights: Weights, mesh: bool = False):
        import jax

        import nn

        self.generator, self.discriminator = workload.ours()
        self.batches, self.latent = Repeated({"image": jax.device_put(workload.images())}), workload.latent
        self.size, self.optimizer = workload.batch_size, optimizer.optax()
        self.mesh = nn.training.device_mesh() if mesh else None

    def train(self, steps: int) -> float:
        import nn

        self.generator.train()
        history = nn.training.fit_adversarial(
            self.generator,
            self.discriminator,
            self.batches,
            generator_optimizer=self.optimizer,
            discriminator_optimizer=self.optimizer,
            latent_features=self.latent,
            steps=steps,
            mesh=self.mesh,
        )
        return history["discriminator_loss"][-1] + history["generator_loss"][-1]

    def infer(self, inputs: np.ndarray) -> np.ndarray:
        import nn

        return nn.training.predict(self.generator, inputs, batch_size=self.size, mesh=self.mesh)


class FlaxNNX:
    """`nnx.jit` of a step that trains one after the other."""

    def __init__(self, workload: DCGAN, optimizer: Optimizer, weights: Weights):
        import jax
        from flax import nnx

        wide, narrow = workload.channels
        start = (workload.side // 4, workload.side // 4, wide)
        lists = getattr(nnx, "List", list)

        class Generator(nnx.Module):
            def __init__(self, rngs):
                self.project = nnx.Linear(workload.latent, start[0] * start[1] * wide, rngs=rngs)
                self.norms = lists([nnx.BatchNorm(width, momentum=MOMENTUM, rngs=rngs) for width in (wide, narrow)])
                first = nnx.ConvTranspose(wide, narrow, (4, 4), (2, 2), use_bias=False, rngs=rngs)
                self.convs = lists([first, nnx.ConvTranspose(narrow, 1, (4, 4), (2, 2), rngs=rngs)])

            def __call__(self, noise):
                x = self.project(noise).reshape(-1, *start)
                for norm, conv in zip(self.norms, self.convs, strict=True):
                    x = conv(nnx.relu(norm(x)))
                return nnx.tanh(x)

        class Discriminator(nnx.Module):
            def __init__(self, rngs):
                pairs = ((1, narrow), (narrow, wide))
                self.convs = lists([nnx.Conv(i, o, (4, 4), (2, 2), rngs=rngs) for i, o in pairs])
                self.head = nnx.Linear(start[0] * start[1] * wide, 1, rngs=rngs)

            def __call__(self, x):
                for conv in self.convs:
                    x = nnx.leaky_relu(conv(x), SLOPE)
                return self.head(x.reshape(len(x), -1))[:, 0]

        discriminator_loss, generator_loss = losses(jax.nn.softplus)

        @nnx.jit
        def step(generator, discriminator, g_optimizer, d_optimizer, real, key):
            key, noise = noise_for_discriminator(key, (len(real), workload.latent))
            fake = generator(noise)
            objective = nnx.value_and_grad(lambda model: discriminator_loss(model(real), model(fake)))
            d_loss, gradients = objective(discriminator)
            d_optimizer.update(discriminator, gradients)
            key, noise = noise_for_generator(key, noise.shape)
            g_loss, gradients = nnx.value_and_grad(lambda model: generator_loss(discriminator(model(noise))))(generator)
            g_optimizer.update(generator, gradients)
            return key, d_loss + g_loss

        self.generator = into_nnx(Generator(nnx.Rngs(0)), side_of(weights, "generator"))
        self.discriminator = into_nnx(Discriminator(nnx.Rngs(0)), side_of(weights, "discriminator"))
        self.g_optimizer = nnx.Optimizer(self.generator, optimizer.optax(), wrt=nnx.Param)
        self.d_optimizer = nnx.Optimizer(self.discriminator, optimizer.optax(), wrt=nnx.Param)
        self.step, self.forward = step, nnx.jit(lambda model, noise: model(noise))
        self.real, self.size = jax.device_put(workload.images()), workload.batch_size

    def train(self, steps: int) -> float:
        import jax

        self.generator.train()
        key, value = jax.random.key(0), np.nan
        for _ in range(steps):
            key, value = self.step(self.generator, self.discriminator, self.g_optimizer, self.d_optimizer, self.real, key)
        return float(value)

    def infer(self, inputs: np.ndarray) -> np.ndarray:
        import jax

        self.generator.eval()
        outputs = [self.forward(self.generator, batch) for batch in batches_of(inputs, self.size)]
        return np.concatenate(jax.device_get(outputs))


class Functional:
    """A loop in JAX for libraries that give a network as a function of its weights: flax.linen, and Keras for one's own loops.

    Args:
      generate: (weights, running averages, noise, whether training) → (images, running averages).
      score: (weights, images) → scores.
      networks: the generator's weights, its running averages, and the discriminator's weights.
    """

    def __init__(self, workload: DCGAN, optimizer: Optimizer, generate: Any, score: Any, networks: tuple[Any, Any, Any]):
        import jax
        import optax

        rule = optimizer.optax()
        discriminator_loss, generator_loss = losses(jax.nn.softplus)

        def step(state, real, key):
            (g, averages, d), (g_memory, d_memory) = state
            key, noise = noise_for_discriminator(key, (len(real), workload.latent))
            fake, averages = generate(g, averages, noise, training=True)
            d_loss, gradients = jax.value_and_grad(lambda d: discriminator_loss(score(d, real), score(d, fake)))(d)
            updates, d_memory = rule.update(gradients, d_memory, d)
            d = optax.apply_updates(d, updates)
            key, noise = noise_for_generator(key, noise.shape)

            def objective(g):
                fake, moved = generate(g, averages, noise, training=True)
                return generator_loss(score(d, fake)), moved

            (g_loss, averages), gradients = jax.value_and_grad(objective, has_aux=True)(g)
            updates, g_memory = rule.update(gradients, g_memory, g)
            return ((optax.apply_updates(g, updates), averages, d), (g_memory, d_memory)), key, d_loss + g_loss

        self.state = networks, (rule.init(networks[0]), rule.init(networks[2]))
        self.step = jax.jit(step, donate_argnums=0)
        self.forward = jax.jit(lambda g, averages, noise: generate(g, averages, noise, training=False)[0])
        self.real, self.size = jax.device_put(workload.images()), workload.batch_size

    def train(self, steps: int) -> float:
        import jax

        key, value = jax.random.key(0), np.nan
        for _ in range(steps):
            self.state, key, value = self.step(self.state, self.real, key)
        return float(value)

    def infer(self, inputs: np.ndarray) -> np.ndarray:
        import jax

        g, averages, _ = self.state[0]
        return np.concatenate(jax.device_get([self.forward(g, averages, batch) for batch in batches_of(inputs, self.size)]))


def flax_linen(workload: DCGAN, optimizer: Optimizer, weights: Weights) -> Program:
    """Both networks as modules of Flax Linen."""
    import jax
    from flax import linen

    wide, narrow = workload.channels
    start = (workload.side // 4, workload.side // 4, wide)

    class Generator(linen.Module):
        @linen.compact
        def __call__(self, noise, training):
            x = linen.Dense(start[0] * start[1] * wide, name="project")(noise).reshape(-1, *start)
            for i, (width, use_bias) in enumerate(((narrow, False), (1, True))):
                x = linen.BatchNorm(use_running_average=not training, momentum=MOMENTUM, name=f"norms_{i}")(x)
                x = linen.ConvTranspose(width, (4, 4), (2, 2), use_bias=use_bias, name=f"convs_{i}")(linen.relu(x))
            return linen.tanh(x)

    class Discriminator(linen.Module):
        @linen.compact
        def __call__(self, x):
            for i, width in enumerate((narrow, wide)):
                x = linen.leaky_relu(linen.Conv(width, (4, 4), (2, 2), name=f"convs_{i}")(x), SLOPE)
            return linen.Dense(1, name="head")(x.reshape(len(x), -1))[:, 0]

    generator, discriminator = Generator(), Discriminator()

    def generate(g, averages, noise, training):
        fake, moved = generator.apply(g | averages, noise, training, mutable=["batch_stats"])
        return fake, moved

    g, d = (as_linen(side_of(weights, side)) for side in ("generator", "discriminator"))
    fresh = generator.init(jax.random.key(0), workload.inputs(), True)
    return Functional(workload, optimizer, generate, discriminator.apply, (g, {"batch_stats": fresh["batch_stats"]}, d))


def keras(workload: DCGAN, optimizer: Optimizer, weights: Weights) -> Program:
    """Both networks as models of Keras, called without their state, as its guide to loops in JAX does."""
    import keras as k

    wide, narrow = workload.channels
    quarter = workload.side // 4
    window = dict(kernel_size=4, strides=2, padding="same")
    generator = k.Sequential(
        [
            k.Input((workload.latent,)),
            k.layers.Dense(quarter * quarter * wide),
            k.layers.Reshape((quarter, quarter, wide)),
            k.layers.BatchNormalization(momentum=MOMENTUM, epsilon=1e-5),
            k.layers.ReLU(),
            k.layers.Conv2DTranspose(narrow, use_bias=False, **window),
            k.layers.BatchNormalization(momentum=MOMENTUM, epsilon=1e-5),
            k.layers.ReLU(),
            k.layers.Conv2DTranspose(1, activation="tanh", **window),
        ]
    )
    discriminator = k.Sequential(
        [
            k.Input((workload.side, workload.side, 1)),
            k.layers.Conv2D(narrow, **window),
            k.layers.LeakyReLU(SLOPE),
            k.layers.Conv2D(wide, **window),
            k.layers.LeakyReLU(SLOPE),
            k.layers.Flatten(),
            k.layers.Dense(1),
        ]
    )
    g_weights = side_of(weights, "generator")
    # Keras has the kernel of a transposed convolution turned round, as the adjoint of a convolution, and outputs before inputs.
    flipped = {name: array[::-1, ::-1].swapaxes(2, 3) if array.ndim == 4 else array for name, array in g_weights.items()}
    averages = {}
    for i, width in enumerate(workload.channels):
        averages |= {f"norms/{i}/mean": np.zeros(width, np.float32), f"norms/{i}/var": np.ones(width, np.float32)}
    norms = [[f"norms/{i}/{part}" for part in ("scale", "bias", "mean", "var")] for i in (0, 1)]
    order = ["project/kernel", "project/bias", *norms[0], "convs/0/kernel", *norms[1], "convs/1/kernel", "convs/1/bias"]
    into_keras(generator, flipped | averages, order)
    order = [f"{layer}/{part}" for layer in ("convs/0", "convs/1", "head") for part in ("kernel", "bias")]
    into_keras(discriminator, side_of(weights, "discriminator"), order)

    def generate(g, averages, noise, training):
        return generator.stateless_call(g, averages, noise, training=training)

    def score(d, images):
        return discriminator.stateless_call(d, [], images)[0][:, 0]

    def values(variables):
        return [variable.value for variable in variables]

    networks = values(generator.trainable_variables), values(generator.non_trainable_variables)
    return Functional(workload, optimizer, generate, score, (*networks, values(discriminator.trainable_variables)))


class PyTorch:
    """The loop of PyTorch's own tutorial, but for the noise, which is drawn beforehand."""

    def __init__(self, workload: DCGAN, optimizer: Optimizer, weights: Weights, compiled: bool = False):
        import torch

        wide, narrow = workload.channels
        quarter = workload.side // 4

        class Generator(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.project = torch.nn.Linear(workload.latent, quarter * quarter * wide)
                self.norms = torch.nn.ModuleList(torch.nn.BatchNorm2d(width, momentum=1 - MOMENTUM) for width in (wide, narrow))
                first = torch.nn.ConvTranspose2d(wide, narrow, 4, 2, 1, bias=False)
                self.convs = torch.nn.ModuleList([first, torch.nn.ConvTranspose2d(narrow, 1, 4, 2, 1)])

            def forward(self, noise):
                x = self.project(noise).unflatten(1, (quarter, quarter, wide)).permute(0, 3, 1, 2)
                for norm, conv in zip(self.norms, self.convs, strict=True):
                    x = conv(torch.relu(norm(x)))
                return torch.tanh(x)

        class Discriminator(torch.nn.Module):
            def __init__(self):
                super().__init__()
                pairs = ((1, narrow), (narrow, wide))
                self.convs = torch.nn.ModuleList(torch.nn.Conv2d(i, o, 4, 2, 1) for i, o in pairs)
                self.head = torch.nn.Linear(quarter * quarter * wide, 1)

            def forward(self, x):
                for conv in self.convs:
                    x = torch.nn.functional.leaky_relu(conv(x), SLOPE)
                return self.head(x.permute(0, 2, 3, 1).flatten(1))[:, 0]

        networks = []
        for side, network in (("generator", Generator()), ("discriminator", Discriminator())):
            networks.append(into_pytorch(network, side_of(weights, side)).to(memory_format=torch.channels_last))
        self.optimizers = [optimizer.pytorch(network.parameters()) for network in networks]
        self.generator, self.discriminator = (torch.compile(net) for net in networks) if compiled else networks
        self.losses = losses(torch.nn.functional.softplus)
        self.real = torch.tensor(workload.images()).permute(0, 3, 1, 2)
        self.noise, self.size = torch.tensor(weights[NOISE]), workload.batch_size

    def train(self, steps: int) -> float:
        import torch

        self.generator.train()
        discriminator_loss, generator_loss = self.losses
        g_optimizer, d_optimizer = self.optimizers
        for first, second in self.noise[torch.arange(steps) % len(self.noise)]:
            with torch.no_grad():
                fake = self.generator(first)
            d_loss = discriminator_loss(self.discriminator(self.real), self.discriminator(fake))
            d_optimizer.zero_grad()
            d_loss.backward()
            d_optimizer.step()
            # Asked for, the discriminator's gradients would be computed here too, and thrown away.
            self.discriminator.requires_grad_(False)
            g_loss = generator_loss(self.discriminator(self.generator(second)))
            g_optimizer.zero_grad()
            g_loss.backward()
            g_optimizer.step()
            self.discriminator.requires_grad_(True)
        return d_loss.item() + g_loss.item()

    def infer(self, inputs: np.ndarray) -> np.ndarray:
        import torch

        self.generator.eval()
        with torch.inference_mode():
            outputs = [self.generator(torch.from_numpy(batch)) for batch in batches_of(inputs, self.size)]
        return np.concatenate([output.permute(0, 2, 3, 1).numpy() for output in outputs])


PROGRAMS = {
    OURS: Ours,
    MESH: partial(Ours, mesh=True),
    NNX: FlaxNNX,
    LINEN: flax_linen,
    KERAS: keras,
    TORCH: PyTorch,
    COMPILED: partial(PyTorch, compiled=True),
}
