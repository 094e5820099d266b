from django.core.management.commands import flush

from exchange_site.database.owner import OwnerCommand


class Command(OwnerCommand, flush.Command):
    """Django's own command, run as the owner."""
