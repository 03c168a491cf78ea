"""Labelled pictures from anywhere, at one size: a set by its name, or a folder of your own."""

import hashlib
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float
from PIL import Image
from sklearn.model_selection import train_test_split

from nn.data import OURS, Dataset, load
from nn.data.folders import TEST_SHARE, as_floats, fit_image, read_folder, same_channels, what_is_near

Labelled = tuple[np.ndarray, np.ndarray]
"""Pictures (examples, side, side, 1 or 3) of bytes, and the label of each."""


@dataclass(frozen=True, eq=False)
class Pictures:
    """A set of labelled pictures, all of one size.

    Attributes:
      name: what the report calls it.
      train, test: pictures and labels.
      classes: the name of each label.
      notes: sentences on how the set was read.
      place: the folder it was read from; None for a set by its name.
    """

    name: str
    train: Labelled
    test: Labelled
    classes: tuple[str, ...]
    notes: tuple[str, ...] = ()
    place: Path | None = None

    @property
    def channels(self) -> int:
        """1 if all pictures are grey, else 3."""
        return max(self.train[0].shape[-1], self.test[0].shape[-1])

    @property
    def guessing(self) -> float:
        """How often those are right who always name the commonest class of the test."""
        return float(np.bincount(self.test[1]).max() / len(self.test[1]))

    def is_guessed(self, accuracy: float) -> bool:
        """Whether an accuracy on the test is within two standard errors of guessing, or below: nothing has been learned."""
        return accuracy <= self.guessing + 2 * math.sqrt(self.guessing * (1 - self.guessing) / len(self.test[1]))

    @property
    def checksum(self) -> str:
        """Another one if a picture, a label or the name of a class is another."""
        checksum = hashlib.sha256(repr((self.train[0].shape, self.test[0].shape, self.classes)).encode())
        for pictures, labels in (self.train, self.test):
            checksum.update(np.ascontiguousarray(pictures).tobytes() + np.asarray(labels, np.int64).tobytes())
        return checksum.hexdigest()[:12]

    def floats(self, split: str, channels: int) -> tuple[Float[np.ndarray, "examples side side channels"], np.ndarray]:
        """The pictures of "train" or "test" as a network reads them, from 0 to 1, and their labels."""
        pictures, labels = getattr(self, split)
        return as_floats(pictures, channels), labels.astype(np.int32)


def read_pictures(word: str, *, side: int) -> Pictures:
    """A folder of pictures (`nn.data.folders.read_folder`), or a set by its name (`nn.data.load`).

    A name of ours, such as digits, is that set; a folder that is called so is ./digits.

    Raises:
      ValueError: there is neither, or it does not hold pictures with one label each.
      DataNotPreparedError: the set is not in the data directory, and cannot be put there.
    """
    path = Path(word).expanduser()
    if word not in OURS and (path.is_dir() or is_typed_as_path(word)):
        folder = read_folder(word, side=side)
        train, test = ((arrays["image"], arrays["label"]) for arrays in (folder.train.arrays(), folder.test.arrays()))
        place = Path(os.path.normpath(path.absolute()))  # a link keeps the name that was typed
        classes = tuple(folder.train.info.features["label"].names)
        return Pictures(place.name, train, test, classes, folder.notes, place)

    name = word.rstrip("/")  # as a folder is often typed
    try:
        dataset = load(name)
    except ValueError as error:
        raise ValueError(f"{word} is not a folder: {what_is_near(path)} And {error}") from None
    features, splits = dataset.info.features, dataset.info.splits
    if not {"image", "label"} <= {*features} or not hasattr(features["label"], "names"):
        raise ValueError(f"{name} has no pictures with one label each; its examples have {', '.join(features)}.")
    classes = tuple(features["label"].names)
    pictures, labels = fitted(dataset, side)
    if "test" in splits:
        return Pictures(name, (pictures, labels), fitted(load(name, "test"), side), classes)
    train, test = train_test_split(np.arange(len(labels)), test_size=TEST_SHARE, stratify=labels, random_state=0)
    note = f"{name} has no test split: {len(test)} of its {len(labels)} pictures, drawn with seed 0, are kept for the test."
    return Pictures(name, (pictures[train], labels[train]), (pictures[test], labels[test]), classes, (note,))


def is_typed_as_path(word: str) -> bool:
    """Whether a word is meant as a folder, there or not. The names of TensorFlow Datasets may have a slash as well."""
    first, slash, _ = word.rstrip("/").partition("/")
    return word.startswith((".", "~", "/")) or Path(word).is_absolute() or bool(slash and Path(first).is_dir())


def tell_apart(sets: Sequence[Pictures]) -> list[Pictures]:
    """The sets as they are; but where folders of one name lie in different places, with as much of their paths in the name as
    tells them apart: a/birds and b/birds."""

    def name(pictures: Pictures, parts: int) -> str:
        return "/".join(pictures.place.parts[-parts:]) if pictures.place else pictures.name

    named = []
    for pictures in sets:
        others = [other for other in sets if other.place != pictures.place]
        parts = 1
        while pictures.place and name(pictures, parts) in {name(other, parts) for other in others}:
            parts += 1
        named.append(replace(pictures, name=name(pictures, parts)))
    return named


def fitted(dataset: Dataset, side: int) -> Labelled:
    """The pictures of a set, each made to fit into a square, and their labels."""
    pictures, labels = [], []
    for example in dataset:
        pixels = example["image"]
        pictures.append(fit_image(Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels), side))
        labels.append(int(example["label"]))
    return same_channels(pictures), np.array(labels)


def same_pictures(first: np.ndarray, second: np.ndarray) -> int:
    """How many of the first pictures are among the second, to the last byte. Grey is the colour whose three parts are equal."""
    if first.shape[1:3] != second.shape[1:3]:
        return 0
    channels = max(first.shape[-1], second.shape[-1])
    first, second = (np.broadcast_to(pictures, (*pictures.shape[:-1], channels)) for pictures in (first, second))
    known = {picture.tobytes() for picture in second}
    return sum(picture.tobytes() in known for picture in first)
