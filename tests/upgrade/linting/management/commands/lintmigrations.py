from django_migration_linter.management.commands import lintmigrations

from exchange_site.database.owner import OwnerCommand


class Command(OwnerCommand, lintmigrations.Command):
    """The linter's own command, run as the owner: on a new server there is no other role."""
