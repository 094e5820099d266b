"""Procrastinate's own command, whose worker first loads the venue's markets and then also serves metrics."""

from typing import Any, Final

from django.conf import settings
from django.core.management.base import CommandError
from procrastinate import PsycopgConnector
from procrastinate.contrib.django import app, connector_params
from procrastinate.contrib.django.management.commands.procrastinate import Command as ProcrastinateCommand
from psycopg_pool import AsyncConnectionPool

from exchange_site.database.role_check import refuse_unfit_role
from exchange_site.metrics.workers import serve_metrics
from settlement.venues.registry import load_markets
from wallets.runtime import clock
from wallets.runtime.postgres.connections import KeptAsyncConnection, refuse_unfit

# By default a worker may take half a minute to notice that its connections were cut, and does nothing meanwhile.
_CONNECTION_WAIT_SECONDS: Final = 5.0


class Command(ProcrastinateCommand):
    def handle(self, *args: Any, **options: Any) -> None:
        if options.get("command") != "worker":
            super().handle(*args, **options)
            return
        if not settings.DEBUG and not settings.VENUE.api_key:
            raise CommandError(
                "EXCHANGE_API_KEY and EXCHANGE_API_SECRET must be set: a worker buys what the shop sells."
            )
        refuse_unfit_role()
        clock.keep_measured()
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
            super().handle(*args, **options, app=app)


def _make_pool(**options: Any) -> AsyncConnectionPool[Any]:
    """Make Procrastinate's pool, with our connections and our check; its own check is a statement each time."""
    return AsyncConnectionPool(**{**options, "connection_class": KeptAsyncConnection, "check": refuse_unfit})
