from typing import Any

from django.core.management import call_command
from django.core.management.commands import migrate
from django.db import DEFAULT_DB_ALIAS

from exchange_site.database.owner import OwnerCommand


class Command(OwnerCommand, migrate.Command):
    help = f"{migrate.Command.help} Runs as the owner, and then runs database_roles."

    def execute(self, *args: Any, **options: Any) -> Any:
        done = super().execute(*args, **options)
        only_asks = options.get("plan") or options.get("check_unapplied") or options.get("prune")
        if options["database"] == DEFAULT_DB_ALIAS and not only_asks:
            call_command("database_roles", verbosity=options["verbosity"], stdout=self.stdout, stderr=self.stderr)
        return done
