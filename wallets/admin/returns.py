"""Admin page of returns: deposits that banks took back. Staff find the deposits of waiting ones."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString

from wallets.admin.actions import Question, ReasonForm, ask_for_reason, ask_staff, reported
from wallets.admin.proposals import ask_about
from wallets.admin.records import RecordAdmin, badge, dollars, find_customers, is_id, link_to
from wallets.models import Return, ReturnState, User
from wallets.services.money_kinds import PUT_ASIDE, RETURN, WON_BACK
from wallets.services.returns.winning import mark_seen


class _DepositForm(ReasonForm):
    """Asks staff for a deposit too."""

    deposit = forms.IntegerField(min_value=1, max_value=2**63 - 1, help_text="The id of the deposit")
    field_order = ("deposit", "reason")


class _WonForm(ReasonForm):
    """Asks staff which deposits are other payments than the dollars that are won back."""

    others = forms.RegexField(
        r"^\s*(\d{1,18}(\s*,\s*\d{1,18})*)?\s*$",
        required=False,
        label="Other payments",
        help_text="The ids of deposits of the same amount that have come in since and are other payments, with commas",
    )
    field_order = ("others", "reason")


@admin.register(Return)
class ReturnAdmin(RecordAdmin):
    list_display = ("id", "created_at", "standing", "value", "of", "of_deposit", "parts", "reference", "note")
    list_filter = ("state",)
    list_select_related = ("customer",)
    actions = ("take", "put_aside", "win_back", "mark_as_seen")
    object_actions = actions
    search_fields = ("reference",)
    search_help_text = "The whole username or reference, or the id of a return"
    fields = (
        *list_display[1:],
        "source",
        "named",
        "received_at",
        "told_by",
        "decided_by",
        "approved_by",
        "won_at",
        "seen_by",
        "seen_at",
    )
    readonly_fields = fields

    def lookup_allowed(self, lookup: str, value: Any, request: Any = None) -> bool:
        return lookup == "deposit__id__exact" or super().lookup_allowed(lookup, value, request)

    def find(self, term: str) -> Q:
        if is_id(term):
            return Q(pk=int(term)) | Q(reference=term)
        customers = find_customers(term)
        return Q(customer_id__in=customers) if customers else Q(reference=term)

    def fits(self, record: Return, action: str) -> bool:
        if action == "mark_as_seen":
            return record.seen_at is None and record.state != ReturnState.WAITING
        if action == "put_aside" and record.seen_at is not None:
            return False
        return record.state == (ReturnState.TAKEN if action == "win_back" else ReturnState.WAITING)

    def has_take_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("wallets.take_return")

    @admin.display(description="State")
    def standing(self, row: Return) -> SafeString | str:
        is_put_aside = row.state == ReturnState.WAITING and row.seen_at is not None
        return badge(row.state, "put aside" if is_put_aside else row.get_state_display().lower())

    @admin.display(description="USD")
    def value(self, row: Return) -> str:
        return dollars(row.amount)

    @admin.display(description="Customer")
    def of(self, row: Return) -> SafeString | str:
        return link_to("wallets_user", row.customer_id, row.customer)

    @admin.display(description="Deposit")
    def of_deposit(self, row: Return) -> SafeString | str:
        return link_to("wallets_deposit", row.deposit_id)

    @admin.display(description="Line")
    def told_by(self, row: Return) -> SafeString | str:
        return link_to("wallets_statementline", row.line_id)

    @admin.display(description="From the wallet + owed (USD)")
    def parts(self, row: Return) -> str:
        return f"{dollars(row.taken)} + {dollars(row.owed)}"

    @admin.action(description="Take a deposit back", permissions=["take"])
    def take(self, request: HttpRequest, queryset: QuerySet[Return]) -> HttpResponse | None:
        """Ask that the deposit is taken back for which the chosen return has waited."""
        question = Question(action="take", title="Take this deposit back", form_class=_DepositForm)
        given = ask_staff(page=self, request=request, chosen=queryset, question=question)
        if isinstance(given, HttpResponse):
            return given
        for row in queryset:
            with reported(page=self, request=request, item=row):
                payload = RETURN.payload_for_waiting(waiting=row, deposit_id=given["deposit"], note=given["reason"])
                self._ask(request, row, RETURN.name, payload, given["reason"])
        return None

    @admin.action(description="Put aside", permissions=["take"])
    def put_aside(self, request: HttpRequest, queryset: QuerySet[Return]) -> HttpResponse | None:
        """Ask that the chosen returns, whose deposits have not come, leave the to-do page. Nothing is booked."""
        title = "Put these returns aside until their deposits come"
        reason = ask_for_reason(page=self, request=request, chosen=queryset, action="put_aside", title=title)
        if isinstance(reason, HttpResponse):
            return reason
        for row in queryset:
            with reported(page=self, request=request, item=row):
                self._ask(request, row, PUT_ASIDE.name, PUT_ASIDE.payload_of(return_id=row.pk), reason)
        return None

    @admin.action(description="Won back", permissions=["take"])
    def win_back(self, request: HttpRequest, queryset: QuerySet[Return]) -> HttpResponse | None:
        """Ask that the chosen returns are reversed, because the bank has given the dollars to us again."""
        question = Question(action="win_back", title="Book that these returns are won back", form_class=_WonForm)
        given = ask_staff(page=self, request=request, chosen=queryset, question=question)
        if isinstance(given, HttpResponse):
            return given
        others = [int(each) for each in given["others"].split(",") if each.strip()]
        for row in queryset:
            with reported(page=self, request=request, item=row):
                payload = WON_BACK.payload_of(return_id=row.pk, others=others)
                self._ask(request, row, WON_BACK.name, payload, given["reason"])
        return None

    @admin.action(description="Mark as seen", permissions=["take"])
    def mark_as_seen(self, request: HttpRequest, queryset: QuerySet[Return]) -> HttpResponse | None:
        """Take the chosen returns off the to-do page. What is owed stays there."""
        title = "Take these returns off the to-do page"
        reason = ask_for_reason(page=self, request=request, chosen=queryset, action="mark_as_seen", title=title)
        if isinstance(reason, HttpResponse):
            return reason
        assert isinstance(request.user, User)
        for row in queryset:
            with reported(page=self, request=request, item=row):
                mark_seen(return_id=row.pk, by=request.user)
                self.log_change(request, row, f"Seen: {reason}")
                self.message_user(request, f"Seen: {row}")
        return None

    def _ask(self, request: HttpRequest, row: Return, kind: str, payload: dict[str, Any], reason: str) -> None:
        ask_about(page=self, request=request, record=row, kind=kind, payload=payload, reason=reason)
