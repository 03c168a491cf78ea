"""What was found, kept by name in a file of JSON beside what was found before."""

import json
from pathlib import Path
from typing import Any


def read(path: Path) -> dict[str, Any]:
    """What a file holds; nothing, if there is none."""
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def write(path: Path, found: dict[str, Any]) -> None:
    """The file, complete or not at all."""
    unfinished = path.with_suffix(f"{path.suffix}.part")
    unfinished.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    unfinished.replace(path)
