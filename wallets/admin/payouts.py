"""Admin pages of payees, payouts and the files for the bank. Account numbers are masked."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString

from wallets.admin.actions import Question, ReasonForm, ask_staff, reported
from wallets.admin.proposals import ask_to_do
from wallets.admin.records import (
    RecordAdmin,
    badge,
    dollars,
    find_customers,
    is_id,
    link_to,
    link_to_lines,
    link_to_list,
)
from wallets.models import PAYABLE, Payee, Payout, PayoutFile, PayoutState
from wallets.services.payouts.kinds import PAYOUT, PAYOUT_OUTCOME
from wallets.services.payouts.outcomes import MAY_BECOME

_STATES = {
    "approve": PayoutState.APPROVED,
    "reject": PayoutState.REJECTED,
    "mark_paid": PayoutState.PAID,
    "mark_failed": PayoutState.FAILED,
    "mark_returned": PayoutState.RETURNED,
}
"""The state that each action leads to."""
_TOLD = frozenset({PayoutState.REJECTED, PayoutState.FAILED, PayoutState.RETURNED})
"""The states of which the customer is told why."""


class _ToldForm(ReasonForm):
    """Asks staff for two texts: a reason that stays among staff, and one that the customer reads."""

    told = forms.CharField(
        label="For the customer",
        max_length=200,
        required=False,
        widget=forms.TextInput(attrs={"size": 60}),
        help_text="The customer reads this with the payout. Without it they read no reason.",
    )
    field_order = ("told", "reason")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reason"].help_text = "For staff. The customer never reads this."


@admin.register(Payee)
class PayeeAdmin(RecordAdmin):
    list_display = ("id", "of", "account_masked", "usable_at", "removed_at", "payouts")
    list_select_related = ("customer",)
    search_fields = ("id",)
    search_help_text = "The whole username, or the id of a payee"
    fields = ("of", "account_masked", "created_at", "usable_at", "removed_at", "payouts")
    readonly_fields = fields

    def find(self, term: str) -> Q:
        return Q(pk=int(term)) if is_id(term) else Q(customer_id__in=find_customers(term))

    @admin.display(description="Customer")
    def of(self, payee: Payee) -> SafeString | str:
        return link_to("wallets_user", payee.customer_id, payee.customer)

    @admin.display(description="Account")
    def account_masked(self, payee: Payee) -> str:
        return payee.bank_account.masked

    @admin.display(description="Payouts")
    def payouts(self, payee: Payee) -> SafeString | str:
        return link_to_list("wallets_payout", "payouts", payee__id__exact=payee.pk)


@admin.register(Payout)
class PayoutAdmin(RecordAdmin):
    list_display = ("id", "created_at", "standing", "value", "of", "to", "by_itself", "told")
    list_filter = ("state",)
    list_select_related = ("customer", "payee", "file")
    actions = tuple(_STATES)
    object_actions = tuple(_STATES)
    search_fields = ("end_to_end_id",)
    search_help_text = "The whole username or end-to-end id, or the id of a payout"
    fields = (
        "standing",
        "value",
        "of",
        "to",
        "by_itself",
        "end_to_end_id",
        "in_file",
        "bank_reference",
        "lines",
        "told",
        "came_back",
        "created_at",
        "approved_at",
        "rejected_at",
        "cancelled_at",
        "sent_at",
        "paid_at",
        "failed_at",
        "returned_at",
    )
    readonly_fields = fields

    def lookup_allowed(self, lookup: str, value: Any, request: Any = None) -> bool:
        return lookup in {"payee__id__exact", "file__id__exact"} or super().lookup_allowed(lookup, value, request)

    def find(self, term: str) -> Q:
        if is_id(term):
            return Q(pk=int(term))
        customers = find_customers(term)
        return Q(customer_id__in=customers) if customers else Q(end_to_end_id=term)

    def fits(self, record: Payout, action: str) -> bool:
        becomes = _STATES[action]
        if becomes is PayoutState.APPROVED:
            return record.state == PayoutState.REQUESTED
        return record.state in MAY_BECOME.get(becomes, PAYABLE)

    @admin.display(description="State")
    def standing(self, payout: Payout) -> SafeString | str:
        return badge(payout.state, payout.get_state_display().lower())

    @admin.display(description="USD")
    def value(self, payout: Payout) -> str:
        return dollars(payout.amount)

    @admin.display(description="Customer")
    def of(self, payout: Payout) -> SafeString | str:
        return link_to("wallets_user", payout.customer_id, payout.customer)

    @admin.display(description="To")
    def to(self, payout: Payout) -> SafeString | str:
        masked = payout.payee.bank_account.masked if payout.payee else None
        return link_to("wallets_payee", payout.payee_id, masked)

    @admin.display(description="Without staff", boolean=True)
    def by_itself(self, payout: Payout) -> bool:
        return payout.is_automatic

    @admin.display(description="File")
    def in_file(self, payout: Payout) -> SafeString | str:
        return link_to("wallets_payoutfile", payout.file_id, payout.file)

    @admin.display(description="Told to the customer")
    def told(self, payout: Payout) -> str:
        return payout.reason or "-"

    @admin.display(description="Came back as deposit")
    def came_back(self, payout: Payout) -> SafeString | str:
        return link_to("wallets_deposit", payout.came_back_as_id)

    @admin.display(description="Bank statement")
    def lines(self, payout: Payout) -> SafeString | str:
        """Link to the lines by which the bank has answered."""
        return link_to_lines(payout.lines.all(), payout__id__exact=payout.pk)

    def has_decide_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("wallets.decide_payout")

    @admin.action(description="Approve", permissions=["decide"])
    def approve(self, request: HttpRequest, queryset: QuerySet[Payout]) -> HttpResponse | None:
        return self._ask(request, queryset, "approve")

    @admin.action(description="Reject", permissions=["decide"])
    def reject(self, request: HttpRequest, queryset: QuerySet[Payout]) -> HttpResponse | None:
        return self._ask(request, queryset, "reject")

    @admin.action(description="Mark as paid", permissions=["decide"])
    def mark_paid(self, request: HttpRequest, queryset: QuerySet[Payout]) -> HttpResponse | None:
        return self._ask(request, queryset, "mark_paid")

    @admin.action(description="Mark as failed", permissions=["decide"])
    def mark_failed(self, request: HttpRequest, queryset: QuerySet[Payout]) -> HttpResponse | None:
        return self._ask(request, queryset, "mark_failed")

    @admin.action(description="Mark as returned", permissions=["decide"])
    def mark_returned(self, request: HttpRequest, queryset: QuerySet[Payout]) -> HttpResponse | None:
        return self._ask(request, queryset, "mark_returned")

    def _ask(self, request: HttpRequest, chosen: QuerySet[Payout], action: str) -> HttpResponse | None:
        """Ask for a reason, and for what the customer is told, and propose the deed for each payout."""
        becomes = _STATES[action]
        title = f"{action.replace('_', ' as ').capitalize()}: these payouts"
        form = _ToldForm if becomes in _TOLD else ReasonForm
        question = Question(action=action, title=title, form_class=form)
        given = ask_staff(page=self, request=request, chosen=chosen, question=question)
        if isinstance(given, HttpResponse):
            return given
        reason, told = given["reason"], given.get("told", "")
        kind = PAYOUT_OUTCOME if becomes in MAY_BECOME else PAYOUT
        for payout in chosen:
            with reported(page=self, request=request, item=payout):
                payload = kind.payload_of(payout=payout, becomes=becomes, told=told)
                proposal = ask_to_do(page=self, request=request, kind=kind.name, payload=payload, reason=reason)
                if not proposal.needs_two:
                    self.message_user(request, f"{payout}: {becomes.value}")
                self.log_change(request, payout, f"{'Asked for' if proposal.needs_two else 'Done'}: {proposal}")
        return None


@admin.register(PayoutFile)
class PayoutFileAdmin(RecordAdmin):
    list_display = ("id", "message_id", "made_at", "made_by", "written_at", "count", "sum", "payouts")
    list_select_related = ("made_by",)
    search_fields = ("message_id",)
    search_help_text = "The whole message id, or the id of a file"
    fields = (*list_display, "account", "sha256")
    readonly_fields = fields

    def find(self, term: str) -> Q:
        return Q(pk=int(term)) if is_id(term) else Q(message_id=term)

    @admin.display(description="USD")
    def sum(self, file: PayoutFile) -> str:
        return dollars(file.total)

    @admin.display(description="Payouts")
    def payouts(self, file: PayoutFile) -> SafeString | str:
        return link_to_list("wallets_payout", "payouts", file__id__exact=file.pk)
