"""Attempts, read-only."""

from django.contrib import admin
from django.db.models import Q
from django.utils.safestring import SafeString

from settlement.models import Attempt
from wallets.admin.records import RecordAdmin, badge, link_to


@admin.register(Attempt)
class AttemptAdmin(RecordAdmin):
    list_display = (
        "id",
        "status",
        "batch_link",
        "coin",
        "quantity",
        "executed",
        "cost",
        "lookups",
        "created_at",
        "reason",
    )
    list_filter = ("state", "coin")
    list_select_related = ("coin", "batch")
    search_fields = ("client_order_id",)
    search_help_text = "The client order id or the venue's order id"

    def find(self, term: str) -> Q:
        return Q(client_order_id=term) | Q(venue_order_id=term)

    @admin.display(description="State")
    def status(self, attempt: Attempt) -> SafeString | str:
        return badge(attempt.state)

    @admin.display(description="Batch")
    def batch_link(self, attempt: Attempt) -> SafeString | str:
        return link_to("settlement_batch", attempt.batch_id)
