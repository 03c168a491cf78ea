"""Your own pictures: a folder for each class, read as the sets of TensorFlow Datasets (TFDS) are.

The tree is walked by TFDS's own `ImageFolder`, which finds the splits, the classes and the files. What it does not do without
TensorFlow is to open them (its `as_dataset` is a `tf.data` pipeline, and it has no `as_data_source`): here Pillow opens them,
and makes them of one size, as a network needs.
"""

import contextlib
import difflib
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
VALIDATION = ("val", "valid", "validation")  # what stands in for test/ where there is none

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


class UnknownWhiteError(ValueError):
    """A picture whose numbers do not say which of them is white."""


def read_folder(directory: str | os.PathLike, *, side: int, seed: int = 0) -> ImageFolder:
    """Reads the pictures below a folder: `CLASS/*.png` (jpg, bmp, gif, webp, tif), or `train/` and `test/` above the classes.

    Every picture is made to fit into a square, see `fit_image`. If all of them are grey they have one channel, else three.
    `train` and `test` may have capitals. Without a `test/` beside it, a `val/`, `valid/` or `validation/` is the test, and
    where there is none of these, a quarter of each class is kept for it, drawn by `seed`. What cannot be opened as a picture
    is left out and named in the notes; other files are counted there.

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
        raise ValueError(f"{directory} is not a folder: {what_is_near(root)}")
    splits = find_splits(root)
    if "test" in splits and "train" not in splits:
        raise ValueError(f"{directory} has {splits['test'].name}/ and no train/ beside it; expected {LAYOUT}.")
    info, found = list_images(splits or {"all": root})
    names = list(info.features["label"].names)
    files = [(split, path, names.index(label)) for split, pairs in found.items() for path, label in pairs]
    if not files:
        raise ValueError(f"{directory} has no pictures in folders of classes; expected {LAYOUT}.")
    if len(names) < 2:
        raise ValueError(f"{directory} has the folder of one class only, {names[0]!r}; expected at least two.")

    paths = [path for _, path, _ in files]
    opened, broken = open_images(paths, side)
    readable = [i for i, image in enumerate(opened) if image is not None]
    split, labels = np.array([files[i][0] for i in readable], str), np.array([files[i][2] for i in readable], np.int64)
    left_out = note_on_broken(broken, len(files), root)
    try:
        require_enough(directory, names, labels, split, splits)
    except ValueError as error:
        raise ValueError(f"{error} {left_out}".rstrip()) from None
    pixels = same_channels([image for image in opened if image is not None])
    notes = [note for note in (left_out, note_on_others(root, paths)) if note]
    if "test" in splits:
        train, test = np.flatnonzero(split == "train"), np.flatnonzero(split == "test")
        folder = f"{splits['test'].name}/"
        if splits["test"].name.lower() in VALIDATION:
            notes.append(f"{root.name} has no test/: the pictures in {folder} are the test.")
        if untested := [repr(name) for i, name in enumerate(names) if i not in labels[test]]:
            notes.append(f"{root.name} has no picture of {listed(untested)} in {folder}: not tested.")
    else:
        train, test = train_test_split(np.arange(len(labels)), test_size=TEST_SHARE, stratify=labels, random_state=seed)
        notes.append(
            f"{root.name} has no test/: {len(test)} of its {len(labels)} pictures, {TEST_SHARE:.0%} of each class (rounded), "
            f"drawn with seed {seed}, are kept for the test."
        )

    def dataset(chosen: np.ndarray) -> Dataset:
        return Dataset.from_arrays({"image": pixels[chosen], "label": labels[chosen]}, info=info)

    return ImageFolder(dataset(np.sort(train)), dataset(np.sort(test)), tuple(notes))


def what_is_near(path: Path) -> str:
    """What there is instead of a folder that is not there: where it was looked for, and the names most like its own."""
    place = path.absolute()
    if place.exists():
        return f"{place} is a file."
    parent = next(folder for folder in place.parents if folder.is_dir())
    wanted = place.relative_to(parent).parts[0]
    there = {folder.name.lower(): folder.name for folder in parent.iterdir() if folder.is_dir()}
    close = [there[name] for name in difflib.get_close_matches(wanted.lower(), sorted(there), cutoff=0.7)]
    guess = f"; did you mean {' or '.join(close)}?" if close else "."
    return f"{parent} has no folder {wanted}{guess}"


def find_splits(root: Path) -> dict[str, Path]:
    """The folders "train" and "test" below a folder, in capitals or not; without a test, that of the validation.

    A folder that holds pictures alone is a class of that name, and no split.

    Raises:
      ValueError: there are two for one split, such as `Test/` and `test/`.
    """
    found: dict[str, Path] = {}
    for folder in sorted(root.iterdir()):
        name = folder.name.lower()
        if name in ("train", "test", *VALIDATION) and has_class_folders(folder):
            if name in found:
                raise ValueError(f"{root} has {found[name].name}/ and {folder.name}/; expected one of them.")
            found[name] = folder
    splits = {name: found[name] for name in ("train", "test") if name in found}
    stand_ins = [found[name] for name in VALIDATION if name in found]
    if "train" in splits and "test" not in splits and stand_ins:
        splits["test"] = stand_ins[0]
    return splits


def has_class_folders(folder: Path) -> bool:
    """Whether there is a folder with folders in it."""
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


def open_images(
    paths: Sequence[Path], side: int
) -> tuple[list[UInt8[np.ndarray, "side side channels"] | None], dict[Path, str]]:
    """The pictures of these files, None for one that cannot be read; and those files, with the reason where it is known."""

    def opened(path: Path) -> np.ndarray | str:
        try:
            with Image.open(path) as image:
                image.draft(None, (2 * side, 2 * side))  # a JPEG is decoded at a fraction of its size, and much sooner
                return fit_image(ImageOps.exif_transpose(image), side)
        except UnknownWhiteError as error:
            return str(error)
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):  # SyntaxError: a PNG with broken parts
            return ""

    with ThreadPoolExecutor() as pool:
        read = list(pool.map(opened, paths))
    broken = {path: reason for path, reason in zip(paths, read, strict=True) if isinstance(reason, str)}
    return [None if isinstance(image, str) else image for image in read], broken


def fit_image(image: Image.Image, side: int) -> UInt8[np.ndarray, "side side channels"]:
    """A picture shrunk or enlarged to fit into a square, its proportions kept; what is left over gets the colour of its rim.

    Grey pictures have one channel, others three; what is transparent becomes white. 16 bits are divided by 257; a camera's 12
    bits come out dark. Floats are taken for shares of white.

    Args:
      image: of any size and mode.
      side: height and width of the square, in pixels.

    Raises:
      UnknownWhiteError: the picture has floats outside [0, 1], or integers of 32 bits.
    """
    if image.has_transparency_data:
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA")).convert("RGB")
    if image.mode.startswith(("I", "F")):  # 16 or 32 bits: Pillow would cut off all above 255
        image = Image.fromarray(np.uint8(np.rint(255 * shares_of_white(image))))
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


def shares_of_white(image: Image.Image) -> Float[np.ndarray, "height width"]:
    """The values of a grey picture of 16 bits or of floats, from 0 to 1, scaled by their type and never by what is in them."""
    values = np.asarray(image, np.float64)
    if image.mode.startswith("I;16"):
        return values / 65535
    if image.mode == "F" and values.min() >= 0 and values.max() <= 1:  # false for NaN, too
        return values
    kind = "floats" if image.mode == "F" else "integers of 32 bits"
    raise UnknownWhiteError(
        f"{kind} from {values.min():.4g} to {values.max():.4g}; expected 8 or 16 bits, or floats from 0 to 1"
    )


def same_channels(images: Iterable[np.ndarray]) -> UInt8[np.ndarray, "examples side side channels"]:
    """Grey and coloured pictures in one array: all grey with one channel, or all with three."""
    images = list(images)
    channels = max(image.shape[-1] for image in images)
    return np.stack([np.broadcast_to(image, (*image.shape[:-1], channels)) for image in images])


def require_enough(
    directory: str | os.PathLike, names: Sequence[str], labels: np.ndarray, split: np.ndarray, splits: Mapping[str, Path]
) -> None:
    """Raises the ValueError that names each class with too few pictures, and how many it has."""
    counts = np.bincount(labels, minlength=len(names))
    trained_on = np.bincount(labels[split != "test"], minlength=len(names))
    if "test" in splits:
        train, test = (f"{splits[name].name}/" for name in ("train", "test"))
        if none := [repr(name) for name, n, all_of_it in zip(names, trained_on, counts, strict=True) if n == 0 < all_of_it]:
            raise ValueError(
                f"{directory} has no picture of {listed(none)} in {train}, and some in {test}; expected some in both."
            )
        if not (split == "test").any():
            raise ValueError(f"{directory} has no pictures in {test} that can be opened; expected some.")
    if few := [f"{name!r} has {count}" for name, count in zip(names, counts, strict=True) if count < FEWEST]:
        raise ValueError(f"{directory} has too few pictures of a class: {listed(few)}; expected at least {FEWEST} of each.")


def listed(words: Sequence[str]) -> str:
    """a, b and c."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def note_on_broken(broken: Mapping[Path, str], files: int, root: Path) -> str:
    """A sentence that names what could not be read, with the reason where it is known; empty where all could."""
    if not broken:
        return ""
    entries = [f"{path.relative_to(root)}{f' ({reason})' if reason else ''}" for path, reason in list(broken.items())[:5]]
    more = f" and {len(broken) - len(entries)} more" if len(broken) > len(entries) else ""
    left_out = "is left out" if len(broken) == 1 else "are left out"
    return f"{len(broken)} of the {files} pictures in {root.name} cannot be read and {left_out}: {', '.join(entries)}{more}."


def note_on_others(root: Path, read: Sequence[Path]) -> str:
    """A sentence on the files below a folder that were not read, by folder, suffix or name; empty where there are none."""
    resolved = cache(Path.resolve)  # what lies here may have been read through a link
    known = {resolved(path.parent) / path.name for path in read}
    others = [path for path in files_below(root) if resolved(path.parent) / path.name not in known]
    if not others:
        return ""
    folders_read = {folder for path in read for folder in path.parents}

    def kind(path: Path) -> str:
        unread = next((folder for folder in reversed(path.parents) if folder not in folders_read), None)
        return f"in {unread.relative_to(root)}/" if unread else f"× {path.suffix or 'no suffix'}"

    kinds = Counter(map(kind, others))
    alone = {kind(path): path.relative_to(root).as_posix() for path in others if kinds[kind(path)] == 1}
    listed = ", ".join(
        alone[kind] if count == 1 and kind.startswith("×") else f"{count} {kind}" for kind, count in kinds.most_common(4)
    )
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
