"""Admin pages of imported bank statements, which staff approve or reject, and of their lines."""

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString

from wallets.admin.actions import ask_for_reason, reported
from wallets.admin.records import RecordAdmin, badge, dollars, is_id, link_to, link_to_list
from wallets.models import Statement, StatementLine, StatementState, User
from wallets.selectors.sealed import open_text
from wallets.services.crediting_statements import approve_statement, reject_statement


@admin.register(Statement)
class StatementAdmin(RecordAdmin):
    list_display = ("id", "imported_at", "standing", "account", "sums", "imported_by", "decided_by", "lines")
    list_filter = ("state",)
    list_select_related = ("imported_by", "decided_by")
    actions = ("approve", "reject")
    object_actions = ("approve", "reject")
    search_fields = ("id",)
    search_help_text = "The id of a statement"
    fields = (
        "standing",
        "account",
        "sums",
        "counts",
        "lines",
        "file_name",
        "sha256",
        "previous",
        "imported_by",
        "imported_at",
        "decided_by",
        "decided_at",
    )
    readonly_fields = fields

    def fits(self, record: Statement, action: str) -> bool:
        return record.state == StatementState.WAITING

    def has_approve_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("wallets.approve_statement")

    @admin.action(description="Approve", permissions=["approve"])
    def approve(self, request: HttpRequest, queryset: QuerySet[Statement]) -> HttpResponse | None:
        """Let the chosen statements be credited by a worker. The person is the second one, unless they imported it."""
        return self._decide(request, queryset, "approve")

    @admin.action(description="Reject", permissions=["approve"])
    def reject(self, request: HttpRequest, queryset: QuerySet[Statement]) -> HttpResponse | None:
        """Put the chosen statements aside, as if they had never been imported."""
        return self._decide(request, queryset, "reject")

    def _decide(self, request: HttpRequest, chosen: QuerySet[Statement], action: str) -> HttpResponse | None:
        title = f"{action.title()} these statements"
        reason = ask_for_reason(page=self, request=request, chosen=chosen, action=action, title=title)
        if isinstance(reason, HttpResponse):
            return reason
        assert isinstance(request.user, User)
        for statement in chosen.order_by("id" if action == "approve" else "-id"):
            with reported(page=self, request=request, item=statement):
                _carry_out(statement, action, by=request.user)
                self.log_change(request, statement, f"{action.title()}: {reason}")
                self.message_user(request, f"{action.title()}: {statement}")
        return None

    @admin.display(description="State")
    def standing(self, statement: Statement) -> SafeString | str:
        return badge(statement.state, statement.get_state_display())

    @admin.display(description="Opening + credits \N{MINUS SIGN} debits = closing (USD)")
    def sums(self, statement: Statement) -> str:
        figures = (statement.opening, statement.credits, statement.debits, statement.closing)
        opening, credits_, debits, closing = map(dollars, figures)
        return f"{opening} + {credits_} \N{MINUS SIGN} {debits} = {closing}"

    @admin.display(description="Lines")
    def lines(self, statement: Statement) -> SafeString | str:
        return link_to_list("wallets_statementline", "lines", statement__id__exact=statement.pk)


def _carry_out(statement: Statement, action: str, *, by: User) -> None:
    if action == "reject":
        reject_statement(statement_id=statement.pk, by=by)
    elif by.pk == statement.imported_by_id:
        approve_statement(statement_id=statement.pk, by=by, approved_by=None)
    else:
        approve_statement(statement_id=statement.pk, by=statement.imported_by, approved_by=by)


@admin.register(StatementLine)
class StatementLineAdmin(RecordAdmin):
    list_display = ("id", "statement", "kind", "value", "booked_on", "payer", "told", "of", "remark", "paid_in")
    list_filter = ("kind",)
    list_select_related = ("customer__personal_key", "statement")
    search_fields = ("key",)
    search_help_text = "The bank's whole reference, or the id of a line"
    fields = (*list_display, "number", "reference")
    readonly_fields = fields

    def lookup_allowed(self, lookup: str, value: Any, request: Any = None) -> bool:
        return lookup == "statement__id__exact" or super().lookup_allowed(lookup, value, request)

    def find(self, term: str) -> Q:
        return Q(key=term) | Q(pk=int(term)) if is_id(term) else Q(key=term)

    @admin.display(description="USD")
    def value(self, line: StatementLine) -> str:
        return dollars(line.amount)

    @admin.display(description="Counterparty")
    def payer(self, line: StatementLine) -> str:
        return open_text(text=line.counterparty, customer=line.customer) or "-"

    @admin.display(description="Text")
    def told(self, line: StatementLine) -> str:
        return open_text(text=line.text, customer=line.customer) or "-"

    @admin.display(description="Customer")
    def of(self, line: StatementLine) -> SafeString | str:
        return link_to("wallets_user", line.customer_id, line.customer)

    @admin.display(description="Deposit")
    def paid_in(self, line: StatementLine) -> SafeString | str:
        return link_to("wallets_deposit", line.deposit_id)
