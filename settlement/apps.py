from typing import Any

from django.apps import AppConfig
from django.core.checks import register
from django.db import connections
from django.db.models.signals import post_migrate


class SettlementConfig(AppConfig):
    name = "settlement"

    def ready(self) -> None:
        # Imported here: models cannot be loaded before the registry is ready.
        from settlement.checks import VENUE_TAG, check_settings
        from settlement.services.exporting import read_statements_since
        from settlement.services.proposals import register_kinds
        from wallets.services.payouts.guards import register_reader

        register(check_settings, VENUE_TAG)
        register_kinds()
        register_reader(read_statements_since)
        post_migrate.connect(_begin_watch, sender=self)


def _begin_watch(*, using: str, **_: Any) -> None:
    """Make the installation's code and the first venue's row after `migrate`, as soon as their tables exist."""
    from settlement.models import DatabaseWatch, VenueEntry, add_venues, begin_watch

    tables = connections[using].introspection.table_names()
    if DatabaseWatch._meta.db_table in tables:  # noqa: SLF001  the documented way
        begin_watch(using=using)
    if VenueEntry._meta.db_table in tables:  # noqa: SLF001  the documented way
        add_venues(using=using)
