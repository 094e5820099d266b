"""Admin page of the suspensions of coins whose price has jumped."""

from typing import cast

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from trading.models import Suspension
from trading.services.suspending import mark_seen
from wallets.admin.records import RecordAdmin
from wallets.models import User
from wallets.runtime import clock


@admin.register(Suspension)
class SuspensionAdmin(RecordAdmin):
    """Suspensions, with their readings and the second source's. A suspect price is accepted on the coin's page."""

    list_display = ("__str__", "price", "price_at", "ended_at", "outcome", "ended_price", "seen_at", "seen_by")
    list_filter = ("outcome",)
    list_select_related = ("coin", "seen_by")
    ordering = ("-id",)
    search_fields = ("id",)
    search_help_text = "The id of a suspension"
    actions = ("mark_seen",)
    object_actions = ("mark_seen",)

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("trading.change_suspension")

    @admin.action(description="Mark as seen", permissions=["operate"])
    def mark_seen(self, request: HttpRequest, queryset: QuerySet[Suspension]) -> None:
        """Take ended suspensions off the to-do page."""
        for suspension in queryset:
            if mark_seen(suspension=suspension, seen_by=cast("User", request.user), now=clock.now()):
                self.log_change(request, suspension, "Seen.")
            else:
                self.message_user(request, f"The {suspension} has not ended, or was seen.", messages.ERROR)
