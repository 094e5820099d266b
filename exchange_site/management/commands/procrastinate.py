"""Procrastinate's own command. Its worker loads the venue's markets first, serves metrics, and has lanes."""

import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from django.conf import settings
from django.core.management.base import CommandError
from django.db import connection
from procrastinate import App, PsycopgConnector
from procrastinate.contrib.django import app, connector_params
from procrastinate.contrib.django.management.commands.procrastinate import Command as ProcrastinateCommand
from psycopg_pool import AsyncConnectionPool

from exchange_site import telemetry
from exchange_site.database.price_check import refuse_unfit_rules
from exchange_site.database.role_check import refuse_unfit_role
from exchange_site.metrics.workers import serve_metrics
from exchange_site.telemetry.jobs import trace_job
from settlement.checks import find_faults_of_venues
from settlement.lanes import LanesWorker
from settlement.models import add_venues
from settlement.queue import measure_oldest_due
from settlement.turns import run_periodic_alone
from settlement.venues.configured import list_configured
from settlement.venues.registry import find_fault_of_second_source, load_markets
from settlement.watchdog import Watchdog
from wallets.runtime import clock
from wallets.runtime.postgres.connections import KeptAsyncConnection, refuse_unfit

# By default a worker may take half a minute to notice that its connections were cut, and does nothing meanwhile.
_CONNECTION_WAIT_SECONDS: Final = 5.0


class Command(ProcrastinateCommand):
    def handle(self, *args: Any, **options: Any) -> None:
        if options.get("command") != "worker":
            super().handle(*args, **options)
            return
        _end_with_terminal()
        if faults := find_faults_of_venues():
            raise CommandError("\n".join(faults))
        if fault := find_fault_of_second_source():
            raise CommandError(f"PRICE_CHECK_VENUE_ID: {settings.VENUE.check_id} {fault}.")
        refuse_unfit_role()
        refuse_unfit_rules()
        self._begin_telemetry()
        clock.keep_measured()
        add_venues(names=list_configured())
        connection.close()  # this thread asks nothing more
        load_markets()
        if settings.METRICS.worker_port:
            serve_metrics(port=settings.METRICS.worker_port)
        # Jobs have no such limit: verifying the ledger takes minutes. TCP's keepalive notices most that is lost.
        KeptAsyncConnection.answer_within_seconds = settings.POSTGRES.silence_seconds
        connector = PsycopgConnector(
            kwargs=connector_params(),
            timeout=_CONNECTION_WAIT_SECONDS,
            reconnect_timeout=_CONNECTION_WAIT_SECONDS,
            pool_factory=_make_pool,
        )
        with app.replace_connector(connector):
            super().handle(*args, **options, app=app if _is_special(options) else _AppWithLanes(app))

    def _begin_telemetry(self) -> None:
        telemetry.begin()
        if settings.TELEMETRY.otlp_endpoint:
            app.worker_defaults["task_middleware"] = [trace_job]


def _end_with_terminal() -> None:
    """End when the terminal is closed (SIGHUP), as on SIGTERM; go on if nohup has started this."""

    def end(*_: Any) -> None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # a shell repeats it, and a second SIGTERM would kill
        signal.raise_signal(signal.SIGTERM)

    if signal.getsignal(signal.SIGHUP) == signal.SIG_DFL:
        signal.signal(signal.SIGHUP, end)


def _is_special(options: dict[str, Any]) -> bool:
    """Say whether the worker takes only some queues, or ends with the last job: it needs no lanes then."""
    return bool(options.get("queues")) or options.get("wait") is False


class _AppWithLanes:
    """Procrastinate's app, whose worker has lanes and a watchdog."""

    def __init__(self, app: App) -> None:
        self._app = app

    @asynccontextmanager
    async def open_async(self) -> AsyncIterator["_AppWithLanes"]:
        async with self._app.open_async():
            yield self

    async def run_worker_async(self, **options: Any) -> None:
        self._app.perform_import_paths()  # type: ignore[no-untyped-call]  # of Procrastinate
        watchdog = Watchdog(seconds=settings.JOBS.standstill_seconds, measure_oldest=_measure_oldest)
        middlewares = [*(self._app.worker_defaults.get("task_middleware") or []), run_periodic_alone]
        defaults = {**self._app.worker_defaults, "task_middleware": middlewares}
        await LanesWorker(self._app, watchdog=watchdog, **{**defaults, **options}).run()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._app, name)


def _measure_oldest() -> dict[str, float]:
    """Return the seconds for which each queue's oldest job has been due. For the watchdog's thread."""
    try:
        return {queue: age.total_seconds() for queue, age in measure_oldest_due().items()}
    finally:
        connection.close()


def _make_pool(**options: Any) -> AsyncConnectionPool[Any]:
    """Make Procrastinate's pool, with our connections and our check; its own check is a statement each time."""
    return AsyncConnectionPool(**{**options, "connection_class": KeptAsyncConnection, "check": refuse_unfit})
