"""Read ccxt's orders, and trust none that is incomplete or not ours."""

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from django.conf import settings

from settlement.venues.protocol import Executed, Unknown, VenueAnswer

FINAL_STATUSES: Final = frozenset({"closed", "canceled", "expired", "rejected"})
KNOWN_STATUSES: Final = FINAL_STATUSES | {"open"}


def understand(
    order: Any, *, coin: str, client_order_id: str, list_trades: Callable[[dict[str, Any]], list[Any]]
) -> VenueAnswer:
    """Accept an answer only if it is about our order. ccxt parses even a proxy's page to an order, but without an id.

    `list_trades` asks the venue for the order's trades if the answer does not contain them.
    """
    if not isinstance(order, dict) or order.get("clientOrderId") != client_order_id or not order.get("id"):
        return Unknown(reason="an answer that is not about our order")
    status = order.get("status")
    if status not in KNOWN_STATUSES:
        return Unknown(reason=f"status {status!r}"[:200])
    quantity, cost = read_decimal(order.get("filled")), read_decimal(order.get("cost"))
    if quantity is None or cost is None or quantity < 0 or cost < 0:
        return Unknown(reason="an answer without figures")
    try:
        fees = _sum_fees(order.get("trades") or list_trades(order), quantity=quantity) if quantity else {}
    except Exception as error:  # noqa: BLE001  a fill cannot be booked without its commission: look up again
        return Unknown(reason=f"trades: {type(error).__name__}")
    if fees is None:
        return Unknown(reason="trades and order differ")
    foreign = sorted(fees.keys() - {coin, settings.VENUE.quote_asset})
    return Executed(
        venue_order_id=str(order["id"]),
        status=str(status),
        final=status in FINAL_STATUSES,
        quantity=quantity,
        cost=cost + fees.get(settings.VENUE.quote_asset, Decimal(0)),
        commission=fees.get(coin, Decimal(0)),
        foreign_commission=foreign[0] if foreign else "",
        answer=order.get("info") or {},
    )


def read_decimal(value: object) -> Decimal | None:
    """Return `value` as a finite number, or None for anything else."""
    try:
        number = Decimal(str(value)) if value is not None else None
    except InvalidOperation:
        return None
    return number if number is None or number.is_finite() else None


def _sum_fees(trades: list[Any], *, quantity: Decimal) -> dict[str, Decimal] | None:
    """Sum up the commission by asset. Return None if the trades do not (yet) add up to the order's quantity."""
    if sum((read_decimal(trade["amount"]) or Decimal(0) for trade in trades), Decimal(0)) != quantity:
        return None
    fees: dict[str, Decimal] = {}
    for trade in trades:
        fee = trade.get("fee") or {}
        cost = read_decimal(fee.get("cost"))
        if cost:
            fees[fee["currency"]] = fees.get(fee["currency"], Decimal(0)) + cost
    return fees
