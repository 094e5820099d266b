import logging

from django_migration_linter.management.commands import lintmigrations
from django_migration_linter.sql_analyser.postgresql import PostgresqlAnalyser

from exchange_site.database.owner import OwnerCommand
from tests.upgrade.linting.rules import RULES

# It logs each migration that it reads, which hides what it finds.
logging.getLogger("django_migration_linter").addFilter(lambda record: record.levelno > logging.INFO)

_KEPT = {"DROP_INDEX", "REINDEX"}
PostgresqlAnalyser.migration_checks = [
    *(check for check in PostgresqlAnalyser.migration_checks if check.code in _KEPT),
    *RULES,
]


class Command(OwnerCommand, lintmigrations.Command):
    """The linter's own command, run as the owner: on a new server there is no other role."""
