from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from trading.models import Coin, Order, Review, Shop
from trading.prices import offer_of
from trading.services.coins import open_or_close_shop, save_coin, set_on_sale
from trading.services.prices import accept_price
from trading.services.reviews import refund_held_order, release_held_order
from wallets.exceptions import DomainError
from wallets.record_admin import (
    QuickAdmin,
    ReasonForm,
    RecordAdmin,
    acts_on_chosen,
    ask_for_reason,
    ask_staff,
    badge,
    find_customers,
    is_id,
    link_to,
    link_to_list,
)


@admin.register(Coin)
class CoinAdmin(QuickAdmin):
    list_display = ("name", "title", "is_sold", "price", "market", "minimum", "maximum", "step", "pool_policy")
    list_filter = ("is_sold", "pool_policy")
    list_select_related = ("market_price",)
    search_fields = ("name",)
    search_help_text = "The name"
    readonly_fields = ("price", "market", "doubted_price", "orders")
    actions = ("pause", "resume", "accept_doubted_price")
    object_actions = ("pause", "resume", "accept_doubted_price")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Wallets and the ledger know a coin by its name."""
        return (*self.readonly_fields, "name") if obj else self.readonly_fields

    def find(self, term: str) -> Q:
        return Q(name=term.upper())

    def save_model(self, request: HttpRequest, obj: Coin, form: Any, change: bool) -> None:  # noqa: FBT001  Django's signature
        save_coin(coin=obj)

    @admin.display(description="Price (USD)")
    def price(self, coin: Coin) -> str:
        price = offer_of(coin=coin).price
        return "-" if price is None else f"{price.normalize():,f}"

    @admin.display(description="Market")
    def market(self, coin: Coin) -> SafeString | str:
        offer = offer_of(coin=coin)
        if offer.suspended:
            return badge("suspended")
        return badge("active" if offer.is_available(now=timezone.now()) else "stale")

    @admin.display(description="Doubted price")
    def doubted_price(self, coin: Coin) -> str:
        market = getattr(coin, "market_price", None)
        if market is None or market.candidate is None:
            return "-"
        return f"{market.candidate.normalize():f}, against {market.value.normalize():f} at {market.read_at}"

    @admin.display(description="Orders")
    def orders(self, coin: Coin) -> SafeString:
        return link_to_list("trading_order", "orders", coin__id__exact=coin.pk)

    @admin.action(description="Stop selling", permissions=["change"])
    def pause(self, request: HttpRequest, queryset: QuerySet[Coin]) -> None:
        self._sell(request, queryset, is_sold=False)

    @admin.action(description="Sell", permissions=["change"])
    def resume(self, request: HttpRequest, queryset: QuerySet[Coin]) -> None:
        self._sell(request, queryset, is_sold=True)

    def _sell(self, request: HttpRequest, chosen: QuerySet[Coin], *, is_sold: bool) -> None:
        """Orders that wait already are bought as usual."""
        for coin in chosen:
            set_on_sale(coin=coin, is_sold=is_sold)
            self.log_change(request, coin, "Sold again." if is_sold else "No longer sold.")

    @admin.action(description="Accept the doubted price", permissions=["change"])
    def accept_doubted_price(self, request: HttpRequest, queryset: QuerySet[Coin]) -> HttpResponse | None:
        """Sell at the price that is shown, if it is still the doubted one: readings come every few seconds."""
        doubted = queryset.filter(market_price__candidate__isnull=False).select_related("market_price").first()
        if doubted is None or queryset.count() > 1:
            self.message_user(request, "Choose one coin with a doubted price.", messages.ERROR)
            return None
        price = doubted.market_price.candidate
        assert price is not None
        given = ask_staff(
            page=self,
            request=request,
            chosen=queryset,
            action="accept_doubted_price",
            title=f"Sell {doubted} at {price.normalize():f}, after {doubted.market_price.value.normalize():f}",
            form_class=_AcceptForm,
            initial={"price": price},
        )
        if isinstance(given, HttpResponse):
            return given
        accepted = accept_price(coin=doubted, expected=given["price"], now=timezone.now())
        if accepted:
            self.log_change(request, doubted, f"Accepted the price {given['price']}: {given['reason']}")
            self.message_user(request, f"{doubted} is sold at {given['price'].normalize():f}.")
        else:
            self.message_user(request, "There is another price meanwhile. Look again.", messages.ERROR)
        return None


class _AcceptForm(ReasonForm):
    price = forms.DecimalField(max_digits=20, decimal_places=8, widget=forms.HiddenInput)


@admin.register(Shop)
class ShopAdmin(QuickAdmin):
    """The switch for all selling at once; it works within seconds."""

    list_display = ("__str__", "reason")
    fields = ("is_open", "reason")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return super().has_add_permission(request) and not Shop.objects.exists()

    def save_model(self, request: HttpRequest, obj: Shop, form: Any, change: bool) -> None:  # noqa: FBT001  Django's signature
        open_or_close_shop(is_open=obj.is_open, reason=obj.reason)


@admin.register(Order)
class OrderAdmin(RecordAdmin):
    list_display = ("id", "status", "of", "coin", "amount", "total_price", "price", "batch", "created_at", "reason")
    list_filter = ("state", "coin", "is_aggregated")
    list_select_related = ("customer", "coin")
    search_fields = ("id",)
    search_help_text = "The whole username of the customer, or the id of an order"
    fields = (
        "status",
        "reason",
        "of",
        "coin",
        "amount",
        "price",
        "price_source",
        "price_at",
        "total_price",
        "is_aggregated",
        "settle_by",
        "batch",
        "review_",
        "movements",
        "created_at",
        "held_at",
        "settling_at",
        "completed_at",
        "refunded_at",
        "cancelled_at",
        "idempotency_key",
    )
    readonly_fields = fields

    def find(self, term: str) -> Q:
        found = Q(customer_id__in=find_customers(term))
        return found | Q(pk=int(term)) if is_id(term) else found

    @admin.display(description="State")
    def status(self, order: Order) -> SafeString | str:
        return badge(order.state)

    @admin.display(description="Customer")
    def of(self, order: Order) -> SafeString | str:
        return link_to("wallets_user", order.customer_id, order.customer)

    @admin.display(description="Batch")
    def batch(self, order: Order) -> SafeString | str:
        """By name: the shop does not know what a batch is."""
        return link_to("settlement_batch", order.batch_id)

    @admin.display(description="Review")
    def review_(self, order: Order) -> SafeString | str:
        return link_to("trading_review", order.pk, "review") if order.held_at else "-"

    @admin.display(description="Movements")
    def movements(self, order: Order) -> SafeString:
        return link_to_list("wallets_transaction", "transactions", order_id=order.pk)


class UndecidedFilter(admin.SimpleListFilter):
    """What staff have to decide about, unless they ask for more."""

    title = "decision"
    parameter_name = "decision"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("released", "Released"), ("refunded", "Refunded"), ("all", "All")]

    def choices(self, changelist: Any) -> Any:
        found = list(super().choices(changelist))
        return [{**found[0], "display": "To decide"}, *found[1:]]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "all" or acts_on_chosen(request):
            return queryset
        return queryset.filter(decision=self.value())


@admin.register(Review)
class ReviewAdmin(RecordAdmin):
    list_display = ("order_link", "status", "rule", "finding", "of", "total", "held_at", "decided_by", "note")
    list_filter = (UndecidedFilter, "rule")
    list_select_related = ("order__customer", "order__coin", "decided_by")
    search_fields = ("order",)
    search_help_text = "The whole username of the customer, or the id of the order"
    actions = ("release", "refund")
    object_actions = ("release", "refund")
    fields = (
        "order_link",
        "of",
        "total",
        "rule",
        "finding",
        "held_at",
        "status",
        "decided_by",
        "decided_at",
        "note",
        "other_orders",
    )
    readonly_fields = fields

    def has_decide_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("trading.change_review")

    def find(self, term: str) -> Q:
        found = Q(order__customer_id__in=find_customers(term))
        return found | Q(pk=int(term)) if is_id(term) else found

    @admin.display(description="Order")
    def order_link(self, review: Review) -> SafeString | str:
        return link_to("trading_review", review.pk, review.order)

    @admin.display(description="Decision")
    def status(self, review: Review) -> SafeString | str:
        return badge(review.decision or "undecided")

    @admin.display(description="Customer")
    def of(self, review: Review) -> SafeString | str:
        return link_to("wallets_user", review.order.customer_id, review.order.customer)

    @admin.display(description="Order of")
    def total(self, review: Review) -> SafeString | str:
        order = review.order
        text = f"{order.amount.normalize():f} {order.coin} for {order.total_price} USD"
        return link_to("trading_order", order.pk, text)

    @admin.display(description="Held since")
    def held_at(self, review: Review) -> Any:
        return review.order.held_at

    @admin.display(description="The customer's orders")
    def other_orders(self, review: Review) -> SafeString:
        return format_html("{}", link_to_list("trading_order", "orders", customer__id__exact=review.order.customer_id))

    @admin.action(description="Release", permissions=["decide"])
    def release(self, request: HttpRequest, queryset: QuerySet[Review]) -> HttpResponse | None:
        reason = ask_for_reason(
            page=self, request=request, chosen=queryset, action="release", title="Release these orders"
        )
        return self._decide(request, queryset, reason, release_held_order)

    @admin.action(description="Refund", permissions=["decide"])
    def refund(self, request: HttpRequest, queryset: QuerySet[Review]) -> HttpResponse | None:
        reason = ask_for_reason(
            page=self, request=request, chosen=queryset, action="refund", title="Refund these orders"
        )
        return self._decide(request, queryset, reason, refund_held_order)

    def _decide(
        self,
        request: HttpRequest,
        chosen: QuerySet[Review],
        reason: str | HttpResponse,
        decide: Callable[..., Order],
    ) -> HttpResponse | None:
        if isinstance(reason, HttpResponse):
            return reason
        for review in chosen:
            try:
                order = decide(order_id=review.pk, decided_by=request.user, note=reason, now=timezone.now())
            except DomainError as error:
                self.message_user(request, f"{review.order}: {error}", messages.ERROR)
            else:
                self.message_user(request, f"{order} is {order.state} now.")
        return None
