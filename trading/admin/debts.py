"""Admin page of what customers owe after returns, on which staff ask for repurchases and write-offs."""

from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString

from trading.services.proposing.kinds import REPURCHASE
from wallets.admin.actions import DollarsForm, Question, ReasonForm, acts_on_chosen, ask_staff, reported
from wallets.admin.proposals import ask_about
from wallets.admin.records import RecordAdmin, dollars, find_customers, is_id, link_to, link_to_list
from wallets.models import Receivable
from wallets.services.money_kinds import WRITE_OFF


class _CoinsForm(ReasonForm):
    """Asks staff for coins of the customer too."""

    coin = forms.CharField(max_length=16)
    amount = forms.DecimalField(max_digits=38, decimal_places=8, min_value=Decimal("0.00000001"), help_text="Coins")
    field_order = ("coin", "amount", "reason")


class _OpenFilter(admin.SimpleListFilter):
    """Shows only customers who owe something, unless staff choose another filter or act on chosen ones."""

    title = "debt"
    parameter_name = "debt"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("all", "All")]

    def choices(self, changelist: Any) -> Any:
        found = list(super().choices(changelist))
        return [{**found[0], "display": "Open"}, *found[1:]]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "all" or acts_on_chosen(request):
            return queryset
        return queryset.filter(amount__gt=0)


@admin.register(Receivable)
class ReceivableAdmin(RecordAdmin):
    list_display = ("of", "value", "since", "movements")
    list_display_links = ("value",)
    list_filter = (_OpenFilter,)
    list_select_related = ("customer",)
    actions = ("repurchase", "write_off")
    object_actions = ("repurchase", "write_off")
    search_fields = ("customer",)
    search_help_text = "The whole username, or the id of a customer"
    fields = list_display
    readonly_fields = fields

    def find(self, term: str) -> Q:
        found = Q(customer_id__in=find_customers(term))
        return found | Q(customer_id=int(term)) if is_id(term) else found

    def fits(self, record: Receivable, action: str) -> bool:
        return record.amount > 0

    def has_settle_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("wallets.settle_debt")

    @admin.display(description="Customer")
    def of(self, debt: Receivable) -> SafeString | str:
        return link_to("wallets_user", debt.customer_id, debt.customer)

    @admin.display(description="Owes (USD)")
    def value(self, debt: Receivable) -> str:
        return dollars(debt.amount)

    @admin.display(description="Movements")
    def movements(self, debt: Receivable) -> SafeString | str:
        return link_to_list("wallets_transaction", "transactions", customer__id__exact=debt.customer_id, asset="USD")

    @admin.action(description="Take coins for it", permissions=["settle"])
    def repurchase(self, request: HttpRequest, queryset: QuerySet[Receivable]) -> HttpResponse | None:
        """Ask that coins of the chosen customer become inventory at the present bid."""
        title = "Take coins of these customers at the present bid"
        given = self._question(request, queryset, "repurchase", title, _CoinsForm)
        if isinstance(given, HttpResponse):
            return given
        coins = {"coin_name": given["coin"].strip().upper(), "amount": given["amount"]}
        for debt in queryset:
            with reported(page=self, request=request, item=debt):
                payload = REPURCHASE.payload_of(customer_id=debt.customer_id, **coins)
                self._ask(request, debt, REPURCHASE.name, payload, given["reason"])
        return None

    @admin.action(description="Write off", permissions=["settle"])
    def write_off(self, request: HttpRequest, queryset: QuerySet[Receivable]) -> HttpResponse | None:
        """Ask that a part of what the chosen customer owes, or all of it, is written off."""
        given = self._question(request, queryset, "write_off", "Write off what these customers owe", DollarsForm)
        if isinstance(given, HttpResponse):
            return given
        for debt in queryset:
            with reported(page=self, request=request, item=debt):
                payload = WRITE_OFF.payload_of(customer_id=debt.customer_id, amount=given["amount"])
                self._ask(request, debt, WRITE_OFF.name, payload, given["reason"])
        return None

    def _question(
        self, request: HttpRequest, chosen: QuerySet[Receivable], action: str, title: str, form: type[ReasonForm]
    ) -> dict[str, Any] | HttpResponse:
        question = Question(action=action, title=title, form_class=form)
        return ask_staff(page=self, request=request, chosen=chosen, question=question)

    def _ask(self, request: HttpRequest, debt: Receivable, kind: str, payload: dict[str, Any], reason: str) -> None:
        ask_about(page=self, request=request, record=debt, kind=kind, payload=payload, reason=reason)
