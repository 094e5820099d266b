"""Admin pages of coins and of the shop."""

from copy import copy
from decimal import Decimal
from typing import Any, Final

from django import forms
from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString

from trading.models import Coin, Shop
from trading.offers import offer_of
from trading.priced_coins import coins_with_prices
from trading.selectors.prices import find_price_jump
from trading.services.coins import open_or_close_shop, save_coin
from trading.services.price_rules import ensure_market_price_allowed
from trading.services.proposing.coins import COIN_KINDS, PUT_ON_SALE
from trading.services.proposing.kinds import CLOSE_SHOP, OPEN_SHOP, STOP_SELLING, SUSPECT_PRICE
from wallets.admin.actions import Question, ReasonForm, ask_for_reason, ask_staff, reported
from wallets.admin.proposals import SavedByProposal, ask_to_do, ask_to_save
from wallets.admin.records import QuickAdmin, badge, link_to_list, moment
from wallets.exceptions import DomainError
from wallets.money import PRICE_PLACES
from wallets.runtime import clock

_GUARDED: Final = tuple(name for kind in COIN_KINDS for name in kind.fields)


class _CoinForm(forms.ModelForm):  # type: ignore[type-arg]  # Django's class takes no type at run time
    """A typed price keeps to the limits of readings, unless staff say that it is meant: a digit is soon left out."""

    price_is_meant = forms.BooleanField(
        required=False, help_text="Tick this for a fixed price that is far from the last price."
    )

    reason = forms.CharField(
        max_length=500,
        required=False,
        widget=forms.TextInput(attrs={"size": 60}),
        help_text="Why prices, limits or the sale change.",
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if not cleaned.get("reason") and self._proposes_something():
            self.add_error("reason", "Say why it changes.")
        fixed_price = cleaned.get("fixed_price")
        if fixed_price is not None and "fixed_price" in self.changed_data and not cleaned.get("price_is_meant"):
            last = find_price_jump(coin=self.instance, fixed_price=fixed_price, now=clock.now())
            if last is not None:
                self.add_error("fixed_price", f"This is far from the last price, {last.normalize():f}. Is it meant?")
        if fixed_price is None and "fixed_price" not in self.errors:
            self._check_market_price()
        return cleaned

    def _proposes_something(self) -> bool:
        """Say whether a field has changed whose change is recorded with its reason."""
        return bool({*self.changed_data} & {*_GUARDED})

    def _check_market_price(self) -> None:
        """Keep a market price from a coin that could not be sold with it, and with which nothing would start."""
        try:
            ensure_market_price_allowed(coin=self.instance)
        except DomainError as error:
            self.add_error("fixed_price", str(error))


@admin.register(Coin)
class CoinAdmin(SavedByProposal, QuickAdmin):
    form = _CoinForm
    list_display = ("name", "title", "is_sold", "price", "price_state", "minimum", "maximum", "step", "pool_policy")
    list_filter = ("is_sold", "pool_policy")
    list_select_related = ("current_price",)
    search_fields = ("name",)
    search_help_text = "The name"
    readonly_fields = ("price", "price_state", "suspect_price", "orders")
    actions = ("stop_selling", "sell_again", "accept_suspect_price")
    object_actions = ("stop_selling", "sell_again", "accept_suspect_price")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Make the name of an existing coin read-only, because wallets and movements refer to the coin by name."""
        return (*self.readonly_fields, "name") if obj else self.readonly_fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Coin]:
        return coins_with_prices().order_by("name")

    def find(self, term: str) -> Q:
        return Q(name=term.upper())

    def save_model(self, request: HttpRequest, obj: Coin, form: Any, change: bool) -> None:  # noqa: FBT001  Django's signature
        """Save the fields that need nobody's approval, and propose the other changes, kind by kind."""
        wanted = copy(obj)
        if change:
            stored = Coin.objects.select_for_update(no_key=True).get(pk=obj.pk)
            for name in _GUARDED:
                setattr(obj, name, getattr(stored, name))
        else:
            obj.is_sold = False
        save_coin(coin=obj)
        form.waiting = []
        for kind in COIN_KINDS:
            payload = kind.payload_of(before=Coin.objects.get(pk=obj.pk), after=wanted)
            if payload is not None:
                reason = form.cleaned_data["reason"]
                proposal = ask_to_save(page=self, request=request, kind=kind.name, payload=payload, reason=reason)
                form.waiting += [proposal] if proposal.needs_two else []

    @admin.display(description="Price (USD)")
    def price(self, coin: Coin) -> str:
        """Show what customers pay for one coin, spread included."""
        price = offer_of(coin=coin).price if coin.pk else None
        return "-" if price is None else f"{price.normalize():,f}"

    @admin.display(description="Price state")
    def price_state(self, coin: Coin) -> SafeString | str:
        if not coin.pk:
            return "-"
        offer = offer_of(coin=coin)
        if offer.market_closed:
            return badge("suspended", "not trading")
        if offer.suspended or offer.closed:
            return badge("suspended")
        return badge("active" if offer.is_available(now=clock.now()) else "stale")

    @admin.display(description="Suspect price")
    def suspect_price(self, coin: Coin) -> str:
        current = getattr(coin, "current_price", None)
        if current is None or current.candidate is None:
            return "-"
        return f"{current.candidate.normalize():f}, against {current.value.normalize():f} at {moment(current.read_at)}"

    @admin.display(description="Orders")
    def orders(self, coin: Coin) -> SafeString | str:
        return link_to_list("trading_order", "orders", coin__id__exact=coin.pk) if coin.pk else "-"

    @admin.action(description="Stop selling", permissions=["change"])
    def stop_selling(self, request: HttpRequest, queryset: QuerySet[Coin]) -> HttpResponse | None:
        """Refuse new orders of the chosen coins. Waiting orders are bought as usual."""
        title = "Stop selling these coins"
        reason = ask_for_reason(page=self, request=request, chosen=queryset, action="stop_selling", title=title)
        if isinstance(reason, HttpResponse):
            return reason
        for coin in queryset:
            with reported(page=self, request=request, item=coin):
                payload = STOP_SELLING.payload_of(coin=coin)
                ask_to_do(page=self, request=request, kind=STOP_SELLING.name, payload=payload, reason=reason)
                self.log_change(request, coin, f"No longer sold: {reason}")
        return None

    @admin.action(description="Sell again", permissions=["change"])
    def sell_again(self, request: HttpRequest, queryset: QuerySet[Coin]) -> HttpResponse | None:
        title = "Sell these coins again"
        reason = ask_for_reason(page=self, request=request, chosen=queryset, action="sell_again", title=title)
        if isinstance(reason, HttpResponse):
            return reason
        for coin in queryset:
            with reported(page=self, request=request, item=coin):
                self._sell_again(request, coin, reason=reason)
        return None

    def _sell_again(self, request: HttpRequest, coin: Coin, *, reason: str) -> None:
        before = Coin.objects.get(pk=coin.pk)
        after = copy(before)
        after.is_sold = True
        payload = PUT_ON_SALE.payload_of(before=before, after=after)
        if payload is not None:
            proposal = ask_to_do(page=self, request=request, kind=PUT_ON_SALE.name, payload=payload, reason=reason)
            self.log_change(request, coin, f"Asked for {proposal}" if proposal.needs_two else "Sold again.")

    @admin.action(description="Accept the suspect price", permissions=["change"])
    def accept_suspect_price(self, request: HttpRequest, queryset: QuerySet[Coin]) -> HttpResponse | None:
        """Accept the newest suspect price, unless it is far from the one that the page showed to staff."""
        coin = queryset.filter(current_price__candidate__isnull=False).select_related("current_price").first()
        if coin is None or queryset.count() > 1:
            self.message_user(request, "Choose one coin with a suspect price.", messages.ERROR)
            return None
        price = coin.current_price.candidate
        assert price is not None
        question = Question(
            action="accept_suspect_price",
            title=f"Sell {coin} at {price.normalize():f}, after {coin.current_price.value.normalize():f}",
            form_class=_AcceptForm,
            initial={"price": price},
        )
        given = ask_staff(page=self, request=request, chosen=queryset, question=question)
        if isinstance(given, HttpResponse):
            return given
        with reported(page=self, request=request, item=coin):
            self._accept(request, coin, expected=given["price"], reason=given["reason"])
        return None

    def _accept(self, request: HttpRequest, coin: Coin, *, expected: Decimal, reason: str) -> None:
        payload = SUSPECT_PRICE.payload_of(coin=coin, expected=expected)
        proposal = ask_to_do(page=self, request=request, kind=SUSPECT_PRICE.name, payload=payload, reason=reason)
        if proposal.needs_two:
            self.log_change(request, coin, f"Asked for {proposal}")
        else:
            self.log_change(request, coin, f"Accepted the suspect price. {proposal.record.detail} {reason}")
            self.message_user(request, proposal.record.detail)


class _AcceptForm(ReasonForm):
    price = forms.DecimalField(max_digits=30, decimal_places=PRICE_PLACES, widget=forms.HiddenInput)


class _ShopForm(forms.ModelForm):  # type: ignore[type-arg]  # the same
    """The switch, and why it is turned."""

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        changed = set(self.changed_data)
        if "is_open" in changed and not ("reason" in changed and cleaned.get("reason")):
            self.add_error("reason", f"Say why the shop {'opens' if cleaned.get('is_open') else 'closes'}.")
        return cleaned


@admin.register(Shop)
class ShopAdmin(SavedByProposal, QuickAdmin):
    """The page of the switch that stops the sale of all coins within seconds."""

    form = _ShopForm
    list_display = ("__str__", "reason")
    fields = ("is_open", "reason")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return super().has_add_permission(request) and not Shop.objects.exists()

    def save_model(self, request: HttpRequest, obj: Shop, form: Any, change: bool) -> None:  # noqa: FBT001  Django's signature
        """Close the shop at once; propose to open it."""
        if obj.is_open and not Shop.objects.filter(is_open=False).exists():
            open_or_close_shop(is_open=True, reason=obj.reason)  # it is open, and gets another reason
            return
        kind = OPEN_SHOP if obj.is_open else CLOSE_SHOP
        payload = kind.payload_of(reason=obj.reason)
        proposal = ask_to_save(page=self, request=request, kind=kind.name, payload=payload, reason=obj.reason)
        form.waiting = [proposal] if proposal.needs_two else []
