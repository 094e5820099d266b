"""The backend: connections are closed when they are lost, and reads are repeated once over a new connection."""

import re
from functools import cached_property
from types import TracebackType
from typing import Any, Final

import psycopg
from django.db import DatabaseError, InterfaceError, OperationalError
from django.db.backends.postgresql import base
from django.db.backends.utils import CursorDebugWrapper, CursorWrapper
from django.db.utils import DatabaseErrorWrapper
from psycopg import IsolationLevel

from wallets.runtime.lost_connections import CommitUnknown, was_refused, was_silent
from wallets.runtime.postgres.connections import KeptConnection


class _ClosingErrors(DatabaseErrorWrapper):
    """Turns psycopg's errors into Django's, and first lets go of a connection that has closed itself."""

    wrapper: "DatabaseWrapper"

    def __exit__(
        self, exc_type: type[BaseException] | None, exc_value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if exc_type is None:
            return
        self.wrapper.forget_closed_connection()
        super().__exit__(exc_type, exc_value, traceback)


class _RepeatsOnce:
    """Runs a statement again over a new connection, if the first one was lost and nothing can have happened."""

    db: "DatabaseWrapper"
    cursor: Any

    def _execute(self, sql: Any, params: Any, *context: Any) -> Any:
        try:
            return super()._execute(sql, params, *context)  # type: ignore[misc]  # Django's
        except (DatabaseError, InterfaceError) as error:
            if isinstance(self.cursor, psycopg.ServerCursor) or not self.db.may_repeat(sql, error=error):
                raise
        self.db.ensure_connection()
        self.cursor = self.db.create_cursor()
        return super()._execute(sql, params, *context)  # type: ignore[misc]  # Django's


class _Cursor(_RepeatsOnce, CursorWrapper):
    pass


class _DebugCursor(_RepeatsOnce, CursorDebugWrapper):
    pass


class DatabaseWrapper(base.DatabaseWrapper):
    """Django's wrapper of a connection, which never keeps a lost connection."""

    _is_connecting = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if pool := self.settings_dict["OPTIONS"].get("pool"):
            pool["connection_class"] = KeptConnection

    @cached_property
    def wrap_database_errors(self) -> DatabaseErrorWrapper:
        return _ClosingErrors(self)

    def connect(self) -> None:
        """Open a connection, and let everything that waits for a new one look at it (`connection_created`).

        A look that finds the connection lost is not repeated: each repetition would open and look at another one, for
        as long as Postgres is away. Behind PgBouncer a connection opens even then.
        """
        if self._is_connecting:
            raise OperationalError("the new connection was lost at once")
        self._is_connecting = True
        try:
            super().connect()
        finally:
            self._is_connecting = False
        if self.connection is None:
            raise OperationalError("the new connection was lost at once")

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """Open a connection, or take one that is fit from a worker's pool."""
        self.isolation_level = IsolationLevel.READ_COMMITTED
        if not self.pool:
            return KeptConnection.connect(**conn_params)
        self.pool.open()
        pooled = self.pool.getconn()
        for _ in range(self.pool.max_size):
            if pooled.is_fit() and not pooled.has_been_ended():
                break
            pooled.close()
            self.pool.putconn(pooled)
            pooled = self.pool.getconn()
        return pooled

    def make_cursor(self, cursor: Any) -> CursorWrapper:
        return _Cursor(cursor, self)

    def make_debug_cursor(self, cursor: Any) -> CursorDebugWrapper:
        return _DebugCursor(cursor, self)

    def forget_closed_connection(self) -> None:
        """Let go of the connection if it has closed itself. The next statement opens another one.

        Not inside a database transaction: there Django would take the lost connection for a rollback, and end the
        transaction without an error if the code inside had caught this one.
        """
        if self.connection is not None and self.connection.closed and not self.in_atomic_block:
            self.close()

    def close_if_unusable_or_obsolete(self) -> None:
        """Close the connection also if it is not fit any more. Django calls this before and after each request."""
        self._close_unfit()
        super().close_if_unusable_or_obsolete()

    def _close_unfit(self) -> None:
        if self.connection is not None and not self.in_atomic_block and not self.connection.is_fit():
            self.close()

    def may_repeat(self, sql: Any, *, error: BaseException) -> bool:
        """Say whether a statement whose connection was lost may run again: outside database transactions only.

        A transaction's earlier statements are lost with its connection; `retried_on_conflict` runs all of them again.
        """
        is_alone = self.connection is None and not self.in_atomic_block and self.autocommit and not self._is_connecting
        return is_alone and not was_silent(error) and (was_refused(error) or _is_read(sql))

    def set_autocommit(self, autocommit: bool, *args: Any, **options: Any) -> None:  # noqa: FBT001  as in Django
        """End a transaction without opening a connection only for that: its own was lost.

        Begin one over a connection that is fit: while the request has waited, another thread may have lost its own.
        """
        if autocommit and self.connection is None:
            self.autocommit = True
            return
        if not autocommit:
            self._close_unfit()
        super().set_autocommit(autocommit, *args, **options)

    def _commit(self) -> None:
        try:
            super()._commit()  # type: ignore[misc]  # the stubs leave it out
        except (DatabaseError, InterfaceError) as error:
            if self.connection is None:
                raise CommitUnknown("the connection was lost during COMMIT") from error
            raise


_READS: Final = re.compile(r"\s*(SELECT|WITH)\b", re.IGNORECASE)
_WRITES: Final = re.compile(r"\b(INSERT|UPDATE|DELETE|MERGE|INTO|procrastinate_\w+\()", re.IGNORECASE)


def _is_read(sql: Any) -> bool:
    """Say whether `sql` certainly only reads. Procrastinate's functions write, so a SELECT of them is no read."""
    text = str(sql)
    return bool(_READS.match(text)) and not _WRITES.search(text)
