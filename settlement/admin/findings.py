"""Admin pages for findings, which staff can close."""

from typing import Any, cast

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from settlement.models import Finding
from settlement.services.findings import close_finding
from wallets.admin.actions import acts_on_chosen, ask_for_reason, reported
from wallets.admin.records import RecordAdmin
from wallets.models import User
from wallets.runtime import clock


class _OpenFindingsFilter(admin.SimpleListFilter):
    """Show open findings, unless staff choose closed findings or all."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("closed", "Closed"), ("all", "All")]

    def choices(self, changelist: Any) -> Any:
        found = list(super().choices(changelist))
        return [{**found[0], "display": "Open"}, *found[1:]]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "all" or acts_on_chosen(request):
            return queryset
        return queryset.filter(closed_at__isnull=self.value() != "closed")


@admin.register(Finding)
class FindingAdmin(RecordAdmin):
    list_display = ("id", "kind", "subject", "ours", "theirs", "amount", "found_at", "seen_at", "closed_at", "note")
    list_filter = (_OpenFindingsFilter, "kind")
    list_select_related = ("coin", "attempt")
    search_help_text = "The id of a finding"
    search_fields = ("id",)
    actions = ("close",)
    object_actions = ("close",)

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("settlement.change_finding")

    @admin.action(description="Close", permissions=["operate"])
    def close(self, request: HttpRequest, queryset: QuerySet[Finding]) -> HttpResponse | None:
        note = ask_for_reason(page=self, request=request, chosen=queryset, action="close", title="Close these findings")
        if isinstance(note, HttpResponse):
            return note
        for finding in queryset:
            with reported(page=self, request=request, item=finding):
                if close_finding(finding=finding, closed_by=cast("User", request.user), note=note, now=clock.now()):
                    self.log_change(request, finding, f"Closed: {note}")
                    self.message_user(request, f"{finding} is closed.")
                else:
                    self.message_user(request, f"{finding} is closed already.", messages.ERROR)
        return None
