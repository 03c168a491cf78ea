"""Where data sets lie on disk, and how they get there whole.

A set is written beside its place and renamed into it when it is complete, under a lock that the system releases when a
process dies: a reader finds all of it or nothing, however many processes prepare it and whichever of them is killed.
"""

import contextlib
import difflib
import fcntl
import io
import os
import pwd
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

# Made from installed packages, without a network.
OURS = ("digits", "mnist_5k", "glyphs", "animals", "sunspots", "co2", "country_names", "english_ukrainian", "python_topics")
# Ours too, but made from a package that is fetched: see `nn.data.packages`.
FETCHED = ("mail",)


class DataNotPreparedError(RuntimeError):
    """A data set is not in the data directory and cannot be put there. The message says what to do."""


def data_directory(data_dir: str | Path | None = None) -> Path:
    """`data_dir`, else the environment's NN_DATA_DIR, else TFDS's own: TFDS_DATA_DIR or ~/tensorflow_datasets.

    Raises:
      DataNotPreparedError: nothing of these is given, and there is no home directory.
    """
    chosen = data_dir or os.environ.get("NN_DATA_DIR") or os.environ.get("TFDS_DATA_DIR")
    if chosen:
        return Path(chosen).expanduser().absolute()
    try:
        home = os.environ.get("HOME") or pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        raise DataNotPreparedError("There is no home directory to keep data in: set NN_DATA_DIR to a folder.") from None
    return Path(home).absolute() / "tensorflow_datasets"


def is_prepared(name: str, *, data_dir: str | Path | None = None) -> bool:
    """Whether the set lies whole in the data directory. Raises ValueError for an unknown name."""
    return find(name, data_directory(data_dir)) is not None


def prepare(name: str, *, data_dir: str | Path | None = None) -> Path:
    """Put a data set into the data directory, if it is not there: ours are made, others are downloaded by TFDS.

    Any number of processes may prepare a set at the same time; one does it, the others wait.

    Returns:
      The folder of the set.

    Raises:
      ValueError: the name is neither ours nor TFDS's.
      DataNotPreparedError: it cannot be downloaded or written.
    """
    return Path(ready(name, data_directory(data_dir)).data_path)


def ready(name: str, root: Path, maker: Callable[[str, Path], Any] | None = None) -> Any:
    """The `tfds.core.DatasetBuilder` of a set that is whole on disk, prepared now where it was not, by `maker` or as usual."""
    builder = find(name, root)
    if builder is None:  # a set that is there is read without the lock, also from a directory that cannot be written
        with lock(name, root):
            builder = find(name, root)  # perhaps another process has prepared it meanwhile
            if builder is None:
                builder = (maker or make_or_download)(name, root)
    return builder


def make_or_download(name: str, root: Path) -> Any:
    """Prepare a set in the usual way: ours are made, TFDS's are downloaded."""
    if name in FETCHED:
        raise DataNotPreparedError(
            f"{name} is not prepared in the data directory {root}: run `python -m nn.data fetch {name}`."
        )
    return make(name, root) if name in OURS else download(name, root)


def find(name: str, root: Path) -> Any | None:
    """The builder of a set that is whole on disk, or None. Raises ValueError for an unknown name."""
    try:
        builder = open_builder(name, root)
    except FileNotFoundError:  # its folder has no dataset_info.json
        return None
    shards = [path for split in builder.info.splits.values() for path in split.filepaths]
    return builder if shards and all(path.exists() for path in shards) else None


def open_builder(name: str, root: Path) -> Any:
    """The TFDS builder of one of our names or of TFDS's. Its set need not be on disk.

    Raises:
      ValueError: the name is unknown.
      DataNotPreparedError: TFDS's builder needs a module that is not installed, as some need TensorFlow; or the set
        is stored in a format that only TensorFlow reads.
      FileNotFoundError: the set's folder is there, without what TFDS writes last.
    """
    import tensorflow_datasets as tfds
    from tensorflow_datasets.core.read_only_builder import builder_from_files
    from tensorflow_datasets.core.registered import DatasetNotFoundError

    from nn.data.catalogue import BUILDERS, FROM_PACKAGES

    builders = BUILDERS | FROM_PACKAGES
    try:
        if name in builders:
            return builders[name](data_dir=root, file_format="array_record")
        return tfds.builder(name, data_dir=root, file_format="array_record")
    except DatasetNotFoundError:
        known = [*OURS, *FETCHED, *tfds.list_builders(with_community_datasets=False)]
        close = difflib.get_close_matches(name, known, n=3)
        raise ValueError(
            f"{name!r} is not a data set: "
            + (f"did you mean {' or '.join(close)}? " if close else "")
            + f"Ours are {', '.join(OURS)}; other names are those of TensorFlow Datasets."
        ) from None
    except (ValueError, AssertionError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        if "File format is already set" in reason:
            raise DataNotPreparedError(
                f"{name} in {root} is stored in a format that only TensorFlow reads, where array_record is expected: "
                "choose another data directory, or delete the set's folder to have it prepared again."
            ) from None
        raise ValueError(f"{name!r} is not a data set of TensorFlow Datasets: {reason}.") from None
    except ImportError as error:
        # TFDS needs the builder's modules to prepare a set, not to read one.
        with contextlib.suppress(DatasetNotFoundError):
            return builder_from_files(name, data_dir=root)
        raise not_prepared(name, root, f"preparing it needs {error.name or 'TensorFlow'}, which is not here") from None


@contextlib.contextmanager
def lock(name: str, root: Path) -> Iterator[None]:
    """Hold the set's lock. The system gives it back when the process ends, killed or not; the file stays."""
    try:
        root.mkdir(parents=True, exist_ok=True)
        file = (root / f".{name.replace('/', '-')}.lock").open("w")
    except OSError as error:
        raise DataNotPreparedError(
            f"{name} is not prepared, and the data directory {root} cannot be written ({error.strerror}): "
            "set NN_DATA_DIR to a folder that can, or pass data_dir."
        ) from None
    with file:
        # Some network folders have no locks. There one of two processes may fail, but still none reads half a set.
        with contextlib.suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def make(name: str, root: Path, *, files: Path | None = None) -> Any:
    """Prepare one of our sets, quietly: it takes seconds. `files` is the folder of what one of `FETCHED` is made from."""
    import tensorflow_datasets as tfds

    from nn.data.catalogue import BUILDERS, FROM_PACKAGES

    builder = (BUILDERS | FROM_PACKAGES)[name]
    # What a killed process has left. We hold the lock, so nobody is writing there.
    shutil.rmtree(root / name / str(builder.VERSION), ignore_errors=True)
    for unfinished in (root / name).glob("incomplete.*"):
        shutil.rmtree(unfinished, ignore_errors=True)
    made = open_builder(name, root)
    try:
        with quiet():
            made.download_and_prepare(download_config=tfds.download.DownloadConfig(manual_dir=files) if files else None)
    except OSError as error:
        raise DataNotPreparedError(f"{name} cannot be written to {root}: {error}.") from None
    return made


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without TFDS's progress bars and announcements."""
    from tensorflow_datasets.core.utils import tqdm_utils

    active = tqdm_utils._active
    tqdm_utils.display_progress_bar(enable=False)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        tqdm_utils.display_progress_bar(enable=active)


def download(name: str, root: Path) -> Any:
    """Prepare a stock set of TFDS, or say in a sentence why not and what to do."""
    from nn.data import stock

    try:
        builder = open_builder(name, root)
        if Path(builder.data_path).exists():  # and yet `find` did not take it
            raise DataNotPreparedError(f"{name} lacks files: delete {builder.data_path}, and prepare it again.")
        stock.download_and_prepare(builder)
    except FileNotFoundError as error:
        if "dataset_info" not in str(error):
            raise
        raise DataNotPreparedError(f"{name} lacks files: delete {root / name}, and prepare it again.") from None
    except stock.NETWORK_ERRORS as error:
        raise not_prepared(name, root, f"it cannot be downloaded ({type(error).__name__})") from None
    except ModuleNotFoundError as error:
        raise not_prepared(name, root, f"preparing it needs {error.name}, which is not here") from None
    return builder


def not_prepared(name: str, root: Path, reason: str, *, command: str = "prepare") -> DataNotPreparedError:
    """The error that says how to bring the set from another machine."""
    return DataNotPreparedError(
        f"{name} is not prepared in the data directory {root}, and {reason}: on a machine where that is no hindrance, run "
        f"`python -m nn.data {command} {name} --data-dir FOLDER`, and copy FOLDER/{name.split('/')[0]} into {root}."
    )
