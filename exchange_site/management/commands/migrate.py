from typing import Any, Final

from django.core.management import call_command
from django.core.management.base import CommandParser
from django.core.management.commands import migrate
from django.db import DEFAULT_DB_ALIAS

from exchange_site.database.alone import alone
from exchange_site.database.baseline import load_baseline
from exchange_site.database.owner import OwnerCommand

_ONLY_READS: Final = ("plan", "check_unapplied")
_ONLY_ASKS: Final = (*_ONLY_READS, "prune")
_OF_ONES_OWN: Final = (*_ONLY_ASKS, "app_label", "migration_name", "fake", "fake_initial", "without_baseline")


class Command(OwnerCommand, migrate.Command):
    help = (
        f"{migrate.Command.help} Runs as the owner, and then runs database_roles."
        " In an empty database it begins with the baseline, the schema in one file."
        " Waits while another one runs on the database."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--without-baseline", action="store_true", help="Run each migration, from the first on.")

    def execute(self, *args: Any, **options: Any) -> Any:
        done = super().execute(*args, **options)
        if options["database"] == DEFAULT_DB_ALIAS and not any(options.get(name) for name in _ONLY_ASKS):
            call_command("database_roles", verbosity=options["verbosity"], stdout=self.stdout, stderr=self.stderr)
        return done

    def handle(self, *args: Any, **options: Any) -> Any:
        if any(options.get(name) for name in _ONLY_READS):
            return super().handle(*args, **options)
        with alone(using=options["database"], on_wait=self._tell):
            return self._migrate(*args, **options)

    def _migrate(self, *args: Any, **options: Any) -> Any:
        if not any(options.get(name) for name in _OF_ONES_OWN):
            applied = load_baseline(using=options["database"])
            if applied and options["verbosity"]:
                self.stdout.write(f"The database was empty: {applied} migrations at once, from the baseline.")
        return super().handle(*args, **options)

    def _tell(self) -> None:
        self.stdout.write("Another migrate runs on this database: waiting for its end.")
        self.stdout.flush()
