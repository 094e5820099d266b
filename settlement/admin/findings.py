"""Admin pages for findings, which staff can close."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from settlement.models import Finding, FindingDecision, FindingKind
from settlement.services.finding_kinds import ADOPTION, CLOSE_FINDING
from wallets.admin.actions import acts_on_chosen, ask_for_reason, reported
from wallets.admin.proposals import ask_to_do
from wallets.admin.records import RecordAdmin


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
    list_display = (
        "id",
        "kind",
        "subject",
        "ours",
        "theirs",
        "amount",
        "found_at",
        "closed_at",
        "note",
        "decision",
    )
    list_filter = (_OpenFindingsFilter, "kind")
    list_select_related = ("coin", "attempt")
    search_help_text = "The id of a finding"
    search_fields = ("id",)
    actions = ("close", "adopt", "not_ours")
    object_actions = ("close", "adopt", "not_ours")

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("settlement.change_finding")

    def fits(self, record: Finding, action: str) -> bool:
        """Offer to adopt only orders that we do not know, and to close only other findings."""
        is_undecided = record.closed_at is None and not record.decision
        return is_undecided and (record.kind == FindingKind.EXTRA) == (action != "close")

    @admin.action(description="Close", permissions=["operate"])
    def close(self, request: HttpRequest, queryset: QuerySet[Finding]) -> HttpResponse | None:
        note = ask_for_reason(page=self, request=request, chosen=queryset, action="close", title="Close these findings")
        if isinstance(note, HttpResponse):
            return note
        for finding in queryset:
            with reported(page=self, request=request, item=finding):
                self._close(request, finding, note=note)
        return None

    @admin.action(description="Adopt: the order is ours", permissions=["operate"])
    def adopt(self, request: HttpRequest, queryset: QuerySet[Finding]) -> HttpResponse | None:
        return self._decide(request, queryset, FindingDecision.ADOPT)

    @admin.action(description="Not ours", permissions=["operate"])
    def not_ours(self, request: HttpRequest, queryset: QuerySet[Finding]) -> HttpResponse | None:
        return self._decide(request, queryset, FindingDecision.NOT_OURS)

    def _decide(
        self, request: HttpRequest, queryset: QuerySet[Finding], decision: FindingDecision
    ) -> HttpResponse | None:
        action = "adopt" if decision == FindingDecision.ADOPT else "not_ours"
        title = "Adopt these orders" if decision == FindingDecision.ADOPT else "These orders are not ours"
        note = ask_for_reason(page=self, request=request, chosen=queryset, action=action, title=title)
        if isinstance(note, HttpResponse):
            return note
        for finding in queryset:
            with reported(page=self, request=request, item=finding):
                if decision == FindingDecision.ADOPT:
                    self._adopt(request, finding, note=note)
                else:
                    self._close(request, finding, note=note, is_not_ours=True)
        return None

    def _close(self, request: HttpRequest, finding: Finding, *, note: str, is_not_ours: bool = False) -> None:
        payload = CLOSE_FINDING.payload_of(finding=finding, note=note, is_not_ours=is_not_ours)
        proposal = ask_to_do(page=self, request=request, kind=CLOSE_FINDING.name, payload=payload, reason=note)
        self.log_change(request, finding, f"{FindingDecision.NOT_OURS.label if is_not_ours else 'Closed'}: {note}")
        self.message_user(request, proposal.record.detail)

    def _adopt(self, request: HttpRequest, finding: Finding, *, note: str) -> None:
        payload = ADOPTION.payload_of(finding=finding, note=note)
        proposal = ask_to_do(page=self, request=request, kind=ADOPTION.name, payload=payload, reason=note)
        if proposal.needs_two:
            self.log_change(request, finding, f"Asked for {proposal}")
        else:
            self.log_change(request, finding, f"{FindingDecision.ADOPT.label}: {note}")
            self.message_user(request, proposal.record.detail)
