from django.core.management.commands import flush

from exchange_site.database.money import GuardedCommand
from exchange_site.database.owner import OwnerCommand


class Command(OwnerCommand, GuardedCommand, flush.Command):
    help = f"{flush.Command.help} Runs as the owner, and only where there is no money."
    instead = "make a new database instead, and let POSTGRES_DB name it"
