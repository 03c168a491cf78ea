"""Building and executing notebooks with Jupytext and nbclient, each in a kernel of this very Python.

A lesson's claims hold only if its cells were run in order in a fresh kernel; what is committed is what that run showed,
less whatever would differ from one run to the next.
"""

import base64
import hashlib
import io
import json
import os
import re
import tempfile
import time
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from lessons import bootstrap
from lessons.notebooks import Lesson, oversize


class JupyterMissing(ImportError):
    """Jupytext, nbclient or ipykernel is not installed; all but building and executing works without them."""

    def __init__(self) -> None:
        super().__init__('Executing lessons needs Jupyter: `make notebooks`, or pip install -e ".[lessons]" in the clone.')


@dataclass
class Run:
    """One execution of a lesson: seconds, the notebook with its outputs, the failure in a few lines, warnings seen."""

    notebook: Any
    seconds: float = 0.0
    failure: str | None = None
    warnings: list[str] = field(default_factory=list)


def convert(lesson: Lesson) -> Any:
    """The lesson's source as an unexecuted notebook; cell ids come from the cells' contents.

    Raises:
      JupyterMissing: the `lessons` extra is not installed.
    """
    try:
        import jupytext
    except ModuleNotFoundError as error:
        raise JupyterMissing from error
    notebook = jupytext.reads(lesson.text, fmt="py:percent")
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
        "source_sha256": lesson.digest,
    }
    ids: set[str] = set()
    for cell in notebook.cells:
        cell.metadata, identity = {}, cell.source
        while (name := hashlib.sha256(identity.encode()).hexdigest()[:8]) in ids:
            identity += "\n"  # the same text twice still needs two names
        ids.add(name)
        cell["id"] = name
    return notebook


def execute(lesson: Lesson, notebook: Any = None, *, limit: float = 600.0) -> Run:
    """Run a lesson's cells in order in a new kernel, in the repository's root, and stop at the first error.

    The kernel is this Python, whatever kernels are installed; it reads no one's IPython profile, and draws inline
    whatever MPLBACKEND says. JAX finds its devices as it would in a shell.

    Args:
      notebook: an nbformat notebook with the lesson's cells, its outputs to be replaced; by default the built one.
      limit: seconds after which the run counts as failed.

    Raises:
      JupyterMissing: the `lessons` extra is not installed.
    """
    try:
        import nbformat
        from ipykernel.kernelspec import get_kernel_dict
        from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
        from jupyter_client.manager import AsyncKernelManager
        from nbclient import NotebookClient
        from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
        from traitlets import default
    except ModuleNotFoundError as error:
        raise JupyterMissing from error

    class ThisPython(KernelSpecManager):
        def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
            return KernelSpec(**get_kernel_dict())

    class ThisPythonKernel(AsyncKernelManager):
        @default("kernel_spec_manager")
        def this_python(self) -> KernelSpecManager:
            return ThisPython()

    notebook = notebook or nbformat.read(lesson.notebook, as_version=4)
    run, current, start = Run(notebook), 0, time.monotonic()

    def note(cell: Any, cell_index: int) -> None:
        nonlocal current
        current = cell_index

    client = NotebookClient(
        notebook,
        kernel_name="python3",
        kernel_manager_class=ThisPythonKernel,
        record_timing=False,
        timeout_func=lambda cell: max(1, int(start + limit - time.monotonic())),
        on_cell_start=note,
        resources={"metadata": {"path": str(lesson.source.parent.parent)}},
    )
    client.log.disabled = True  # it repeats what is said below
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile,
        tempfile.TemporaryFile("w+", errors="replace") as words,  # what the kernel itself says: read if it dies
    ):
        environment = {key: value for key, value in os.environ.items() if key != "MPLBACKEND"}
        try:
            client.execute(env={**environment, "IPYTHONDIR": profile}, stderr=words)
        except CellExecutionError as error:
            run.failure = _failure(lesson, current, error.ename, error.evalue, error.traceback)
        except CellTimeoutError:
            run.failure = f"{lesson.where(current)}\n  still running after {limit:.0f} s, the time limit"
        except DeadKernelError:
            words.seek(0)
            last = [line.strip() for line in words.read().splitlines()[-3:]]
            run.failure = "\n  ".join([lesson.where(current), "the kernel died here (out of memory?)", *last])
    run.seconds = time.monotonic() - start
    for index, cell in enumerate(notebook.cells):
        for output in cell.get("outputs", []):
            if output.output_type == "stream" and output.name == "stderr":
                seen = re.findall(r"\w*Warning: .*", output.text)
                run.warnings += [f"{lesson.where(index)}\n  {warning}" for warning in seen]
    return run


def _failure(lesson: Lesson, index: int, kind: str, message: str, traceback: str) -> str:
    """Where a cell failed, the line that failed, and the error: three lines instead of a page of traceback."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", traceback)
    found = re.search(r"Cell In\[\d+\], line (\d+)", plain)
    line = int(found.group(1)) if found else 1
    source = lesson.cells[index].text.splitlines()
    culprit = source[line - 1].strip() if found and line <= len(source) else ""
    return "\n  ".join(filter(None, [lesson.where(index, line), culprit, f"{kind}: {message}".strip()[:600]]))


def tidy(notebook: Any) -> None:
    """Leave what a reader wants and what every run repeats: no progress bars, no stderr, small pictures."""
    notebook.metadata["language_info"] = {"name": "python"}
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        kept: list[Any] = []
        for output in cell.outputs:
            data = output.get("data", {})
            if output.get("name") == "stderr" or "application/vnd.jupyter.widget-view+json" in data:
                continue
            if "image/png" in data:
                data["image/png"] = smaller_png(data["image/png"])
                output.metadata = {}
            if output.output_type == "stream" and kept and kept[-1].output_type == "stream":
                kept[-1].text += output.text  # where the kernel cut the text is chance
            else:
                kept.append(output)
        for output in kept:
            if output.output_type == "stream":
                # A progress bar writes over its own line; what the line said last is what it says.
                lines = output.text.replace("\r\n", "\n").split("\n")
                output.text = "\n".join(line.rstrip("\r").rsplit("\r", 1)[-1] for line in lines)
        cell.outputs = kept
        cell.metadata = {}


def smaller_png(encoded: str) -> str:
    """A base64 PNG with at most 256 colours and without metadata, or the same PNG where that is no smaller."""
    image = Image.open(io.BytesIO(base64.b64decode(encoded))).convert("RGBA")
    flat = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    packed = io.BytesIO()
    flat.quantize(256, dither=Image.Dither.NONE).save(packed, "png", optimize=True)
    small = base64.b64encode(packed.getvalue()).decode()
    return min(small, encoded, key=len)


def build(lesson: Lesson, *, limit: float = 600.0) -> Run:
    """Write the bootstrap cell into the source where it is missing or old, execute the lesson, write its notebook.

    Nothing is written to the notebook when a cell fails or the result is too large; `failure` then says which.
    """
    refresh_bootstrap(lesson)
    lesson = Lesson(lesson.source)  # read the file again
    run = execute(lesson, convert(lesson), limit=limit)
    if run.failure:
        return run
    tidy(run.notebook)
    content = (json.dumps(run.notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n").encode()
    if too_large := oversize(lesson, content):
        run.failure = too_large[0]
        return run
    temporary = lesson.notebook.with_suffix(f".{os.getpid()}.tmp")
    try:
        temporary.write_bytes(content)
        temporary.replace(lesson.notebook)
    finally:
        temporary.unlink(missing_ok=True)
    return run


def refresh_bootstrap(lesson: Lesson) -> None:
    """Make the source's first code cell the bootstrap cell: replace an older one, or put it before the first."""
    wanted = bootstrap.cell(lesson.source.parent.parent)
    first = next((cell for cell in lesson.cells if cell.kind == "code"), None)
    if first is None or first.text == wanted:
        return
    if first.text.splitlines()[:1] == wanted.splitlines()[:1]:
        text = lesson.text.replace(first.text, wanted, 1)
    else:
        text = lesson.text.replace("\n# %%\n", f"\n# %%\n{wanted}\n\n# %%\n", 1)
    lesson.source.write_text(text, encoding="utf-8")
