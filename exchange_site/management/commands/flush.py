from django.core.management.commands import flush

from exchange_site.database.money import GuardedCommand
from exchange_site.database.owner import OwnerCommand


class Command(OwnerCommand, GuardedCommand, flush.Command):
    help = f"{flush.Command.help} Runs as the owner, and only under test: the ledger is never emptied."
    instead = "make a new database instead, and let POSTGRES_DB name it"
