"""Admin pages of sales limits, which staff set, and of what may still be sold within them."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from trading.models import Headroom, SalesLimit
from trading.services.proposing.kinds import SALES_LIMIT
from wallets.admin.proposals import AddedByProposal, ask_to_save
from wallets.admin.records import RecordAdmin, dollars


@admin.register(SalesLimit)
class SalesLimitAdmin(AddedByProposal, RecordAdmin):
    """Limits are added and never changed. The newest of a coin holds, and so does the newest of all coins."""

    list_display = ("id", "of", "most_", "created_at", "created_by", "reason")
    list_filter = ("coin",)
    list_select_related = ("coin", "created_by")
    ordering = ("-id",)
    search_fields = ("id",)
    search_help_text = "The id of a limit"
    fields = ("coin", "most", "reason")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("trading.add_saleslimit")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Show when a limit that exists was set, and by whom."""
        return self.fields if obj is None else (*self.fields, "created_at", "created_by")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return () if obj is None else ("created_at", "created_by")

    @admin.display(description="Coin")
    def of(self, limit: SalesLimit) -> str:
        return str(limit.coin or "all coins")

    @admin.display(description="Most that is sold and not settled (USD)")
    def most_(self, limit: SalesLimit) -> str:
        return "no limit" if limit.most is None else dollars(limit.most)

    def save_model(self, request: HttpRequest, obj: SalesLimit, form: Any, change: bool) -> None:  # noqa: FBT001  Django's signature
        payload = SALES_LIMIT.payload_of(limit=obj)
        proposal = ask_to_save(page=self, request=request, kind=SALES_LIMIT.name, payload=payload, reason=obj.reason)
        if not proposal.needs_two:
            obj.pk = SalesLimit.objects.filter(created_by=request.user.pk).latest("pk").pk


@admin.register(Headroom)
class HeadroomAdmin(RecordAdmin):
    """What may still be sold, by the last count of a worker."""

    list_display = ("of", "used_", "most_", "room_", "near_since", "stopped_since", "counted_at")
    list_select_related = ("coin",)
    ordering = ("-coin",)
    search_fields = ("id",)
    search_help_text = "The id of a row"
    fields = ("coin", "used_", "most_", "room_", "whole_", "near_since", "stopped_since", "counted_at")
    readonly_fields = fields

    @admin.display(description="Coin")
    def of(self, counted: Headroom) -> str:
        return str(counted.coin or "all coins")

    @admin.display(description="Sold and not settled (USD)")
    def used_(self, counted: Headroom) -> str:
        return dollars(counted.used)

    @admin.display(description="Limit (USD)")
    def most_(self, counted: Headroom) -> str:
        return dollars(counted.most)

    @admin.display(description="May still be sold (USD)")
    def room_(self, counted: Headroom) -> str:
        return "any" if counted.room is None else dollars(counted.room)

    @admin.display(description="Staff are told when a fifth is left of (USD)")
    def whole_(self, counted: Headroom) -> str:
        return dollars(counted.whole)
