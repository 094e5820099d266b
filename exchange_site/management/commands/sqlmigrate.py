from typing import Any

from django.core.management.commands import sqlmigrate

from exchange_site.database.money import INSTEAD_OF_UNDOING, GuardedCommand


class Command(GuardedCommand, sqlmigrate.Command):
    help = f"{sqlmigrate.Command.help} With --backwards, only where there is no money."
    instead = INSTEAD_OF_UNDOING

    def describe_deed(self, options: dict[str, Any]) -> str | None:
        return super().describe_deed(options) if options["backwards"] else None
