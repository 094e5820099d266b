"""Admin page of deposits, on which staff decide about those of nobody."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString

from wallets.admin.actions import DollarsForm, Question, ReasonForm, ask_for_reason, ask_staff, reported
from wallets.admin.proposals import ask_about
from wallets.admin.records import RecordAdmin, badge, dollars, find_customers, is_id, link_to, link_to_list
from wallets.models import Deposit, DepositState, User
from wallets.services.deposits import assign_deposit, send_deposit_back
from wallets.services.money_kinds import RETURN


class _ReturnForm(DollarsForm):
    """Asks staff for the bank's reference of a return too."""

    reference = forms.CharField(max_length=100, help_text="The bank's name of the return")
    field_order = ("amount", "reference", "reason")


class CustomerForm(ReasonForm):
    """Asks staff for a customer too."""

    customer = forms.CharField(max_length=150, help_text="The whole username", strip=False)
    field_order = ("customer", "reason")

    def clean_customer(self) -> User:
        """Return the customer of this name. Raises ValidationError for none, and for a name that two have."""
        found = find_customers(self.cleaned_data["customer"])
        if len(found) != 1:
            raise ValidationError("There is no such customer.")
        return User.objects.get(pk=found[0])


@admin.register(Deposit)
class DepositAdmin(RecordAdmin):
    list_display = (
        "id",
        "created_at",
        "standing",
        "value",
        "taken_back",
        "of",
        "source",
        "reference",
        "received_at",
        "note",
    )
    list_filter = ("state",)
    list_select_related = ("customer",)
    actions = ("assign", "send_back", "take_back")
    object_actions = actions
    search_fields = ("reference",)
    search_help_text = "The whole username or reference, or the id of a deposit"
    fields = (
        "standing",
        "value",
        "taken_back",
        "of",
        "source",
        "reference",
        "received_at",
        "created_at",
        "note",
        "decided_by",
        "approved_by",
        "decided_at",
    )
    readonly_fields = fields

    def find(self, term: str) -> Q:
        if is_id(term):
            return Q(pk=int(term)) | Q(reference=term)
        customers = find_customers(term)
        return Q(customer_id__in=customers) if customers else Q(reference=term)

    @admin.display(description="State")
    def standing(self, deposit: Deposit) -> SafeString | str:
        return badge(deposit.state, deposit.get_state_display())

    @admin.display(description="USD")
    def value(self, deposit: Deposit) -> str:
        return dollars(deposit.amount)

    @admin.display(description="Taken back (USD)")
    def taken_back(self, deposit: Deposit) -> SafeString | str:
        shown = dollars(deposit.returned) if deposit.returned else None
        return link_to_list("wallets_return", shown, deposit__id__exact=deposit.pk) if shown else "-"

    @admin.display(description="Customer")
    def of(self, deposit: Deposit) -> SafeString | str:
        return link_to("wallets_user", deposit.customer_id, deposit.customer)

    def fits(self, record: Deposit, action: str) -> bool:
        if action == "take_back":
            return record.state != DepositState.SENT_BACK and record.kept > 0
        return record.state == DepositState.UNASSIGNED and record.kept > 0

    def has_take_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("wallets.take_return")

    def has_decide_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("wallets.decide_deposit")

    @admin.action(description="Assign to a customer", permissions=["decide"])
    def assign(self, request: HttpRequest, queryset: QuerySet[Deposit]) -> HttpResponse | None:
        question = Question(action="assign", title="Assign these deposits to a customer", form_class=CustomerForm)
        given = ask_staff(page=self, request=request, chosen=queryset, question=question)
        if isinstance(given, HttpResponse):
            return given
        customer, reason = given["customer"], given["reason"]
        self._decide(request, queryset, f"Assigned to {customer}: {reason}", customer=customer, reason=reason)
        return None

    @admin.action(description="Send back", permissions=["decide"])
    def send_back(self, request: HttpRequest, queryset: QuerySet[Deposit]) -> HttpResponse | None:
        reason = ask_for_reason(
            page=self, request=request, chosen=queryset, action="send_back", title="Send these deposits back"
        )
        if isinstance(reason, HttpResponse):
            return reason
        self._decide(request, queryset, f"Sent back: {reason}", customer=None, reason=reason)
        return None

    @admin.action(description="Taken back by its bank", permissions=["take"])
    def take_back(self, request: HttpRequest, queryset: QuerySet[Deposit]) -> HttpResponse | None:
        """Ask that the chosen deposit is taken back, in part or in whole, because its bank did so."""
        question = Question(action="take_back", title="Its bank took this deposit back", form_class=_ReturnForm)
        given = ask_staff(page=self, request=request, chosen=queryset, question=question)
        if isinstance(given, HttpResponse):
            return given
        for deposit in queryset:
            with reported(page=self, request=request, item=deposit):
                payload = RETURN.payload_of(
                    deposit_id=deposit.pk, amount=given["amount"], reference=given["reference"], note=given["reason"]
                )
                kind, reason = RETURN.name, given["reason"]
                ask_about(page=self, request=request, record=deposit, kind=kind, payload=payload, reason=reason)
        return None

    def _decide(
        self, request: HttpRequest, chosen: QuerySet[Deposit], done: str, *, customer: User | None, reason: str
    ) -> None:
        people: dict[str, Any] = {"by": request.user, "approved_by": None, "note": reason}
        for deposit in chosen:
            with reported(page=self, request=request, item=deposit):
                if customer is None:
                    send_deposit_back(deposit_id=deposit.pk, **people)
                else:
                    assign_deposit(deposit_id=deposit.pk, customer_id=customer.pk, **people)
                self.log_change(request, deposit, done)
                self.message_user(request, f"{deposit}: {done}")
