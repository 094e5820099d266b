from django.core.management.commands import loaddata

from exchange_site.database.owner import OwnerCommand


class Command(OwnerCommand, loaddata.Command):
    """Django's own command, run as the owner."""
