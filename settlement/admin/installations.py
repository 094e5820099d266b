"""Admin pages of the installation and of the watch over its database, read-only."""

from django.contrib import admin

from settlement.models import DatabaseWatch, Installation
from wallets.admin.records import RecordAdmin


@admin.register(Installation)
class InstallationAdmin(RecordAdmin):
    """The code begins the random part of this installation's client order ids at the venue."""

    list_display = ("code", "created_at")
    search_fields = ("id",)
    search_help_text = "1"


@admin.register(DatabaseWatch)
class DatabaseWatchAdmin(RecordAdmin):
    """While the database is in doubt or stopped, nothing is sent to the venue."""

    list_display = ("__str__", "state", "doubt", "doubted_at", "stopped_at", "known_at")
    fields = (
        "state",
        "doubt",
        "doubted_at",
        "stopped_at",
        "found_",
        "known_at",
        "place",
        "doubted_place",
        "beat",
    )
    readonly_fields = fields
    search_fields = ("id",)
    search_help_text = "1"

    @admin.display(description="State")
    def state(self, watch: DatabaseWatch) -> str:
        if watch.stopped_at:
            return "stopped: nothing is sent until manage.py after_restore has run"
        return "in doubt: a worker asks the venue" if watch.doubted_at else "known"

    @admin.display(description="Found at the venue, and not in this database")
    def found_(self, watch: DatabaseWatch) -> str:
        return "; ".join(watch.found) or "-"
