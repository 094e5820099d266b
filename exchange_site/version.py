"""The release's number, which pyproject.toml alone holds."""

import tomllib
from pathlib import Path
from typing import Final

_PROJECT: Final = Path(__file__).resolve().parents[1] / "pyproject.toml"

VERSION: Final[str] = tomllib.loads(_PROJECT.read_text())["project"]["version"]
