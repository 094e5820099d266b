from django.contrib import admin

from settlement.models import Attempt, Batch
from wallets.admin import RecordAdmin


@admin.register(Batch)
class BatchAdmin(RecordAdmin):
    list_display = (
        "id",
        "created_at",
        "coin",
        "state",
        "orders_count",
        "needed",
        "charged",
        "reserved",
        "reason",
    )
    list_filter = ("state", "coin")
    list_select_related = ("coin",)


@admin.register(Attempt)
class AttemptAdmin(RecordAdmin):
    list_display = (
        "id",
        "created_at",
        "batch",
        "coin",
        "state",
        "quantity",
        "executed",
        "cost",
        "lookups",
        "reason",
    )
    list_filter = ("state", "coin")
    search_fields = ("client_order_id", "venue_order_id")
    list_select_related = ("batch", "coin")
