"""Admin page of deposits, on which staff book one by hand, and decide about those of nobody."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString

from wallets.admin.actions import DollarsForm, Question, ReasonForm, ask_for_reason, ask_staff, reported
from wallets.admin.proposals import AddedByProposal, ask_about, ask_to_do, ask_to_save
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
from wallets.models import Deposit, DepositState, User
from wallets.money import USD_PLACES
from wallets.selectors.sealed import open_text
from wallets.services.deposit_kinds import ASSIGNMENT, DEPOSIT, SEND_BACK
from wallets.services.money_kinds import RETURN
from wallets.services.payouts.line_kinds import CAME_BACK


def _find_customer(name: str) -> User:
    """Return the customer of this name. Raises ValidationError for none, and for a name that two have."""
    found = find_customers(name)
    if len(found) != 1:
        raise ValidationError("There is no such customer.")
    return User.objects.get(pk=found[0])


class _ReturnForm(DollarsForm):
    """Asks staff for the bank's reference of a return too."""

    reference = forms.CharField(max_length=100, help_text="The bank's name of the return")
    field_order = ("amount", "reference", "reason")


class _PayoutForm(ReasonForm):
    """Asks staff for a payout too."""

    payout = forms.IntegerField(min_value=1, max_value=2**63 - 1, help_text="The id of the payout that came back")
    field_order = ("payout", "reason")


class CustomerForm(ReasonForm):
    """Asks staff for a customer too."""

    customer = forms.CharField(max_length=150, help_text="The whole username", strip=False)
    field_order = ("customer", "reason")

    def clean_customer(self) -> User:
        """Return the customer of this name. Raises ValidationError for none."""
        return _find_customer(self.cleaned_data["customer"])


class DepositForm(forms.ModelForm):  # type: ignore[type-arg]  # of a deposit
    """Books a deposit that staff have seen on our account."""

    customer_name = forms.CharField(label="Customer", max_length=150, help_text="The whole username", strip=False)
    amount = forms.DecimalField(label="USD", min_value=Decimal("0.01"), max_digits=20, decimal_places=USD_PLACES)
    source = forms.CharField(max_length=64, help_text="The IBAN or number of our account that received the money")
    reference = forms.CharField(max_length=70, help_text="The bank's reference of the payment")
    received_on = forms.DateField(help_text="The day on which the bank booked it, such as 2026-01-31")
    reason = forms.CharField(max_length=500, widget=forms.TextInput(attrs={"size": 60}))

    class Meta:
        model = Deposit
        fields = ("amount", "source", "reference")

    def clean_customer_name(self) -> User:
        """Return the customer of this name. Raises ValidationError for none."""
        return _find_customer(self.cleaned_data["customer_name"])

    def _post_clean(self) -> None:
        """Leave the rules of the row to the service: the form has only a part of its columns."""


@admin.register(Deposit)
class DepositAdmin(AddedByProposal, RecordAdmin):
    form = DepositForm
    list_display = ("id", "received_at", "standing", "value", "taken_back", "of", "reference", "note")
    list_filter = ("state",)
    list_select_related = ("customer",)
    actions = ("assign", "came_back", "send_back", "take_back")
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
        "lines",
        "note",
        "decided_by",
        "approved_by",
        "decided_at",
    )

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("wallets.add_deposit")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fields if obj else ("customer_name", "amount", "source", "reference", "received_on", "reason")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fields if obj else ()

    def save_model(self, request: HttpRequest, obj: Deposit, form: Any, change: bool) -> None:  # noqa: FBT001  Django's signature
        given = form.cleaned_data
        payload = DEPOSIT.payload_of(
            customer_id=given["customer_name"].pk,
            **{name: given[name] for name in ("amount", "source", "reference", "received_on")},
        )
        proposal = ask_to_save(page=self, request=request, kind=DEPOSIT.name, payload=payload, reason=given["reason"])
        if not proposal.needs_two:
            booked = Deposit.objects.get(source=payload["source"], reference=open_text(text=payload["reference"]))
            vars(obj).update(vars(booked))

    def find(self, term: str) -> Q:
        if is_id(term):
            return Q(pk=int(term)) | Q(reference=term)
        customers = find_customers(term)
        return Q(customer_id__in=customers) if customers else Q(reference=term)

    @admin.display(description="State")
    def standing(self, deposit: Deposit) -> SafeString | str:
        return badge(deposit.state, deposit.get_state_display().lower())

    @admin.display(description="USD")
    def value(self, deposit: Deposit) -> str:
        return dollars(deposit.amount)

    @admin.display(description="Taken back (USD)")
    def taken_back(self, deposit: Deposit) -> SafeString | str:
        shown = dollars(deposit.returned) if deposit.returned else None
        return link_to_list("wallets_return", shown, deposit__id__exact=deposit.pk) if shown else "-"

    @admin.display(description="Bank statement")
    def lines(self, deposit: Deposit) -> SafeString | str:
        """Link to the lines that tell of the deposit: one, or several if statements repeat it. None for others."""
        return link_to_lines(deposit.lines.all(), deposit__id__exact=deposit.pk)

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
        self._ask(
            request,
            queryset,
            ASSIGNMENT.name,
            lambda deposit: ASSIGNMENT.payload_of(
                deposit=deposit, customer_id=given["customer"].pk, note=given["reason"]
            ),
            reason=given["reason"],
        )
        return None

    @admin.action(description="A payout that came back", permissions=["decide"])
    def came_back(self, request: HttpRequest, queryset: QuerySet[Deposit]) -> HttpResponse | None:
        question = Question(action="came_back", title="A payout has come back as this deposit", form_class=_PayoutForm)
        given = ask_staff(page=self, request=request, chosen=queryset, question=question)
        if isinstance(given, HttpResponse):
            return given
        self._ask(
            request,
            queryset,
            CAME_BACK.name,
            lambda deposit: CAME_BACK.payload_of(deposit=deposit, payout_id=given["payout"], note=given["reason"]),
            reason=given["reason"],
        )
        return None

    @admin.action(description="Send back", permissions=["decide"])
    def send_back(self, request: HttpRequest, queryset: QuerySet[Deposit]) -> HttpResponse | None:
        reason = ask_for_reason(
            page=self, request=request, chosen=queryset, action="send_back", title="Send these deposits back"
        )
        if isinstance(reason, HttpResponse):
            return reason
        self._ask(
            request,
            queryset,
            SEND_BACK.name,
            lambda deposit: SEND_BACK.payload_of(deposit=deposit, note=reason),
            reason=reason,
        )
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

    def _ask(
        self,
        request: HttpRequest,
        chosen: QuerySet[Deposit],
        kind: str,
        payload_of: Callable[[Deposit], dict[str, Any]],
        *,
        reason: str,
    ) -> None:
        for deposit in chosen:
            with reported(page=self, request=request, item=deposit):
                payload = payload_of(deposit)
                proposal = ask_to_do(page=self, request=request, kind=kind, payload=payload, reason=reason)
                done = f"Asked for {proposal}" if proposal.needs_two else proposal.new
                self.log_change(request, deposit, f"{done}: {reason}")
                if not proposal.needs_two:
                    self.message_user(request, proposal.record.detail)
