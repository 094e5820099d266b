"""Folders that the servers' account can reach.

PostgreSQL refuses to run as root, so root runs the servers as `nobody`. Below a folder closed to others,
such as root's home, that account can neither load programs nor keep data. Such things then live in a folder
of root's own that is open for passing through, and a link in DATA_DIR leads there. No existing folder's mode
is changed.
"""

import os
import pwd
import shutil
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from exchange_site.development.errors import PlaceUnusable

_SHARED_NAME: Final = "crypto-exchange-development"
_SHARED_PARENTS: Final = (Path("/var/lib"), Path("/var/tmp"))  # noqa: S108  its owner and mode are checked
_PASS_THROUGH: Final = 0o711
_PRIVATE: Final = 0o700


@dataclass(frozen=True)
class Account:
    """Who the servers run as."""

    uid: int
    gid: int

    @property
    def process_options(self) -> dict[str, Any]:
        """Arguments for `subprocess` that start a program as this account."""
        if self.uid == os.geteuid():
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def owns(self, path: Path) -> None:
        """Hand `path` over to this account."""
        if self.uid != os.geteuid():
            os.chown(path, self.uid, self.gid)


def server_account() -> Account:
    """Return `nobody` for root, and otherwise ourselves."""
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid())
    nobody = pwd.getpwnam("nobody")
    return Account(nobody.pw_uid, nobody.pw_gid)


def can_reach(account: Account, folder: Path) -> bool:
    """Whether `account` may pass through `folder` and everything above it."""
    if account.uid == os.geteuid():
        return True
    folder = folder.resolve()
    return all(_lets_through(account, each) for each in (folder, *folder.parents))


def place_for_data(name: str, *, data_dir: Path, account: Account) -> Path:
    """Return where the data called `name` is, or is to be made, for the stack of `data_dir`."""
    place = data_dir / name
    if place.exists():
        return _checked(place.resolve(), account)
    if can_reach(account, data_dir):
        return data_dir.resolve() / name
    elsewhere = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=shared_folder())) / name
    elsewhere.parent.chmod(_PASS_THROUGH)
    place.unlink(missing_ok=True)  # a link to what is gone
    place.symlink_to(elsewhere)
    return elsewhere


def make_private(folder: Path, account: Account) -> None:
    """Make an empty `folder` that only `account` can open, in place of any before it."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(_PRIVATE)
    account.owns(folder)


def erase_data_dir(data_dir: Path) -> None:
    """Remove `data_dir`, and what its links lead to."""
    if not data_dir.exists():
        return
    for place in data_dir.iterdir():
        if place.is_symlink() and place.resolve().parent.parent.name == _SHARED_NAME:
            shutil.rmtree(place.resolve().parent, ignore_errors=True)
    shutil.rmtree(data_dir, ignore_errors=True)


def shared_folder() -> Path:
    """Return root's folder that others may pass through and nobody else can write to.

    Raises PlaceUnusable.
    """
    parent = next((each for each in _SHARED_PARENTS if os.access(each, os.W_OK)), None)
    if parent is None:
        raise PlaceUnusable("No folder for the servers: neither /var/lib nor /var/tmp can be written to.")
    folder = parent / _SHARED_NAME
    folder.mkdir(exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise PlaceUnusable(f"{folder} belongs to another user: remove it.")
    folder.chmod(_PASS_THROUGH)
    return folder


def _lets_through(account: Account, folder: Path) -> bool:
    found = folder.stat()
    needed = stat.S_IXUSR if found.st_uid == account.uid else stat.S_IXOTH
    return bool(found.st_mode & needed)


def _checked(place: Path, account: Account) -> Path:
    if place.stat().st_uid != account.uid:
        raise PlaceUnusable(
            f"{place} belongs to another user: start as that user, or set DATA_DIR to a folder of your own."
        )
    if not can_reach(account, place.parent):
        raise PlaceUnusable(f"{place} is closed to the servers' account: set DATA_DIR to another folder.")
    return place
