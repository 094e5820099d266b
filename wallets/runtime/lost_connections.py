"""The errors after which a connection to Postgres or Redis must not be used again.

A server that was replaced, restarted or made read-only may go on answering over connections that were opened before,
and refuses most of what it is asked. Only a new connection reaches the server that has taken over. So after any of
these errors the connection is closed, here and everywhere:

    wallets.runtime.postgres     closes connections to Postgres, and repeats a read once over a new one
    wallets.runtime.conflicts    repeats a database transaction that was certainly not committed
    wallets.runtime.redis_store  closes connections to Redis, and repeats a command that Redis refused

If that does not help, the API answers 503 `unavailable` (exchange_site.api.problems).
"""

import re
from collections.abc import Iterator
from typing import Final

import psycopg
import redis
from django.db import OperationalError

_CONNECTION_EXCEPTIONS: Final = "08"

# PostgreSQL, Appendix A. The server did not run the statement, and would refuse it again over this connection.
_REFUSED: Final = frozenset(
    {
        "25006",  # read_only_sql_transaction: the server became a standby, or was fenced
        "26000",  # invalid_sql_statement_name: behind a pooler, a prepared statement is in another session
        "42P05",  # duplicate_prepared_statement: the same
        "53300",  # too_many_connections
        "57P03",  # cannot_connect_now: the server starts, stops or recovers
    }
)
# The server ended the session, perhaps while it ran a statement.
_ENDED: Final = frozenset(
    {
        "25P03",  # idle_in_transaction_session_timeout
        "25P04",  # transaction_timeout
        "40003",  # statement_completion_unknown
        "57P01",  # admin_shutdown, also pg_terminate_backend
        "57P02",  # crash_shutdown
        "57P04",  # database_dropped
        "57P05",  # idle_session_timeout
    }
)
# "cached plan must not change result type", whatever language the server speaks: a table was altered after this
# connection had prepared a statement. The code alone would be every unsupported feature.
_NOT_SUPPORTED: Final = "0A000"
_STALE_PLAN: Final = "RevalidateCachedQuery"

# The codes of Redis' errors. They begin the message; an older Redis puts a script's error behind words of its own.
_REDIS_REFUSED: Final = frozenset(
    {
        "READONLY",  # the server became a replica
        "MASTERDOWN",
        "NOREPLICAS",
        "CLUSTERDOWN",
        "MOVED",
        "LOADING",
        "UNBLOCKED",
        "NOAUTH",
        "WRONGPASS",
    }
)


class ConnectionSilent(psycopg.OperationalError):
    """Postgres did not answer in time, not even with its own time limit, so the connection's socket was closed."""


class CommitUnknown(OperationalError):
    """The connection was lost during COMMIT: the database transaction may have been committed."""


def is_lost(error: BaseException | None) -> bool:
    """Say whether the connection that raised `error`, or a cause of it, must not be used again."""
    return any(_is_lost(each) for each in _causes(error))


def was_refused(error: BaseException | None) -> bool:
    """Say whether the server certainly did nothing before the connection was lost."""
    return any(_was_refused(each) for each in _causes(error))


def was_silent(error: BaseException | None) -> bool:
    """Say whether the caller has already waited for as long as anybody should."""
    return any(isinstance(each, ConnectionSilent) for each in _causes(error))


def may_be_committed(error: BaseException | None) -> bool:
    """Say whether the database transaction that raised `error` may have been committed all the same."""
    return any(isinstance(each, CommitUnknown) for each in _causes(error))


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _is_lost(error: BaseException) -> bool:
    if isinstance(error, psycopg.Error):
        code = error.sqlstate
        if code is None:  # libpq or psycopg made it: the connection is closed, or could not be opened
            return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
        return code in _ENDED or code.startswith(_CONNECTION_EXCEPTIONS) or _was_refused(error)
    return isinstance(error, redis.ConnectionError | redis.TimeoutError) or _was_refused(error)


def _was_refused(error: BaseException) -> bool:
    if isinstance(error, psycopg.Error):
        return error.sqlstate in _REFUSED or _is_stale_plan(error)
    if isinstance(error, redis.RedisError):
        # redis-py moves the code from the message to the error, unless it does not know the code.
        code = getattr(error, "status_code", None)
        return code in _REDIS_REFUSED or not _REDIS_REFUSED.isdisjoint(re.split(r"\W+", str(error)))
    return False


def _is_stale_plan(error: psycopg.Error) -> bool:
    return error.sqlstate == _NOT_SUPPORTED and error.diag.source_function == _STALE_PLAN
