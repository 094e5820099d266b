"""Admin page of price rules: staff make new ones, after a look at what an order would cost before and after."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AdminSplitDateTime
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from trading.models import Coin, PriceRule
from trading.price_terms import cost_of_hundred
from trading.selectors.price_rules import find_rule, terms_of
from trading.services.price_rules import ensure_rule_allowed
from trading.services.proposing.kinds import PRICE_RULE
from wallets.admin.proposals import AddedByProposal, ask_to_save
from wallets.admin.records import RecordAdmin
from wallets.exceptions import DomainError
from wallets.runtime import clock


class _RuleForm(forms.ModelForm):  # type: ignore[type-arg]  # of price rules
    begins = forms.SplitDateTimeField(
        label="Valid from", required=False, widget=AdminSplitDateTime, help_text="In UTC. Empty: from now on."
    )

    class Meta:
        model = PriceRule
        fields = ("coin", "spread_rate", "fee_rate", "fee_minimum", "fee_maximum", "reason")

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        if "spread_rate" in given:
            try:
                ensure_rule_allowed(
                    coin=given.get("coin"),
                    spread_rate=given["spread_rate"],
                    valid_from=given.get("begins"),
                    now=clock.now(),
                )
            except DomainError as error:
                raise forms.ValidationError(str(error)) from error
        return given


@admin.register(PriceRule)
class PriceRuleAdmin(AddedByProposal, RecordAdmin):
    """Rules are added and never changed. The newest valid one of a coin, else of all coins, holds."""

    form = _RuleForm
    list_display = (
        "id",
        "of",
        "spread_rate",
        "fee_rate",
        "fee_minimum",
        "fee_maximum",
        "valid_from",
        "created_by",
        "reason",
    )
    list_filter = ("coin",)
    list_select_related = ("coin", "created_by")
    ordering = ("-id",)
    search_fields = ("id",)
    search_help_text = "The id of a rule"
    fields = ("coin", "spread_rate", "fee_rate", "fee_minimum", "fee_maximum", "begins", "reason")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("trading.add_pricerule")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Show when a rule that exists was made, and by whom."""
        return self.fields if obj is None else (*self.fields[:5], "valid_from", "created_at", "created_by", "reason")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return () if obj is None else ("valid_from", "created_at", "created_by")

    @admin.display(description="Coin")
    def of(self, rule: PriceRule) -> str:
        return str(rule.coin or "all coins")

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """Show what an order costs before and after the new rule; make the rule when staff confirm just that."""
        form = self.get_form(request)(request.POST or None)
        if request.method == "POST" and self.has_add_permission(request) and form.is_valid():
            before = find_rule(coin=form.cleaned_data["coin"], at=form.cleaned_data["begins"] or clock.now())
            if request.POST.get("confirmed") != _name_of(before):
                return self._preview(request, form, before=before)
        return super().add_view(request, form_url, extra_context)

    def _preview(self, request: HttpRequest, form: Any, *, before: PriceRule | None) -> HttpResponse:
        coin, begins = form.cleaned_data["coin"], form.cleaned_data["begins"]
        context = {
            **self.admin_site.each_context(request),
            "title": "Make this price rule?",
            "opts": self.opts,
            "given": [(name, value) for name, value in request.POST.items() if name not in _OF_THE_PAGE],
            "confirmed": _name_of(before),
            "coin": coin,
            "begins": begins,
            "rows": [
                ("before", before or "no rule", *_cost(before, coin=coin)),
                ("after", "this rule", *_cost(form.instance, coin=coin)),
            ],
        }
        return TemplateResponse(request, "trading/price_rule_preview.html", context)

    def save_model(self, request: HttpRequest, obj: PriceRule, form: Any, change: bool) -> None:  # noqa: FBT001  Django's signature
        payload = PRICE_RULE.payload_of(rule=obj, valid_from=form.cleaned_data["begins"])
        proposal = ask_to_save(page=self, request=request, kind=PRICE_RULE.name, payload=payload, reason=obj.reason)
        if not proposal.needs_two:
            obj.pk = PriceRule.objects.filter(created_by=request.user.pk).latest("pk").pk


_OF_THE_PAGE = {"csrfmiddlewaretoken", "confirmed"}


def _name_of(rule: PriceRule | None) -> str:
    return f"after {rule.pk}" if rule else "the first"


def _cost(rule: PriceRule | None, *, coin: Coin | None) -> tuple[str, str, str]:
    """Return the subtotal, the fee and the charge of coins that are worth 100 US dollars at their market price."""
    subtotal, fee = cost_of_hundred(terms_of(rule), is_fixed=coin is not None and coin.fixed_price is not None)
    return f"{subtotal:.2f}", f"{fee:.2f}", f"{subtotal + fee:.2f}"
