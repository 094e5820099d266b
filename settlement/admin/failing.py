"""Items that keep failing, read-only: a row disappears when its item succeeds."""

from django.contrib import admin

from settlement.models import FailingItem
from wallets.admin.records import RecordAdmin


@admin.register(FailingItem)
class FailingItemAdmin(RecordAdmin):
    list_display = ("id", "what", "item", "error", "times", "since", "last_at", "retry_at")
    list_filter = ("what",)
    search_fields = ("id",)
    search_help_text = "The id of a row"
