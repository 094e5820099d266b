"""Python environments for code that needs other packages than the project: made once, below DATA_DIR."""

import sys
from pathlib import Path

from clients.make import CannotMake, environment, install_python
from exchange_site.stack.environment import data_dir
from exchange_site.stack.processes import PROJECT
from tests.benchmark.load import BenchmarkFailed


def prepare_python(*, name: str, requirements: Path) -> str:
    """Return a Python like this one that has exactly the pinned packages. Raises BenchmarkFailed."""
    try:
        with environment(name, pins=requirements, below=data_dir() / "benchmark") as place:
            if not (place / "made").exists():
                install_python(requirements, place=place)
            return str(place / "bin" / "python")
    except CannotMake as error:
        raise BenchmarkFailed(str(error)) from error


def python_of(tree: Path) -> str:
    """Return a Python with the packages of a revision: this one, if it needs the same. Raises BenchmarkFailed."""
    needed = tree / "requirements.txt"
    if needed.read_bytes() == (PROJECT / "requirements.txt").read_bytes():
        return sys.executable
    return prepare_python(name="revision", requirements=needed)
