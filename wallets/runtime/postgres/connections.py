"""Connections to Postgres that close themselves when they are lost, or when Postgres falls silent."""

import select
import time
from typing import Any, Final, Self, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.errors import _WaitTimeout

from wallets.runtime.lost_connections import ConnectionSilent, is_lost

R = TypeVar("R")

_WAIT_INTERVAL: Final = 0.1  # psycopg's own


class _Losses:
    """Remembers when a connection of this process was lost last, by the monotonic clock."""

    last = 0.0


def report_loss() -> None:
    """Make every connection of this process that was opened before now unfit: its server may have been replaced."""
    _Losses.last = time.monotonic()


class _Hosts:
    """Remembers which of several hosts this process reached last, with its port."""

    last: tuple[str, str] | None = None


def _reached_first(parameters: dict[str, Any]) -> dict[str, Any]:
    """Move the host that was reached last to the front.

    Hosts are tried in turn, and one that is switched off takes its whole time limit, for every new connection.
    """
    hosts, ports = (str(parameters.get(name) or "").split(",") for name in ("host", "port"))
    places = list(zip(hosts, ports if len(ports) > 1 else ports * len(hosts), strict=True))
    if len(places) == 1 or _Hosts.last not in places:
        return parameters
    places.sort(key=lambda place: place != _Hosts.last)
    return {
        **parameters,
        "host": ",".join(host for host, _ in places),
        "port": ",".join(port for _, port in places),
    }


def _remember_host(pgconn: Any) -> None:
    _Hosts.last = (pgconn.host.decode(), pgconn.port.decode())


class _Kept:
    """The part that connections for threads and for asyncio share."""

    answer_within_seconds: float | None = None
    """How long a statement may take before the connection closes itself; None: for ever.

    Choose more than the server's own `statement_timeout`. It is for a peer that acknowledges what it receives and never
    answers, like a frozen proxy: neither TCP's keepalive nor TCP_USER_TIMEOUT notices that.
    """

    pgconn: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._opened_at = time.monotonic()

    def is_fit(self) -> bool:
        """Say whether this connection is open, and no connection of this process was lost since it opened."""
        return not self.closed and self._opened_at > _Losses.last  # type: ignore[attr-defined]  # psycopg's

    def has_been_ended(self) -> bool:
        """Say whether the server has ended this idle connection: it says nothing over one otherwise. A system call."""
        poll = select.poll()
        poll.register(self.pgconn.socket, select.POLLIN)
        return bool(poll.poll(0))

    def _end(self) -> None:
        self.pgconn.finish()
        report_loss()

    def _end_silent(self) -> ConnectionSilent:
        self._end()
        return ConnectionSilent(f"no answer within {self.answer_within_seconds} s")


class KeptConnection(_Kept, psycopg.Connection[Any]):
    """A connection for a thread."""

    @classmethod
    def connect(cls, conninfo: str = "", **parameters: Any) -> Self:
        opened = super().connect(conninfo, **_reached_first(parameters))
        _remember_host(opened.pgconn)
        return opened

    def wait(self, gen: PQGen[R], interval: float = _WAIT_INTERVAL, timeout: float | None = None) -> R:
        try:
            return super().wait(gen, interval, timeout or self.answer_within_seconds)
        except _WaitTimeout:
            if timeout:
                raise
            raise self._end_silent() from None
        except psycopg.Error as error:
            if is_lost(error):
                self._end()
            raise


class KeptAsyncConnection(_Kept, psycopg.AsyncConnection[Any]):
    """A connection for asyncio: Procrastinate's."""

    @classmethod
    async def connect(cls, conninfo: str = "", **parameters: Any) -> Self:
        opened = await super().connect(conninfo, **_reached_first(parameters))
        _remember_host(opened.pgconn)
        return opened

    async def wait(
        self,
        gen: PQGen[R],
        interval: float = _WAIT_INTERVAL,
        timeout: float | None = None,  # noqa: ASYNC109  as in psycopg
    ) -> R:
        try:
            return await super().wait(gen, interval, timeout or self.answer_within_seconds)
        except _WaitTimeout:
            if timeout:
                raise
            raise self._end_silent() from None
        except psycopg.Error as error:
            if is_lost(error):
                self._end()
            raise


async def refuse_unfit(pooled: psycopg.AsyncConnection[Any]) -> None:
    """Check a connection of Procrastinate's pool. The pool replaces the connection if this raises."""
    assert isinstance(pooled, KeptAsyncConnection)
    if not pooled.is_fit() or pooled.has_been_ended():
        await pooled.close()
        raise psycopg.OperationalError("the connection was lost")
