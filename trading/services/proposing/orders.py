"""The kinds of proposals about held orders: their release, and their refund."""

from decimal import Decimal
from typing import Any

from trading.models import Order
from trading.selectors.orders import get_held_order
from trading.services.reviewing import get_order_of_another, refund_within_transaction, release_within_transaction
from wallets.models import User
from wallets.runtime import clock
from wallets.services.proposals import Kind, Payload


class _HeldOrderKind(Kind):
    """A decision about a held order. Its amount is the order's charge."""

    permissions = ("trading.change_review",)
    outcome: str

    def payload_of(self, *, order_id: int, note: str) -> dict[str, Any]:
        """Return the payload for a decision about an order."""
        return {"order": order_id, "note": note}

    def check(self, *, payload: Payload, asked_by: User) -> None:
        get_order_of_another(order_id=payload["order"], decided_by=asked_by)

    def describe(self, *, payload: Payload) -> tuple[str, str]:
        order = get_held_order(order_id=payload["order"])
        what = f"{order}: {order.amount.normalize():f} {order.coin} for {order.charge:,.2f} USD"
        return f"{what}, held", f"{what}, {self.outcome}"

    def amount(self, *, payload: Payload) -> Decimal | None:
        return Order.objects.values_list("charge", flat=True).filter(pk=payload["order"]).first()


class ReleaseKind(_HeldOrderKind):
    """The release of a held order, whose customer is the beneficiary."""

    name = "release_order"
    title = "Release of a held order"
    outcome = "released"

    def carry_out(self, *, payload: Payload, asked_by: User, approved_by: User | None) -> str:
        order = release_within_transaction(
            order_id=payload["order"], decided_by=asked_by, note=payload["note"], now=clock.now()
        )
        return f"{order} is {order.state} now."

    def beneficiary_id(self, *, payload: Payload) -> int | None:
        return Order.objects.values_list("customer_id", flat=True).filter(pk=payload["order"]).first()


class RefundKind(_HeldOrderKind):
    """The refund of a held order: its customer gets back what the order has cost."""

    name = "refund_order"
    title = "Refund of a held order"
    outcome = "refunded"
    only_lessens = True

    def carry_out(self, *, payload: Payload, asked_by: User, approved_by: User | None) -> str:
        order = refund_within_transaction(
            order_id=payload["order"], decided_by=asked_by, note=payload["note"], now=clock.now()
        )
        return f"{order} is {order.state} now."
