"""Stored pixels to what a network reads: numbers from 0 to 1, as an image or as one long vector."""

from collections.abc import Mapping

import numpy as np


def as_images(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Pixels from 0..255 to 0..1 float32, labels to int32; for `Dataset.map`.

    Args:
      arrays: `image` (examples, height, width, channels) uint8, and anything else, which passes as it is.

    Raises:
      ValueError: if there is no `image`, or it is not uint8: scaled twice, an image is nearly black.
    """
    if "image" not in arrays or arrays["image"].dtype != np.uint8:
        found = {name: f"{array.dtype}{list(array.shape)}" for name, array in arrays.items()}
        raise ValueError(f"as_images expects an `image` of uint8 pixels, got {found}.")
    scaled = {**arrays, "image": arrays["image"].astype(np.float32) / 255}
    return {name: array.astype(np.int32) if name == "label" else array for name, array in scaled.items()}


def as_vectors(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The same with each image as one row, (examples, height · width · channels): what a feedforward network reads."""
    images = as_images(arrays)
    return {**images, "image": images["image"].reshape(len(images["image"]), -1)}
