"""Admin page of break-glass requests, which every member of staff sees and can revoke."""

from typing import Any, cast

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString

from wallets.admin.actions import ask_for_reason, reported
from wallets.admin.records import RecordAdmin, badge, link_to
from wallets.models import BreakGlass, User
from wallets.services.break_glass import revoke


@admin.register(BreakGlass)
class BreakGlassAdmin(RecordAdmin):
    """Needs no permission: all staff are told of a request, and may stop it."""

    list_display = ("id", "who", "reason", "asked_from", "asked_at", "ready_at", "state", "ended_by", "ended_at")
    list_select_related = ("user", "ended_by")
    ordering = ("-id",)
    search_fields = ("id",)
    search_help_text = "The id of a request"
    actions = ("revoke",)
    object_actions = ("revoke",)
    fields = (*list_display, "note")
    readonly_fields = fields

    def has_module_permission(self, request: HttpRequest) -> bool:
        return _is_staff(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _is_staff(request)

    def fits(self, record: BreakGlass, action: str) -> bool:
        return record.outcome is None

    @admin.display(description="To be a superuser")
    def who(self, asked: BreakGlass) -> SafeString | str:
        return link_to("wallets_user", asked.user_id, asked.user)

    @admin.display(description="State")
    def state(self, asked: BreakGlass) -> SafeString | str:
        return badge(asked.outcome, asked.get_outcome_display()) if asked.outcome else badge("undecided", "waits")

    @admin.action(description="Revoke", permissions=["view"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[BreakGlass]) -> HttpResponse | None:
        title = "Revoke these requests"
        note = ask_for_reason(page=self, request=request, chosen=queryset, action="revoke", title=title)
        if isinstance(note, HttpResponse):
            return note
        for asked in queryset:
            with reported(page=self, request=request, item=asked):
                revoke(request_id=asked.pk, revoked_by=cast("User", request.user), note=note)
                self.log_change(request, asked, f"Revoked: {note}")
                self.message_user(request, f"Revoked: {asked}")
        return None


def _is_staff(request: HttpRequest) -> bool:
    return bool(request.user.is_active and request.user.is_staff)
