"""The images of the experiments: every set at one size, as vectors, so that one network can read them all."""

from functools import lru_cache

import jax
import numpy as np
from jaxtyping import Float, Int

from nn.data import load

SIDE = 16  # pixels: enough to read a letter, small enough for a minute on two cores

# How to bring each set to 16×16 with its strokes at about the same size: pixels cut off each side (negative: added) before
# the image is resized. Clothes fill their pictures to the edge, where no digit has ink: the border keeps them off it, for else
# an empty edge alone tells the two sets apart.
MARGINS = {"digits": -0.5, "mnist_5k": 3, "mnist": 3, "glyphs": 0, "fashion_mnist": -2}


@lru_cache(maxsize=8)
def images(name: str, split: str) -> tuple[Float[np.ndarray, "examples pixels"], Int[np.ndarray, " examples"]]:
    """A set's images, as 256 numbers from 0 (paper) to 1 (ink) each, and their labels."""
    arrays = load(name, split).arrays()
    pixels = np.asarray(arrays["image"], np.float32)[..., 0] / 255
    side, margin = pixels.shape[1], MARGINS[name]
    # output = scale · (input − margin): the window that is left fills the new image.
    scale = SIDE / (side - 2 * margin)
    resized = jax.image.scale_and_translate(
        pixels,
        (len(pixels), SIDE, SIDE),
        (1, 2),
        np.array([scale, scale], np.float32),
        np.array([-margin * scale, -margin * scale], np.float32),
        method="linear",
    )
    flat = np.asarray(resized).reshape(len(pixels), SIDE * SIDE)
    flat.setflags(write=False)  # shared by all who ask
    return flat, np.asarray(arrays["label"], np.int32)


def first_of_each_class(
    labels: Int[np.ndarray, " examples"], classes: np.ndarray, count: int, order: np.ndarray
) -> Int[np.ndarray, " chosen"]:
    """Indices of the first `count` examples of each class, in a given order of all examples; class by class.

    Smaller counts are parts of larger ones, so that a curve over the number of examples adds examples and swaps none.
    """
    return np.concatenate([order[labels[order] == c][:count] for c in classes])


def few_of_each(
    name: str, shots: int, random: np.random.Generator
) -> tuple[Float[np.ndarray, "chosen pixels"], Int[np.ndarray, " chosen"]]:
    """Some training images of a set and their labels: `shots` of each class, drawn at random, class by class."""
    x, y = images(name, "train")
    chosen = first_of_each_class(y, np.unique(y), shots, random.permutation(len(y)))
    return x[chosen], y[chosen]
