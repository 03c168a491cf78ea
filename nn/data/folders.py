"""Your own pictures: a folder for each class, read as the sets of TensorFlow Datasets (TFDS) are.

The tree is walked by TFDS's own `ImageFolder`, which finds the splits, the classes and the files. What it does not do without
TensorFlow is to open them (its `as_dataset` is a `tf.data` pipeline, and it has no `as_data_source`): here Pillow opens them,
and makes them of one size, as a network needs.
"""

import contextlib
import os
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np
import tensorflow_datasets as tfds
from jaxtyping import Float, UInt8
from PIL import Image, ImageOps
from sklearn.model_selection import train_test_split
from tensorflow_datasets.core.folder_dataset import image_folder

from nn.data.dataset import Dataset

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff")
FEWEST = 5  # pictures of a class: with fewer there is nothing to train on once some are kept for the test
TEST_SHARE = 0.25
LAYOUT = "DIR/CLASS/*.png (or jpg …), or DIR/train/CLASS/*.png and DIR/test/CLASS/*.png"

# What TFDS asks `tf.io.gfile` for. Names with a dot in front are those of systems: .DS_Store, .ipynb_checkpoints.
FILES = SimpleNamespace(
    listdir=lambda folder: [path.name for path in Path(folder).iterdir() if not path.name.startswith(".")],
    isdir=os.path.isdir,
)


@dataclass(frozen=True)
class ImageFolder:
    """The pictures of a folder, all of one size.

    Attributes:
      train, test: `image` (side, side, 1 or 3) uint8 and `label` () int64; the names of the labels are
        `train.info.features["label"].names`.
      notes: sentences on what was left out, and on how the test set came about.
    """

    train: Dataset
    test: Dataset
    notes: tuple[str, ...]


def read_folder(directory: str | os.PathLike, *, side: int, seed: int = 0) -> ImageFolder:
    """Reads the pictures below a folder: `CLASS/*.png` (jpg, bmp, gif, webp, tif), or `train/` and `test/` above the classes.

    Every picture is made to fit into a square, see `fit_image`. If all of them are grey they have one channel, else three.
    Without a `test/` a quarter of each class is kept for the test, drawn by `seed`. What cannot be opened as a picture is
    left out and named in the notes; other files are counted there.

    Args:
      directory: the folder.
      side: height and width of the pictures that come out, in pixels.
      seed: decides which pictures are for the test, where the folder does not.

    Raises:
      ValueError: there is no such folder, it has no folders of classes, there is one class only, or a class has fewer than 5
        pictures, or none to train on.
    """
    root = Path(directory).expanduser()
    if not root.is_dir():
        raise ValueError(f"read_folder expects a folder, got {directory}.")
    splits = {name for name in ("train", "test") if has_class_folders(root / name)}
    if splits == {"test"}:
        raise ValueError(f"read_folder expects train/ beside test/ in {directory}, got test/ alone.")
    info, found = list_images({name: root / name for name in sorted(splits)} or {"all": root})
    names = list(info.features["label"].names)
    files = [(split, path, names.index(label)) for split, pairs in found.items() for path, label in pairs]
    if not files:
        raise ValueError(f"read_folder expects {LAYOUT}; got {directory}, which has no pictures in folders of classes.")
    if len(names) < 2:
        raise ValueError(f"read_folder expects at least two folders of classes in {directory}, got only {names[0]!r}.")

    paths = [path for _, path, _ in files]
    opened, broken = open_images(paths, side)
    kept = [i for i, image in enumerate(opened) if image is not None]
    split, labels = np.array([files[i][0] for i in kept], str), np.array([files[i][2] for i in kept], np.int64)
    require_enough(directory, names, labels, split, splits)
    pixels = same_channels([image for image in opened if image is not None])
    notes = [note for note in (note_on_broken(broken, len(files), root), note_on_others(root, paths)) if note]
    if "test" in splits:
        train, test = np.flatnonzero(split == "train"), np.flatnonzero(split == "test")
    else:
        train, test = train_test_split(np.arange(len(labels)), test_size=TEST_SHARE, stratify=labels, random_state=seed)
        notes.append(
            f"{root.name} has no test/: {len(test)} of its {len(labels)} pictures, {TEST_SHARE:.0%} of each class (rounded), "
            f"drawn with seed {seed}, are kept for the test."
        )

    def dataset(chosen: np.ndarray) -> Dataset:
        return Dataset.from_arrays({"image": pixels[chosen], "label": labels[chosen]}, info=info)

    return ImageFolder(dataset(np.sort(train)), dataset(np.sort(test)), tuple(notes))


def has_class_folders(folder: Path) -> bool:
    """Whether there is a folder with folders in it. One that holds pictures alone is a class of that name, and no split."""
    return folder.is_dir() and any(path.is_dir() for path in folder.iterdir() if not path.name.startswith("."))


def list_images(folders: Mapping[str, Path]) -> tuple[Any, dict[str, list[tuple[Path, str]]]]:
    """What TFDS's `ImageFolder` says of the folders of classes of each split: its info, and the files with their classes.

    TFDS expects one folder with the splits in it. A folder of links is that, also where there is but one and no name for it.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(mock.patch.object(image_folder, "tf", SimpleNamespace(io=SimpleNamespace(gfile=FILES))))
        stack.enter_context(mock.patch.object(image_folder, "_SUPPORTED_IMAGE_FORMAT", SUFFIXES))
        links = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for split, folder in folders.items():
            (links / split).symlink_to(folder.resolve(), target_is_directory=True)
        builder = tfds.ImageFolder(str(links))
    found = {
        # TFDS shuffles; sorted, the order is that of the names, wherever the folder lies.
        split: sorted((folder / Path(e.image_path).relative_to(links / split), e.label) for e in builder._split_examples[split])
        for split, folder in folders.items()
    }
    return builder.info, found


def open_images(paths: Sequence[Path], side: int) -> tuple[list[UInt8[np.ndarray, "side side channels"] | None], list[Path]]:
    """The pictures of these files, None for one that cannot be opened, and the list of those."""

    def opened(path: Path) -> np.ndarray | None:
        try:
            with Image.open(path) as image:
                image.draft(None, (2 * side, 2 * side))  # a JPEG is decoded at a fraction of its size, and much sooner
                return fit_image(ImageOps.exif_transpose(image), side)
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):  # SyntaxError: a PNG with broken parts
            return None

    with ThreadPoolExecutor() as pool:
        images = list(pool.map(opened, paths))
    return images, [path for path, image in zip(paths, images, strict=True) if image is None]


def fit_image(image: Image.Image, side: int) -> UInt8[np.ndarray, "side side channels"]:
    """A picture shrunk or enlarged to fit into a square, its proportions kept; what is left over gets the colour of its rim.

    Grey pictures have one channel, others three; what is transparent becomes white. 16 bits are divided by 257; a camera's 12
    bits come out dark.

    Args:
      image: of any size and mode.
      side: height and width of the square, in pixels.
    """
    if image.has_transparency_data:
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA")).convert("RGB")
    if image.mode.startswith(("I", "F")):  # 16 or 32 bits: Pillow would cut off all above 255
        values = np.asarray(image, np.float64)
        white = 65535 if image.mode.startswith("I;16") or values.max() > 255 else 255
        image = Image.fromarray(np.uint8(255 * np.clip(values / white, 0, 1)))
    image = image.convert("L" if image.mode in ("1", "L", "LA") else "RGB")
    scale = side / max(image.size)
    image = image.resize([max(1, round(scale * length)) for length in image.size], Image.Resampling.BILINEAR)
    pixels = np.asarray(image).reshape(image.height, image.width, -1)
    square = pixels
    if image.size != (side, side):
        square = np.empty((side, side, pixels.shape[-1]), np.uint8)
        square[:] = np.median(np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]]), axis=0)
        top, left = (side - image.height) // 2, (side - image.width) // 2
        square[top : top + image.height, left : left + image.width] = pixels
    # Many grey pictures are stored in colour: as three times the same.
    return square[..., :1] if (square == square[..., :1]).all() else square


def same_channels(images: Iterable[np.ndarray]) -> UInt8[np.ndarray, "examples side side channels"]:
    """Grey and coloured pictures in one array: all grey with one channel, or all with three."""
    images = list(images)
    channels = max(image.shape[-1] for image in images)
    return np.stack([np.broadcast_to(image, (*image.shape[:-1], channels)) for image in images])


def require_enough(
    directory: str | os.PathLike, names: Sequence[str], labels: np.ndarray, split: np.ndarray, splits: set[str]
) -> None:
    """Raises the ValueError that names each class with too few pictures, and how many it has."""
    counts = np.bincount(labels, minlength=len(names))
    trained_on = np.bincount(labels[split != "test"], minlength=len(names))
    if few := [f"{name!r} has {count}" for name, count in zip(names, counts, strict=True) if count < FEWEST]:
        raise ValueError(f"read_folder expects at least {FEWEST} pictures of each class in {directory}; {', '.join(few)}.")
    if none := [repr(name) for name, count in zip(names, trained_on, strict=True) if count == 0]:
        raise ValueError(f"read_folder expects pictures of each class in {directory}/train; {', '.join(none)} has none.")
    if "test" in splits and not (split == "test").any():
        raise ValueError(f"read_folder expects pictures in {directory}/test that can be opened, got none.")


def note_on_broken(broken: Sequence[Path], files: int, root: Path) -> str:
    """A sentence that names what could not be opened; empty where all could."""
    if not broken:
        return ""
    shown = [str(path.relative_to(root)) for path in broken[:5]]
    more = f" and {len(broken) - len(shown)} more" if len(broken) > len(shown) else ""
    return f"{len(broken)} of the {files} pictures in {root.name} cannot be opened and are left out: {', '.join(shown)}{more}."


def note_on_others(root: Path, read: Sequence[Path]) -> str:
    """A sentence on the files below a folder that were not read, by folder or suffix; empty where there are none."""
    resolved = cache(Path.resolve)  # what lies here may have been read through a link
    known = {resolved(path.parent) / path.name for path in read}
    others = [path for path in files_below(root) if resolved(path.parent) / path.name not in known]
    if not others:
        return ""
    folders_read = {folder for path in read for folder in path.parents}

    def kind(path: Path) -> str:
        unread = next((folder for folder in reversed(path.parents) if folder not in folders_read), None)
        return f"in {unread.relative_to(root)}/" if unread else f"× {path.suffix or 'no suffix'}"

    listed = ", ".join(f"{count} {kind}" for kind, count in Counter(map(kind, others)).most_common(4))
    counted = "1 other file in {} is" if len(others) == 1 else f"{len(others)} other files in {{}} are"
    return f"{counted.format(root.name)} not read ({listed})."


def files_below(root: Path) -> list[Path]:
    """The files below a folder and its links, each folder once. Names with a dot in front are left out, as in `FILES`."""
    files, visited = [], set()
    for folder, folders, names in os.walk(root, followlinks=True):
        place = os.path.realpath(folder)
        folders[:] = sorted(name for name in folders if not name.startswith(".") and place not in visited)
        if place not in visited:  # a link may lead back up
            files += [Path(folder) / name for name in sorted(names) if not name.startswith(".")]
        visited.add(place)
    return files


def as_floats(images: UInt8[np.ndarray, "examples side side channels"], channels: int) -> Float[np.ndarray, "examples ..."]:
    """Pixels from 0 to 1 with this many channels: a grey picture becomes a coloured one whose colours are equal."""
    return np.broadcast_to(images.astype(np.float32) / 255, (*images.shape[:-1], channels)).copy()
