from argparse import ArgumentParser, Namespace
from typing import Any

from django.core.management.base import BaseCommand

from exchange_site.simulator.server import add_arguments, serve


class Command(BaseCommand):
    help = "Run the exchange simulator: Binance's spot REST API with a durable book, and a control API."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_arguments(parser)

    def handle(self, *_: Any, **options: Any) -> None:
        serve(Namespace(**options))
