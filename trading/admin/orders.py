"""Admin page of orders."""

from django.contrib import admin
from django.db.models import Q
from django.utils.safestring import SafeString

from trading.models import Order
from wallets.admin.records import RecordAdmin, badge, find_customers, is_id, link_to, link_to_list


@admin.register(Order)
class OrderAdmin(RecordAdmin):
    list_display = ("id", "status", "of", "amount_", "charge_", "price_", "batch", "created_at", "reason")
    list_filter = ("state", "coin", "is_pooled")
    list_select_related = ("customer", "coin")
    search_fields = ("id",)
    search_help_text = "The whole username of the customer, or the id of an order"
    fields = (
        "status",
        "reason",
        "of",
        "coin",
        "amount_",
        "price_",
        "price_source",
        "price_at",
        "market_price_",
        "spread_rate",
        "price_rule_",
        "subtotal",
        "fee",
        "rebate",
        "charge_",
        "quote_id",
        "is_pooled",
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

    @admin.display(description="Amount")
    def amount_(self, order: Order) -> str:
        return f"{order.amount.normalize():,f} {order.coin}"

    @admin.display(description="Charge (USD)")
    def charge_(self, order: Order) -> str:
        return f"{order.charge:,.2f}"

    @admin.display(description="Price (USD)")
    def price_(self, order: Order) -> str:
        return f"{order.price.normalize():,f}"

    @admin.display(description="Market price (USD)")
    def market_price_(self, order: Order) -> str:
        return "-" if order.market_price is None else f"{order.market_price.normalize():,f}"

    @admin.display(description="Price rule")
    def price_rule_(self, order: Order) -> SafeString | str:
        return link_to("trading_pricerule", order.price_rule_id)

    @admin.display(description="Batch")
    def batch(self, order: Order) -> SafeString | str:
        """Link to the order's batch by URL name, because the shop has no Batch model."""
        return link_to("settlement_batch", order.batch_id)

    @admin.display(description="Review")
    def review_(self, order: Order) -> SafeString | str:
        return link_to("trading_review", order.pk, "review") if order.held_at else "-"

    @admin.display(description="Movements")
    def movements(self, order: Order) -> SafeString:
        return link_to_list("wallets_transaction", "transactions", order_id=order.pk)
