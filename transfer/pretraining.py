"""Pretraining: what to learn before the task is there, from pictures alone.

Labels of another task need no function of their own: supervised pretraining is `transfer.fine_tune` on the source. For text
there are `nn.training.next_token_loss`, which pretrains a GPT, and `nn.training.masked_token_loss`, which pretrains a BERT:
both make their labels from the text itself. Pictures can do that, too. Here are two ways: tell two views of one picture from
all other pictures, or fill in what was hidden.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.core import Tracer
from jaxtyping import Array, Bool, Float, Key

from nn.data import Batches, Dataset
from nn.models import MLP, Classifier, MLPConfig
from nn.training import History, Loss, cosine_adam, fit, masked_mean, softmax_cross_entropy
from transfer.few_shot import directions
from transfer.freezing import trainable_filter

Pictures = Float[Array, "examples height width channels"]


def nt_xent(
    first: Float[Array, "pairs width"], second: Float[Array, "pairs width"], temperature: float | Float[Array, ""] = 0.5
) -> Float[Array, ""]:
    """How hard it is, in nats, to find each view's partner among all other views of the batch.

    There are 2n views of n pictures. The scores of a view are its cosines with the 2n − 1 others, divided by the temperature;
    with itself it is not compared. The right answer is the other view of its picture, and the loss is the mean cross-entropy
    of all 2n questions. Chance is log(2n − 1).

    Args:
      first: row i is what the network makes of one view of picture i. Lengths do not matter, only directions.
      second: row i is what it makes of the other view of picture i.
      temperature: above 0; small: only the most alike of the wrong ones count.

    Raises:
      ValueError: if the two differ in shape, there are fewer than two pairs, or the temperature is known and not above 0.

    Reference: Chen, Kornblith, Norouzi and Hinton 2020, "A Simple Framework for Contrastive Learning of Visual
      Representations" (SimCLR), eq. 1.
    """
    if first.shape != second.shape or len(first) < 2:
        raise ValueError(
            f"nt_xent expects two views of each of at least two pictures, in arrays of one shape, got {first.shape} and "
            f"{second.shape}."
        )
    if not isinstance(temperature, Tracer) and not float(temperature) > 0:
        raise ValueError(f"nt_xent expects a temperature above 0, got {temperature}.")
    views = directions(jnp.concatenate([first, second]))
    logits = views @ views.T / temperature
    logits = jnp.where(jnp.eye(len(views), dtype=bool), -jnp.inf, logits)
    partners = jnp.roll(jnp.arange(len(views)), len(first))
    return softmax_cross_entropy(logits, partners).mean()


def augment(
    images: Pictures,
    key: Key[Array, ""],
    *,
    shift: float = 1.5,
    scale: float = 0.2,
    turn: float = 0.25,
    noise: float = 0.2,
) -> Pictures:
    """A random view of each picture: moved, stretched, turned and made noisy, each picture in its own way.

    The choice of views says what does *not* matter in a picture. That is knowledge that you put in, in place of labels.
    Made for small pictures: memory grows with height² · width.

    Args:
      images: pictures.
      key: decides all views.
      shift: the largest shift along each axis, in pixels.
      scale: each axis is stretched by a factor from exp(−scale) to exp(scale).
      turn: the largest angle, in radians.
      noise: the most that is added to each number, or taken from it.

    Returns:
      As many pictures of the same size. What comes in from outside of a picture is 0.

    Raises:
      ValueError: if the images are no pictures, or a size is below 0.
    """
    _require_pictures("augment", images)
    if min(shift, scale, turn, noise) < 0:
        raise ValueError(
            f"augment expects sizes of at least 0, got shift={shift}, scale={scale}, turn={turn} and noise={noise}."
        )
    examples, height, width, _ = images.shape
    view_key, noise_key = jax.random.split(key)
    draws = jax.random.uniform(view_key, (examples, 5, 1), minval=-1)
    shifts, factors, angles = shift * draws[:, :2], jnp.exp(scale * draws[:, 2:4]), turn * draws[:, 4, 0]
    # For each place of a view, where in the picture to look: turned and stretched around the middle, then moved.
    rotations = jnp.stack([jnp.cos(angles), -jnp.sin(angles), jnp.sin(angles), jnp.cos(angles)], -1).reshape(examples, 2, 2)
    middle = jnp.array([(height - 1) / 2, (width - 1) / 2])[:, None]
    places = jnp.indices((height, width)).reshape(2, -1) - jnp.broadcast_to(middle, (2, height * width))
    looked = jnp.broadcast_to(factors, rotations.shape) * rotations @ places + shifts + middle[None]
    # Between pixels, linear interpolation: a pixel counts the less, the further away it is, and from one pixel on not at all.
    near_rows, near_columns = (
        jax.nn.relu(1 - jnp.abs(looked[:, axis, :, None] - jnp.arange(size)[None, None]))
        for axis, size in enumerate((height, width))
    )
    rows = jnp.einsum("npr,nrcd->npcd", near_rows, images)
    views = jnp.einsum("npc,npcd->npd", near_columns, rows).reshape(images.shape)
    return views + noise * jax.random.uniform(noise_key, images.shape, images.dtype, minval=-1)


def mask_patches(
    images: Float[Array, "examples height width channels"], key: Key[Array, ""], *, patch: int, share: float
) -> tuple[Float[Array, "examples height width channels"], Bool[Array, "examples height width channels"]]:
    """Pictures with square holes in them, and where the holes are: each picture loses as many patches, but others.

    With patches of one pixel these are the corrupted inputs of the denoising autoencoder (Vincent et al. 2008), with larger
    ones those of the masked autoencoder (He et al. 2022), which cannot be guessed from the pixel beside.

    Args:
      images: pictures; patches of this size must fill them.
      key: decides which patches of which picture.
      patch: the side of a patch, in pixels.
      share: how much of each picture to hide, rounded to whole patches.

    Returns:
      The pictures, 0 in the holes; and a mask of their shape, True in the holes.

    Raises:
      ValueError: if the images are no pictures, patches do not fill them, or the share leaves none or all of them.

    References: Vincent, Larochelle, Bengio and Manzagol 2008, "Extracting and Composing Robust Features with Denoising
      Autoencoders", section 2.3; He et al. 2022, "Masked Autoencoders Are Scalable Vision Learners", section 3.
    """
    _require_pictures("mask_patches", images)
    examples, height, width, _ = images.shape
    if patch < 1 or height % patch or width % patch:
        raise ValueError(f"mask_patches expects patches that fill {height}×{width} pixels, got a side of {patch}.")
    rows, columns = height // patch, width // patch
    holes = round(share * rows * columns)
    if not 0 < holes < rows * columns:
        raise ValueError(f"mask_patches expects a share that hides some of {rows * columns} patches, not all, got {share}.")
    # The places of the largest of random numbers: each picture has numbers of its own, and loses as many patches.
    _, chosen = jax.lax.top_k(jax.random.uniform(key, (examples, rows * columns)), holes)
    hidden = jnp.zeros((examples, rows * columns), bool).at[jnp.arange(examples)[:, None], chosen].set(True)
    hidden = hidden.reshape(examples, rows, columns)
    hidden = jnp.repeat(jnp.repeat(hidden, patch, axis=1), patch, axis=2)
    mask = jnp.broadcast_to(hidden[..., None], images.shape)
    return jnp.where(mask, 0, images), mask


def reconstruction_loss(
    rebuilt: Float[Array, "*shape"], images: Float[Array, "*shape"], mask: Bool[Array, "*shape"] | None = None
) -> Float[Array, ""]:
    """The mean squared difference of pictures and what was rebuilt of them: everywhere, or where the mask is True.

    Raises:
      ValueError: if the shapes differ.

    Reference: He et al. 2022, "Masked Autoencoders Are Scalable Vision Learners", section 3: the loss of the holes alone.
    """
    if rebuilt.shape != images.shape:
        raise ValueError(f"reconstruction_loss expects arrays of one shape, got {rebuilt.shape} and {images.shape}.")
    return masked_mean((rebuilt - images) ** 2, mask)


def pretrain_contrastive(
    model: Classifier,
    images: np.ndarray,
    *,
    steps: int,
    seed: int,
    learning_rate: float = 1e-3,
    batch_size: int = 128,
    temperature: float = 0.5,
) -> History:
    """Trains a model's features in place, without labels, to be alike for two views of a picture and for no others (SimCLR).

    All of its features train, also what `freeze` has frozen. The views are those of `augment`. They are compared behind a small
    network of two layers, which is thrown away: it may lose what the comparison does not need, and the features before it need
    not (Chen et al. 2020, section 4.2). The model's head stays as it is.

    Args:
      model: a classifier, of which `features` are trained.
      images: pictures (examples, height, width, channels), or square ones as vectors.
      steps: how many batches.
      seed: decides the order of the pictures, the views, and how the small network begins.
      learning_rate: where Adam's begins; it falls to 0 along half a cosine.
      batch_size: pictures a step: each is told from the others of its batch. All of them, where there are fewer.
      temperature: of `nt_xent`.

    Returns:
      The history of `nn.training.fit`.
    """
    training = {"steps": steps, "seed": seed, "learning_rate": learning_rate, "batch_size": batch_size}
    return _pretrain(model, images, 64, ContrastiveViews(temperature=temperature), **training)


def pretrain_denoising(
    model: Classifier,
    images: np.ndarray,
    *,
    steps: int,
    seed: int,
    learning_rate: float = 1e-3,
    batch_size: int = 128,
    patch: int = 1,
    share: float = 0.3,
    holes_only: bool = False,
) -> History:
    """Trains a model's features in place, without labels, to know a picture from a part of it.

    All of its features train, also what `freeze` has frozen. A small network behind them, thrown away later, rebuilds the
    picture. By default that is the denoising autoencoder: single pixels are hidden, and everything is rebuilt. With larger
    patches and `holes_only` it is the loss of the masked autoencoder. (That of He et al. also spares its encoder the holes,
    which a network on vectors cannot.)

    Args:
      patch, share: what to hide, as for `mask_patches`.
      holes_only: whether the loss counts what was hidden alone.
      model, images, steps, seed, learning_rate, batch_size: as for `pretrain_contrastive`.

    Returns:
      The history of `nn.training.fit`.
    """
    training = {"steps": steps, "seed": seed, "learning_rate": learning_rate, "batch_size": batch_size}
    loss = Reconstruction(patch=patch, share=share, holes_only=holes_only)
    return _pretrain(model, images, math.prod(images.shape[1:]), loss, **training)


class Pretext(nnx.Module):
    """A body and what stands on it while it is pretrained: top(body.features(x))."""

    def __init__(self, body: Classifier, outputs: int, *, rngs: nnx.Rngs):
        width = body.head.in_features
        self.body = body
        self.top = MLP(MLPConfig(in_features=width, hidden=(width,), out_features=outputs), rngs=rngs)

    def __call__(self, x: Float[Array, "..."]) -> Float[Array, "*batch outputs"]:
        return self.top(self.body.features(x))


@dataclass(frozen=True)
class NumberedBatches:
    """Batches that know their `step` and a `seed`, for losses that draw random numbers: the same for the same step."""

    batches: Batches
    seed: int

    def from_step(self, step: int) -> "NumberedBatches":
        """The same batches, beginning at a step."""
        return replace(self, batches=self.batches.from_step(step))

    @property
    def settings(self) -> dict[str, object]:
        """What decides the batches, for the checkpoints of `nn.training.fit`."""
        return {**self.batches.settings, "draws": self.seed}

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for step, batch in enumerate(self.batches, self.batches.first_step):
            yield {**batch, "seed": np.uint32(self.seed), "step": np.uint32(step)}


@dataclass(frozen=True, kw_only=True)
class ContrastiveViews:
    """A loss for `fit` on `NumberedBatches`: `nt_xent` of two views of each image."""

    temperature: float = 0.5

    def __call__(self, model: Callable[..., Any], batch: Mapping[str, Any]) -> Float[Array, ""]:
        images, shape = as_pictures(batch["image"]), batch["image"].shape
        views = [augment(images, key).reshape(shape) for key in jax.random.split(_key(batch))]
        first, second = jnp.split(model(jnp.concatenate(views)), 2)
        return nt_xent(first, second, self.temperature)


@dataclass(frozen=True, kw_only=True)
class Reconstruction:
    """A loss for `fit` on `NumberedBatches`: `reconstruction_loss` of what a model makes of images with holes."""

    patch: int = 1
    share: float = 0.3
    holes_only: bool = False

    def __call__(self, model: Callable[..., Any], batch: Mapping[str, Any]) -> Float[Array, ""]:
        images, shape = as_pictures(batch["image"]), batch["image"].shape
        holed, mask = mask_patches(images, _key(batch), patch=self.patch, share=self.share)
        rebuilt = model(holed.reshape(shape)).reshape(images.shape)
        return reconstruction_loss(rebuilt, images, mask if self.holes_only else None)


def as_pictures(images: Float[Array, "..."]) -> Pictures:
    """Vectors as the square grey pictures that they are; pictures (examples, height, width, channels) stay.

    Raises:
      ValueError: for vectors that fill no square, or another number of axes.
    """
    side = math.isqrt(images.shape[-1])
    if images.ndim == 4:
        return images
    if images.ndim != 2 or side**2 != images.shape[-1]:
        raise ValueError(
            f"as_pictures expects (examples, height, width, channels), or square pictures as vectors, got {images.shape}."
        )
    return images.reshape(len(images), side, side, 1)


def _pretrain(
    model: Classifier,
    images: np.ndarray,
    outputs: int,
    loss: Loss,
    *,
    steps: int,
    seed: int,
    learning_rate: float,
    batch_size: int,
) -> History:
    rngs = nnx.Rngs(jax.random.fold_in(jax.random.key(seed), 1))  # not the numbers that the model itself was made with
    learner = Pretext(model, outputs, rngs=rngs)
    learner.train()
    batches = Dataset.from_arrays({"image": images}).batches(min(batch_size, len(images)), seed=seed)
    return fit(
        learner,
        NumberedBatches(batches, seed),
        loss=loss,
        optimizer=cosine_adam(learning_rate, steps),
        steps=steps,
        wrt=trainable_filter(learner, exclude="body.head"),
        log_every=steps,
    )


def _key(batch: Mapping[str, Any]) -> Key[Array, ""]:
    return jax.random.fold_in(jax.random.key(batch["seed"]), batch["step"])


def _require_pictures(function: str, images: Array) -> None:
    if images.ndim != 4:
        raise ValueError(f"{function} expects images (examples, height, width, channels), got shape {images.shape}.")
