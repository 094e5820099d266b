from django.core.management.commands import loaddata

from exchange_site.database.money import GuardedCommand
from exchange_site.database.owner import OwnerCommand


class Command(OwnerCommand, GuardedCommand, loaddata.Command):
    help = f"{loaddata.Command.help} Runs as the owner, and only where there is no money: it overwrites rows."
    instead = "load the files, all with one command, into a new database instead, and let POSTGRES_DB name it"
