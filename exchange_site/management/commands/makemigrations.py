from django.core.management.commands import makemigrations

from exchange_site.database.owner import OwnerCommand


class Command(OwnerCommand, makemigrations.Command):
    """Django's own command, run as the owner."""
