"""Refuse commands that could destroy rows of money, in every database but those that the tests make."""

import sys
from collections.abc import Iterable
from typing import Any, Final

from django.apps import apps
from django.core.management.base import BaseCommand, CommandError
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.base.creation import TEST_DATABASE_PREFIX
from django.db.migrations import Migration
from django.db.models.signals import pre_migrate
from psycopg.sql import SQL, Identifier

WITHOUT_MONEY: Final = frozenset(
    {
        # A new installation has such rows before the first dollar: its staff, coins, prices, switches and its own id.
        "wallets_user",
        "wallets_user_groups",
        "wallets_user_user_permissions",
        "wallets_tokenfamily",
        "wallets_knownaddress",
        "wallets_secondfactor",
        "wallets_recoverycode",
        "wallets_securityevent",
        "wallets_storedkey",
        "wallets_breakglass",
        "wallets_proposal",
        "wallets_proposalrecord",
        "trading_closedmarket",
        "trading_coin",
        "trading_coinprice",
        "trading_headroom",
        "trading_pricereading",
        "trading_shop",
        "trading_suspension",
        "trading_unclearcoin",
        "settlement_databasewatch",
        "settlement_absentmarket",
        "settlement_balancereading",
        "settlement_failingitem",
        "settlement_installation",
        "settlement_pause",
        "settlement_purchasesum",
        "settlement_venueaccount",
        "settlement_venueentry",
    }
)
"""The tables of our apps whose rows are not money. Every other one holds money, so a new table needs no line here."""

INSTEAD_OF_UNDOING: Final = (
    "write a new migration that goes forward instead, or undo it in a copy that you restore from a backup"
)

_OURS: Final = ("wallets_", "trading_", "settlement_")
_ONLY: Final = {
    "wallets_wallet": "WHERE balance <> 0",  # each customer and the house have some from the start
    "settlement_accountmove": "WHERE booked_by_id IS NOT NULL",  # a worker books first readings
    "trading_pricerule": "WHERE created_by_id IS NOT NULL",  # `migrate` makes the first one
}
"""Which rows count, in tables of which not all do."""

_NAMED: Final = 3


def find_money(*, using: str = DEFAULT_DB_ALIAS) -> list[str]:
    """Return the names of the tables in this database that hold money, or an empty list if there is none."""
    with connections[using].cursor() as cursor:
        tables = connections[using].introspection.table_names(cursor)
        ours = [table for table in tables if table.startswith(_OURS) and table not in WITHOUT_MONEY]
        return [table for table in ours if _holds_money(cursor, table)]


def refuse_to_destroy_money(*, deed: str, instead: str, using: str = DEFAULT_DB_ALIAS) -> None:
    """Raise CommandError with one sentence if the database holds money. No option and no variable prevents it."""
    if is_made_by_tests(connections[using]):
        return
    if tables := find_money(using=using):
        named = ", ".join(tables[:_NAMED]) + (", …" if len(tables) > _NAMED else "")
        database = connections[using].settings_dict["NAME"]
        raise CommandError(f"The database {database} holds money ({named}), which {deed} could destroy: {instead}.")


def is_made_by_tests(connection: BaseDatabaseWrapper) -> bool:
    """Say whether this process runs tests, and the database is the one that they have made.

    Only Django's test runner and pytest-django set up the first, in their own process: no variable does it.
    """
    utils = sys.modules.get("django.test.utils")  # other processes save the time to import it
    runs_tests = utils is not None and hasattr(utils._TestState, "saved_data")  # noqa: SLF001  shown in no other way
    return runs_tests and str(connection.settings_dict["NAME"]).startswith(TEST_DATABASE_PREFIX)


def guard_migrations() -> None:
    """Let every command that migrates refuse to undo a migration while the database holds money."""
    pre_migrate.connect(
        _refuse_to_undo, sender=apps.get_app_config("wallets"), dispatch_uid="migrations are not undone"
    )


class GuardedCommand(BaseCommand):
    """A command that refuses to run while the database holds money. Put it before a command of Django's.

    After OwnerCommand, if the command is the owner's.
    """

    instead: str
    """What to do instead, as the end of a sentence."""

    def execute(self, *args: Any, **options: Any) -> Any:
        if deed := self.describe_deed(options):
            refuse_to_destroy_money(deed=deed, instead=self.instead, using=options.get("database") or DEFAULT_DB_ALIAS)
        return super().execute(*args, **options)

    def describe_deed(self, options: dict[str, Any]) -> str | None:
        """Return the command in words if it destroys something with these options, else None."""
        return f"manage.py {type(self).__module__.rpartition('.')[2]}"


def _refuse_to_undo(*, plan: Iterable[tuple[Migration, bool]], using: str, **_: Any) -> None:
    undone = [f"{migration.app_label}.{migration.name}" for migration, backwards in plan if backwards]
    if undone:
        refuse_to_destroy_money(
            deed=f"undoing {undone[-1]}",
            instead=INSTEAD_OF_UNDOING,
            using=using,
        )


def _holds_money(cursor: Any, table: str) -> bool:
    condition = SQL(_ONLY.get(table, ""))
    cursor.execute(SQL("SELECT EXISTS (SELECT FROM {} {})").format(Identifier(table), condition))
    found: bool = cursor.fetchone()[0]
    return found
