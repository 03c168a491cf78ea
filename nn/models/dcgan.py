"""DCGAN: a generator that grows an image out of a vector of noise, and a discriminator, its mirror, that reads images.

Radford, Metz and Chintala found the few rules by which convolutional networks can be trained against each other: strides
instead of pooling, batch normalization, and no hidden layers of the ordinary kind.
"""

from dataclasses import dataclass, replace
from itertools import pairwise

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Int

from nn.layers.activations import leaky_relu, relu, tanh
from nn.layers.containers import List
from nn.layers.convolution import Conv, ConvTranspose
from nn.layers.embedding import Embed
from nn.layers.initializers import he_normal, normal
from nn.layers.linear import Linear
from nn.layers.normalization import BatchNorm
from nn.layers.shapes import require_features

WINDOW = (4, 4)  # a multiple of the stride: every pixel is reached by as many weights, and no checkerboard appears


@dataclass(frozen=True, kw_only=True)
class GeneratorConfig:
    """What a generator is made of.

    Args:
      latent_features: how many random numbers an image is made of.
      image_shape: height, width and channels.
      channels: of the small image that the numbers become first, and of all larger ones before the last. Each step makes the
        image twice as large, so that two channels make 28 × 28 of 7 × 7, or 8 × 8 of 2 × 2.
      classes: how many labels it can be told, or None for a generator that is told none.

    Raises:
      ValueError: if a size is below 1, or height or width cannot be halved as often as there are channels.
    """

    latent_features: int = 64
    image_shape: tuple[int, int, int] = (28, 28, 1)
    channels: tuple[int, ...] = (64, 32)
    classes: int | None = None

    def __post_init__(self):
        _tuples(self)
        _require_sizes(self, self.latent_features, f"latent_features={self.latent_features}, ")

    @classmethod
    def dcgan(cls) -> "GeneratorConfig":
        """The published one: 64 × 64 colour images of 100 numbers."""
        return cls(latent_features=100, image_shape=(64, 64, 3), channels=(1024, 512, 256, 128))


@dataclass(frozen=True, kw_only=True)
class DiscriminatorConfig:
    """What a discriminator or a critic is made of.

    Args:
      image_shape: height, width and channels of an image.
      channels: behind each convolution, which makes the image half as large.
      classes: how many labels it can be told, or None for one that is told none.
      batch_norm: whether to normalize behind each convolution but the first.

    Raises:
      ValueError: if a size is below 1, or height or width cannot be halved as often as there are channels.
    """

    image_shape: tuple[int, int, int] = (28, 28, 1)
    channels: tuple[int, ...] = (32, 64)
    classes: int | None = None
    batch_norm: bool = True

    def __post_init__(self):
        _tuples(self)
        _require_sizes(self, 1, "")

    @classmethod
    def dcgan(cls) -> "DiscriminatorConfig":
        """The mirror of `GeneratorConfig.dcgan`."""
        return cls(image_shape=(64, 64, 3), channels=(128, 256, 512, 1024))


def _tuples(config) -> None:
    for name in ("image_shape", "channels"):
        object.__setattr__(config, name, tuple(getattr(config, name)))  # JSON has lists, and a config must be hashable


def _require_sizes(config, latent_features: int, latent: str) -> None:
    name, shape, channels, classes = type(config).__name__, config.image_shape, config.channels, config.classes
    sizes = (latent_features, *shape, *channels, 1 if classes is None else classes)
    if len(shape) != 3 or not channels or min(sizes) < 1:
        raise ValueError(
            f"{name} expects image_shape (height, width, channels), at least one of channels, and sizes of at least 1, got "
            f"{latent}image_shape={shape}, channels={channels}, classes={classes}."
        )
    if any(size % 2 ** len(channels) for size in shape[:2]):
        raise ValueError(
            f"{name} expects a height and a width that can be halved {len(channels)} times, once for each of "
            f"channels={channels}, got image_shape={shape}."
        )


class Generator(nnx.Module):
    """A linear layer makes a small image of the noise; each transposed convolution behind it makes a twice larger one.

    Before each: batch normalization and relu. Behind the last: tanh, so that pixels are from −1 to 1.

    Args:
      config: sizes.
      rngs: where the weights come from.

    Raises:
      ValueError: from a call with noise of another size, or with labels where there are no classes, or without where there are.

    Reference: Radford, Metz and Chintala 2016, "Unsupervised Representation Learning with Deep Convolutional Generative
      Adversarial Networks", figure 1; labels are added as in Mirza and Osindero 2014, "Conditional Generative Adversarial
      Nets".
    """

    def __init__(self, config: GeneratorConfig, *, rngs: nnx.Rngs):
        self.config = config
        height, width, outputs = config.image_shape
        halved = 2 ** len(config.channels)
        self.start = (height // halved, width // halved, config.channels[0])
        inputs, init = config.latent_features, normal(0.02)
        self.embed = None if config.classes is None else Embed(config.classes, inputs, rngs=rngs)
        size = self.start[0] * self.start[1] * self.start[2]
        self.project = Linear(inputs * (1 if config.classes is None else 2), size, kernel_init=init, rngs=rngs)
        self.norms = List([BatchNorm(width, momentum=0.9, rngs=rngs) for width in config.channels])
        pairs = list(pairwise((*config.channels, outputs)))
        self.convs = List(
            [
                # Normalization takes means off, and a bias with them: only the last has one.
                ConvTranspose(*pair, WINDOW, strides=2, use_bias=pair is pairs[-1], kernel_init=init, rngs=rngs)
                for pair in pairs
            ]
        )

    def __call__(
        self, noise: Float[Array, "*batch latent"], labels: Int[Array, "*batch"] | None = None
    ) -> Float[Array, "*batch height width channels"]:
        require_features("Generator", noise, self.config.latent_features)
        _require_labels("Generator", labels, noise.shape[:-1], self.config.classes)
        if self.embed is not None and labels is not None:
            noise = jnp.concatenate([noise, self.embed(labels)], axis=-1)
        x = self.project(noise).reshape(*noise.shape[:-1], *self.start)
        for norm, conv in zip(self.norms, self.convs, strict=True):
            x = conv(relu(norm(x)))
        return tanh(x)


class Discriminator(nnx.Module):
    """Convolutions of stride 2, each with a leaky relu behind it, then one linear score: the larger, the more real.

    A label becomes one more channel of the image, a learned picture for each class.

    Args:
      config: sizes.
      rngs: where the weights come from.

    Raises:
      ValueError: from a call with images of another shape, or with labels where there are no classes, or without where there
        are.

    Reference: Radford, Metz and Chintala 2016, section 3; labels as in Mirza and Osindero 2014.
    """

    def __init__(self, config: DiscriminatorConfig, *, rngs: nnx.Rngs):
        self.config = config
        height, width, inputs = config.image_shape
        # Batch normalization makes up for small kernels; without it they have to keep the signal's size themselves.
        init = normal(0.02) if config.batch_norm else he_normal()
        self.embed = None if config.classes is None else Embed(config.classes, height * width, rngs=rngs)
        pairs = list(pairwise((inputs + (config.classes is not None), *config.channels)))
        self.convs = List(
            [
                Conv(*pair, WINDOW, strides=2, use_bias=pair is pairs[0] or not config.batch_norm, kernel_init=init, rngs=rngs)
                for pair in pairs
            ]
        )
        self.norms = List([BatchNorm(o, momentum=0.9, rngs=rngs) for o in config.channels[1:]] if config.batch_norm else [])
        halved = 2 ** len(config.channels)
        self.head = Linear((height // halved) * (width // halved) * config.channels[-1], 1, kernel_init=init, rngs=rngs)

    def __call__(
        self, x: Float[Array, "*batch height width channels"], labels: Int[Array, "*batch"] | None = None
    ) -> Float[Array, "*batch"]:
        shape, name = self.config.image_shape, type(self).__name__
        if x.shape[-3:] != shape:
            raise ValueError(f"{name} expects images of shape (*batch, {', '.join(map(str, shape))}), got x.shape={x.shape}.")
        batch = x.shape[:-3]
        _require_labels(name, labels, batch, self.config.classes)
        if self.embed is not None and labels is not None:
            x = jnp.concatenate([x, self.embed(labels).reshape(*batch, *shape[:2], 1)], axis=-1)
        for i, conv in enumerate(self.convs):
            x = conv(x)
            if i and self.norms:
                x = self.norms[i - 1](x)
            x = leaky_relu(x, 0.2)
        return self.head(x.reshape(*batch, self.head.in_features))[..., 0]


class Critic(Discriminator):
    """The discriminator without batch normalization, for the Wasserstein loss with its gradient penalty.

    The penalty asks for the slope at each example, and batch normalization lets every score depend on all examples.

    Args:
      config: sizes; `batch_norm` is turned off.
      rngs: where the weights come from.

    Reference: Gulrajani et al. 2017, "Improved Training of Wasserstein GANs", section 4.
    """

    def __init__(self, config: DiscriminatorConfig, *, rngs: nnx.Rngs):
        super().__init__(replace(config, batch_norm=False), rngs=rngs)


def _require_labels(model: str, labels, batch: tuple[int, ...], classes: int | None) -> None:
    if (labels is None) != (classes is None) or (labels is not None and labels.shape != batch):
        expected = "no labels" if classes is None else f"a label for each of its inputs, of shape {batch}"
        got = "none" if labels is None else f"labels.shape={labels.shape}"
        raise ValueError(f"{model} with classes={classes} expects {expected}, got {got}.")
