from django.core.management.commands import sqlflush

from exchange_site.database.money import GuardedCommand


class Command(GuardedCommand, sqlflush.Command):
    help = f"{sqlflush.Command.help} Only where there is no money."
    instead = "make a new database instead, and let POSTGRES_DB name it"
