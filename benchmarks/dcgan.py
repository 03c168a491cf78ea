"""Two networks against each other: strided and transposed convolutions, whose gradients compilers like least.

Each step trains the discriminator on real images and on fakes made of fresh noise, then the generator on fresh noise again
(Goodfellow et al. 2014, algorithm 1), as `nn.training.fit_adversarial` does. All draw the same noise, from the same keys.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.optimizers import Optimizer
from benchmarks.weights import Weights, from_nnx
from benchmarks.workload import LIBRARIES, Operations, Program

NOISE = "noise"
"""The name under which it stands among the weights."""


@dataclass(frozen=True)
class DCGAN:
    """A generator with batch normalization, a discriminator without, as large as each other.

    Args:
      batch_size: images in a batch.
      latent: how many random numbers an image is made of.
      side: of an image, in pixels; 4 divides it.
      channels: of the two convolutions, the wider one first.
    """

    batch_size: int = 64
    latent: int = 64
    side: int = 28
    channels: tuple[int, int] = (128, 64)
    name: str = "dcgan"
    family: str = "dcgan"
    size: int = 0
    rate: float = 2e-4
    momentum: float = 0.5
    descent: float = 0.1
    steps: tuple[int, int] = (4, 40)
    libraries: tuple[str, ...] = LIBRARIES

    def images(self) -> np.ndarray:
        """One batch of what is to be imitated: noise, too, for nobody looks."""
        shape = (self.batch_size, self.side, self.side, 1)
        return np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)

    def inputs(self) -> np.ndarray:
        return np.random.default_rng(1).normal(size=(self.batch_size, self.latent)).astype(np.float32)

    def operations(self) -> Operations:
        (wide, narrow), quarter = self.channels, (self.side // 4) ** 2
        small = quarter * 16 * wide * narrow  # the convolution between the two sizes
        large = 4 * quarter * 16 * narrow  # the one between the larger and the image
        linear = quarter * wide * self.latent
        generator = 2 * self.batch_size * (linear + small + large)
        discriminator = 2 * self.batch_size * (small + large + quarter * wide)
        # Discriminator: fakes are made, then real ones and fakes go there and back. Generator: both go there, and back through
        # the discriminator only what reaches the images.
        return Operations(train=generator + 2 * 3 * discriminator + 3 * generator + 2 * discriminator, infer=generator)

    def ours(self) -> tuple[Any, Any]:
        """Generator and discriminator from `nn.models`."""
        from flax import nnx

        import nn

        shape, rngs = (self.side, self.side, 1), nnx.Rngs(0)
        g_config = nn.models.GeneratorConfig(latent_features=self.latent, image_shape=shape, channels=self.channels)
        d_config = nn.models.DiscriminatorConfig(image_shape=shape, channels=self.channels[::-1], batch_norm=False)
        return nn.models.Generator(g_config, rngs=rngs), nn.models.Discriminator(d_config, rngs=rngs)

    def weights(self) -> dict[str, np.ndarray]:
        """Those of both networks, and the noise of the first steps for who cannot draw it by JAX's keys."""
        networks = zip(("generator", "discriminator"), self.ours(), strict=True)
        named = {f"{side}/{name}": array for side, model in networks for name, array in from_nnx(model).items()}
        return named | {NOISE: self.noise(self.steps[0])}

    def noise(self, steps: int) -> np.ndarray:
        """What `fit_adversarial(seed=0)` draws: for each step that of the discriminator and that of the generator."""
        import jax

        key, drawn = jax.random.key(0), []
        for _ in range(steps):
            key, noise = noise_for_discriminator(key, self.inputs().shape)
            drawn.append(noise)
            key, noise = noise_for_generator(key, self.inputs().shape)
            drawn.append(noise)
        return np.stack(drawn).reshape(steps, 2, self.batch_size, self.latent)

    def program(self, library: str, optimizer: Optimizer, weights: Weights) -> Program:
        from benchmarks.adversarial import PROGRAMS

        return PROGRAMS[library](self, optimizer, weights)


def noise_for_discriminator(key: Any, shape: tuple[int, ...]) -> tuple[Any, Any]:
    """The key to go on with, and unit normal numbers; the third key would be the gradient penalty's."""
    import jax

    key, own, _ = jax.random.split(key, 3)
    return key, jax.random.normal(own, shape)


def noise_for_generator(key: Any, shape: tuple[int, ...]) -> tuple[Any, Any]:
    """The key to go on with, and unit normal numbers."""
    import jax

    key, own = jax.random.split(key)
    return key, jax.random.normal(own, shape)
