"""Write the locks of pyproject.toml's dependencies, requirements*.txt, with hashes: `.ci/update.py [--keep | --check]`.

Upgrades every package to the newest version that pyproject.toml allows, and prints which have changed. `--keep` keeps
the versions, for a dependency that was added or removed. `--check` keeps them too, changes nothing, and ends with
status 1 if a lock is not of this pyproject.toml.
"""  # noqa: INP001  a script, run by `task update`

import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any, Final

from package_index import variables_for_uv

PROJECT: Final = Path(__file__).resolve().parents[1]

_COMPILE: Final = (
    *("uv", "pip", "compile", "--quiet"),
    *("--universal", "--generate-hashes", "--no-header", "--no-emit-index-url"),
)
_OLDEST: Final = re.compile(r">=([0-9.]+)")
_PIN: Final = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;]+)", re.MULTILINE)


def main(*options: str) -> int:
    """Write the locks, or check them. Return the status with which to end."""
    if unknown := [option for option in options if option not in {"--keep", "--check"}]:
        sys.exit(f"There is no {unknown[0]}: task update, task update -- --keep, or task update -- --check")
    if shutil.which("uv") is None:
        sys.exit("uv is missing: pip install uv")
    return _check() if "--check" in options else _update(*([] if "--keep" in options else ["--upgrade"]))


def list_locks() -> dict[str, list[str]]:
    """Return uv's arguments for each lock, by the lock's name."""
    found: dict[str, list[str]] = _read_project()["tool"]["crypto-exchange"]["locks"]
    return found


def find_stale(*, folder: Path) -> list[str]:
    """Return the names of the locks that are not of this pyproject.toml. Compiles copies of them in a folder."""
    for name in ("pyproject.toml", *list_locks()):
        if (PROJECT / name).exists():
            shutil.copy(PROJECT / name, folder)
    _compile(folder=folder)
    return [name for name in list_locks() if _read(PROJECT / name) != _read(folder / name)]


def pins_in(text: str) -> dict[str, str]:
    """Return the versions of a lock, by package; several versions for several Pythons are separated by commas."""
    found: dict[str, list[str]] = {}
    for name, version in _PIN.findall(text):
        found.setdefault(name, []).append(version)
    return {name: ", ".join(versions) for name, versions in found.items()}


def describe_changes(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """Return a line for each package whose version differs."""
    names = sorted(before.keys() | after.keys())
    changed = [name for name in names if before.get(name) != after.get(name)]
    return [f"  {name} {before.get(name, '(new)')} → {after.get(name, '(gone)')}" for name in changed]


def _check() -> int:
    with tempfile.TemporaryDirectory() as folder:
        stale = find_stale(folder=Path(folder))
    for name in stale:
        sys.stdout.write(f"{name} is not what pyproject.toml asks for: task update\n")
    return 1 if stale else 0


def _update(*options: str) -> int:
    before = {name: pins_in(_read(PROJECT / name)) for name in list_locks()}
    _compile(*options, folder=PROJECT)
    for name in list_locks():
        changes = describe_changes(before[name], pins_in(_read(PROJECT / name)))
        count = f"{len(changes)} packages" if changes else "nothing has changed"
        sys.stdout.write("".join(f"{line}\n" for line in (f"{name}: {count}", *changes)))
    sys.stdout.write("Now: task install && task check && task test\n")
    return 0


def _compile(*options: str, folder: Path) -> None:
    """Compile the locks of a folder. The first one's versions bind the others."""
    python = _OLDEST.search(_read_project()["project"]["requires-python"])
    assert python, "pyproject.toml says from which Python on"
    first, *_ = list_locks()
    for name, arguments in list_locks().items():
        bound = [] if name == first else ["--constraint", first]
        command = [*_COMPILE, *options, *bound, *arguments, "--python-version", python[1], "--output-file", name]
        done = subprocess.run(command, cwd=folder, env=variables_for_uv(os.environ), check=False)  # noqa: S603  uv, with arguments of pyproject.toml
        if done.returncode:
            sys.exit(f"uv could not compile {name}: see its words above")


def _read_project() -> dict[str, Any]:
    return tomllib.loads((PROJECT / "pyproject.toml").read_text())


def _read(path: Path) -> str:
    return path.read_text() if path.exists() else ""


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
