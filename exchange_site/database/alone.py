"""Let one `migrate` run at a time on a database, also of several hosts."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

from django.db import Error, connections

_LOCK: Final = "hashtext('crypto-exchange migrate')"
_AGAIN_SECONDS: Final = 0.5


@contextmanager
def alone(*, using: str, on_wait: Callable[[], None]) -> Iterator[None]:
    """Hold Postgres' advisory lock for `migrate` inside the `with` block. Call `on_wait` once if another has it.

    The lock belongs to the session, so it ends with a process that is killed. A process that waits asks again and
    again: a statement that waited would be a transaction, for whose end CREATE INDEX CONCURRENTLY in the other waits.
    """
    if not _take(using):
        on_wait()
        while not _take(using):
            time.sleep(_AGAIN_SECONDS)
    try:
        yield
    finally:
        with suppress(Error), connections[using].cursor() as cursor:  # a session that has ended has no lock
            cursor.execute(f"SELECT pg_advisory_unlock({_LOCK})")


def _take(using: str) -> bool:
    with connections[using].cursor() as cursor:
        cursor.execute(f"SELECT pg_try_advisory_lock({_LOCK})")
        return bool(cursor.fetchone()[0])
