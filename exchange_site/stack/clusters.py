"""The files of PostgreSQL: whether this one can start on them."""

import os
import pwd
from pathlib import Path
from typing import Final

from exchange_site.stack.binaries import POSTGRES_MAJOR, server_user
from exchange_site.stack.refusals import StackRefused

_PARTS: Final = ("PG_VERSION", "base", "global/pg_control", "pg_hba.conf", "pg_wal", "postgresql.conf")


def refuse_unfit_cluster(cluster: Path, *, password_file: Path) -> None:
    """Raise StackRefused for data that this PostgreSQL would not start on, or whose password is lost."""
    if (cluster / "PG_VERSION").exists():
        _refuse_another_cluster(cluster)
    _refuse_half_of_a_cluster(cluster, password_file)


def _refuse_half_of_a_cluster(cluster: Path, password_file: Path) -> None:
    """Raise StackRefused for data of which a part was deleted. PostgreSQL would start on some, and let nobody in."""
    parts = [cluster / name for name in _PARTS]
    missing = next((path for path in (*parts, password_file) if not path.exists()), None)
    if missing:
        raise StackRefused(
            f"The data in {cluster.parent} are not whole: {missing.relative_to(cluster.parent)} is missing."
            " Bring it back, name another folder (DATA_DIR=.data2 task dev), or delete this one if nobody needs it."
        )


def _refuse_another_cluster(cluster: Path) -> None:
    """Raise StackRefused for data of another version or user."""
    version = (cluster / "PG_VERSION").read_text().strip()
    if version != str(POSTGRES_MAJOR):
        raise StackRefused(
            f"The data in {cluster} are of PostgreSQL {version}, and this is PostgreSQL {POSTGRES_MAJOR}. Name another"
            " folder (DATA_DIR=.data2 task dev), or delete this one if nobody needs it."
        )
    user = server_user()
    wanted, found = (pwd.getpwnam(user).pw_uid if user else os.geteuid()), cluster.stat().st_uid
    if wanted != found:
        raise StackRefused(
            f"The data in {cluster} belong to the user with the id {found}, and the server would run as {wanted}."
            " Start it as the user who started it first, or name another folder: DATA_DIR=.data2 task dev"
        )
