"""Procrastinate's own command; its worker also answers Prometheus, and knows the exchange's markets from the start."""

from typing import Any

from django.conf import settings
from procrastinate.contrib.django.management.commands.procrastinate import Command as ProcrastinateCommand

from exchange_site.metrics import serve_metrics
from settlement.exchanges import load_markets


class Command(ProcrastinateCommand):
    def handle(self, *args: Any, **options: Any) -> None:
        if options.get("command") == "worker":
            load_markets()
            if settings.WORKER_METRICS_PORT:
                serve_metrics(port=settings.WORKER_METRICS_PORT)
        super().handle(*args, **options)
