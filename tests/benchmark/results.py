"""Keep what is measured from round to round, so that a run that fails or is stopped leaves its results so far."""

import json
from pathlib import Path
from typing import Any

from exchange_site.stack.environment import data_dir


def keep(found: dict[str, Any]) -> Path:
    """Write the results of a piece below DATA_DIR, in the place of its last ones. Return the file."""
    file = data_dir() / "benchmark" / "results.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    kept: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    unfinished = file.with_suffix(".unfinished")
    unfinished.write_text(json.dumps(merge(kept, found), indent=1) + "\n")
    unfinished.replace(file)  # whole, also if the run is stopped just now
    return file


def merge(kept: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    """Return the kept results with the found pieces in the place of the same pieces, and each history in its own."""
    growth = {**kept.get("growth", {}), **found.get("growth", {})}
    return {**kept, **found, **({"growth": growth} if growth else {})}
