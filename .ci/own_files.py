"""List the project's own files: a part of other scripts."""  # noqa: INP001  a script's part

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_HIDDEN_OF_OURS: Final = {".ci", ".github"}
_OF_TOOLS: Final = {"__pycache__", "node_modules", "htmlcov", "staticfiles"}
_MARKS_OF_ENVIRONMENTS: Final = ("pyvenv.cfg", "conda-meta")


def list_own_files(root: Path, *endings: str) -> list[Path]:
    """Return the files with one of these endings, relative to the project's folder, in order.

    They are those that git knows; a new file counts once it is added. Without git, or outside of a repository, they are
    all but those of tools and virtual environments, which may have any name.
    """
    known = _list_known(root)
    found = _list_all(root) if known is None else known
    return sorted(path for path in found if path.name.endswith(endings) and (root / path).exists())


def _list_known(root: Path) -> list[Path] | None:
    command = ["git", "ls-files", "-z"]
    try:
        listed = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)  # noqa: S603  the installed git
    except (OSError, subprocess.CalledProcessError):
        return None
    return [Path(name) for name in listed.stdout.split("\0") if name] or None


def _list_all(root: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(root):
        place = Path(folder)
        folders[:] = [name for name in folders if _is_ours(place / name)]
        yield from ((place / name).relative_to(root) for name in names)


def _is_ours(folder: Path) -> bool:
    if folder.name in _OF_TOOLS or (folder.name.startswith(".") and folder.name not in _HIDDEN_OF_OURS):
        return False
    return not any((folder / mark).exists() for mark in _MARKS_OF_ENVIRONMENTS)
