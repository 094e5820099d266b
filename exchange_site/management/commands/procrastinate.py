"""Procrastinate's own command; its worker also answers Prometheus, and knows the exchange's markets from the start."""

from typing import Any, Final

from django.conf import settings
from procrastinate import PsycopgConnector
from procrastinate.contrib.django import app, connector_params
from procrastinate.contrib.django.management.commands.procrastinate import Command as ProcrastinateCommand

from exchange_site.metrics import serve_metrics
from settlement.venues.registry import load_markets

# By default a worker whose connections were cut may stand still for half a minute before it notices.
_CONNECTION_WAIT_SECONDS: Final = 5.0


class Command(ProcrastinateCommand):
    def handle(self, *args: Any, **options: Any) -> None:
        if options.get("command") != "worker":
            super().handle(*args, **options)
            return
        load_markets()
        if settings.WORKER_METRICS_PORT:
            serve_metrics(port=settings.WORKER_METRICS_PORT)
        connector = PsycopgConnector(kwargs=connector_params(), timeout=_CONNECTION_WAIT_SECONDS)
        with app.replace_connector(connector):
            super().handle(*args, **options, app=app)
