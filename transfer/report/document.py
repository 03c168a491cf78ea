"""A report as files: `report.json` for machines, `report.html` for people, the figures as PNG.

Why every file is written beside its place and then renamed: a run that is killed leaves the old report or the new one,
never half of one.
"""

import io
import json
import math
import os
import tempfile
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from transfer.report.environment import environment
from transfer.report.figures import accuracy_figure, difference_figure
from transfer.report.outcomes import outcomes
from transfer.report.page import html_page
from transfer.report.results import Method, Result, Results, Section
from transfer.report.statistics import LEVEL
from transfer.report.wording import summary

SCHEMA = 1


def write_report(results: Results, directory: str | os.PathLike) -> Path:
    """Write `report.json`, `report.html`, `accuracy.png` and `differences.png`; the directory is made if missing.

    In the JSON, accuracies and differences are shares (0.01 is one point), wall_time is in seconds, and an end that an
    interval does not have is null.

    Returns:
      The path of `report.html`.

    Raises:
      ValueError: where no seed finished; nothing is written then.
      OSError: where the directory cannot be written.
    """
    record = _record(results)
    figures = {"accuracy": accuracy_figure(results)}
    if record["comparisons"]:
        figures["differences"] = difference_figure(results)
    pictures = {name: _png(figure) for name, figure in figures.items()}
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    for name, picture in pictures.items():
        write_whole(directory / f"{name}.png", picture)
    write_whole(directory / "report.html", html_page(results, record, pictures).encode())
    write_whole(directory / "report.json", (json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode())
    return directory / "report.html"


def set_aside(results: Results, directory: str | os.PathLike) -> Path | None:
    """Gives the report in a directory another name, unless these results are of the same plan and have all of its seeds.

    Returns:
      Where `report.html` is now, named after the moment it was made; None where nothing was moved.

    Raises:
      OSError: where a file cannot be renamed.
    """
    directory = Path(directory)
    try:
        record = json.loads((directory / "report.json").read_text(encoding="utf-8"))
        plan = (record["configuration"], record["settings"], [method["name"] for method in record["methods"]])
        seeds, made = set(record["seeds"]["finished"]), datetime.fromisoformat(record["date"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):  # there is none, or not one of ours
        return None
    same = plan == (results.configuration, list(results.settings), [method.name for method in results.methods])
    if same and seeds <= set(results.finished):
        return None
    for path in (directory / "report.html", directory / "report.json"):
        if path.exists():
            path.replace(path.with_stem(f"report-{made:%Y%m%d-%H%M%S}"))
    return directory / f"report-{made:%Y%m%d-%H%M%S}.html"


def read_report(path: str | os.PathLike) -> Results:
    """The results behind a `report.json` (or the directory that holds one), every number bit for bit as it was.

    Raises:
      ValueError: where the file is no report, or one of a later schema.
      FileNotFoundError: where there is no file.
    """
    path = Path(path)
    path = path / "report.json" if path.is_dir() else path
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"read_report expects JSON in {path}, got something else: {error}.") from None
    schema = record.get("schema") if isinstance(record, dict) else None
    if schema != SCHEMA:
        raise ValueError(f"read_report expects a report of schema {SCHEMA} in {path}, got schema {schema!r}.")
    plain = ("experiment", "title", "question", "setting_name", "baseline", "configuration", "command", "wall_time")
    return Results(
        **{name: record[name] for name in plain},
        settings=tuple(record["settings"]),
        methods=tuple(Method(**method) for method in record["methods"]),
        seeds=tuple(record["seeds"]["requested"]),
        records=[Result(**result) for result in record["results"]],
        # Reports of earlier versions have none of these.
        details={name: {int(seed): v for seed, v in seeds.items()} for name, seeds in record.get("details", {}).items()},
        answer=record.get("answer", ""),
        sections=tuple(Section(**section) for section in record.get("sections", ())),
    )


def _record(results: Results) -> dict[str, Any]:
    rows = outcomes(results)
    return {
        "schema": SCHEMA,
        "experiment": results.experiment,
        "title": results.title,
        "question": results.question,
        "answer": results.answer,
        "summary": summary(results),
        "setting_name": results.setting_name,
        "settings": list(results.settings),
        "baseline": results.baseline,
        "methods": [asdict(method) for method in results.methods],
        "seeds": {"requested": list(results.seeds), "finished": list(results.finished)},
        "partial": results.partial,
        "level": LEVEL,
        "accuracies": [{"setting": row.setting, "method": row.method.name, **_finite(asdict(row.accuracy))} for row in rows],
        "comparisons": [
            {
                "setting": row.setting,
                "method": row.method.name,
                "reference": row.reference,
                **_finite(asdict(row.comparison)),
                "p_holm": row.p_holm,
                "verdict": row.comparison.verdict,
            }
            for row in rows
            if row.comparison
        ],
        "results": [asdict(record) for record in results.records],
        "details": results.details,
        "sections": [asdict(section) for section in results.sections],
        "configuration": results.configuration,
        "command": results.command,
        "wall_time": results.wall_time,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "environment": environment(),
    }


def _finite(numbers: dict[str, Any]) -> dict[str, Any]:
    """JSON has no infinity: an end that an interval does not have becomes null."""
    return {name: None if isinstance(value, float) and not math.isfinite(value) else value for name, value in numbers.items()}


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=160, metadata={"Software": None})
    return buffer.getvalue()


def write_whole(path: Path, content: bytes) -> None:
    """Write beside, flush to the disk, rename: readers see the old file or the new one."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)  # mkstemp makes files that others may not read; a report is there to be shared
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
