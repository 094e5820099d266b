from contextlib import nullcontext
from typing import Any

from django.core.management.base import CommandParser
from django.core.management.commands import dbshell

from exchange_site.database.owner import as_owner


class Command(dbshell.Command):
    """Django's own command, which here can also log in as the owner."""

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--owner", action="store_true", help="log in as the owner, who may change everything")

    def handle(self, **options: Any) -> None:
        with as_owner(using=options["database"]) if options.pop("owner") else nullcontext():
            super().handle(**options)
