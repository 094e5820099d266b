"""Access to Redis, which may lose its data and may be away at any time.

After a failure this process skips Redis for a moment, so that a frozen server costs a short wait now and
then and not in every request. If Redis refuses a command because it became a replica, the command is sent once
more over a new connection, which may reach the server that has taken over. Without Redis, offers and pool totals
come from Postgres, and each process counts limits by itself.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import Any, Final, TypeVar, cast

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

from wallets.runtime.lost_connections import is_lost, was_refused

logger = logging.getLogger(__name__)

T = TypeVar("T")

LONGEST_TEXT: Final = 4 * 1024 * 1024
"""Characters that are read of a value, whatever it holds."""


class RedisAway(Exception):
    """Redis did not answer, or is skipped because it did not answer a moment ago."""


class _Breaker:
    """Remembers a failure of Redis for a moment. Each process has its own breaker, because each waits by itself."""

    retry_at = 0.0

    def is_open(self) -> bool:
        return time.monotonic() < self.retry_at

    def trip(self) -> None:
        self.retry_at = time.monotonic() + settings.REDIS.skip_seconds_after_failure

    def reset(self) -> None:
        self.retry_at = 0.0


breaker = _Breaker()


def with_redis(command: Callable[["redis.Redis"], T]) -> T:
    """Run `command`, one round trip to Redis. Raises RedisAway."""
    if breaker.is_open():
        raise RedisAway
    try:
        return _run(command)
    except (redis.RedisError, OSError) as error:
        breaker.trip()
        logger.warning("Redis is away: %s", type(error).__name__)
        raise RedisAway from error


def _run(command: Callable[["redis.Redis"], T]) -> T:
    """Run `command`; if Redis refused it, once more over a new connection."""
    try:
        return command(_client())
    except redis.RedisError as error:
        if is_lost(error):
            _forget_client()
        if not was_refused(error):
            raise
    try:
        return command(_client())
    except redis.RedisError:
        _forget_client()
        raise


def execute(client: "redis.Redis", *words: str | int) -> Any:
    """Run a command over the client's own connection; once more over a new one if that was lost.

    The client does the same, with a lock and with measurements for OpenTelemetry, in twice the processor time.
    """
    connection: Any = client.connection  # there is one, because the client is of a single connection
    try:
        connection.send_command(*words)
        return connection.read_response()
    except redis.ConnectionError:  # it has closed itself
        connection.send_command(*words)
        return connection.read_response()


def read_text(client: "redis.Redis", key: str) -> str | None:
    """Read a text of at most LONGEST_TEXT characters; None if the key is missing or holds something else."""
    try:
        text = client.getrange(key, 0, LONGEST_TEXT)
    except redis.ResponseError:
        client.delete(key)
        return None
    return cast("str", text) or None


_own = threading.local()


def _forget_client() -> None:
    """Close this thread's connection."""
    client: redis.Redis | None = vars(_own).pop("client", None)
    if client is not None:
        client.close()


def _client() -> "redis.Redis":
    """Return this thread's own client: the locks and checks of a connection pool cost more than the command.

    If Redis has closed the connection, the next command fails and is sent again over a new connection.
    """
    if not hasattr(_own, "client"):
        _own.client = open_client()
    client: redis.Redis = _own.client
    return client


def open_client() -> "redis.Redis":
    """Connect, and return a client of this one connection. The caller closes it."""
    return redis.Redis(
        **settings.REDIS.address(),
        socket_timeout=settings.REDIS.timeout_seconds,
        socket_connect_timeout=settings.REDIS.timeout_seconds,
        retry=Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,)),
        health_check_interval=0,
        decode_responses=True,
        encoding_errors="replace",  # whatever somebody has written there: no reader believes it
        single_connection_client=True,
    )
