"""Hand a venue's answer about an order to the gate in the venue's own words, which ccxt's parser would add to."""

from collections.abc import Callable
from typing import Any

from django.conf import settings

from settlement.figures import read_figure
from settlement.gate import (
    FINAL_STATUSES,
    KNOWN_STATUSES,
    CannotBeTrue,
    Figures,
    OrderSeen,
    TellsNothing,
    add_trades,
    read_order,
)
from settlement.told import OrderTold, Ours, TradeTold
from settlement.venues.protocol import Executed, Unknown, Untrue, VenueAnswer

__all__ = ["FINAL_STATUSES", "KNOWN_STATUSES", "read_decimal", "trade_told", "understand"]

read_decimal = read_figure


def understand(
    order: Any, *, coin: str, client_order_id: str, list_trades: Callable[[dict[str, Any]], list[Any]]
) -> VenueAnswer:
    """Let the gate judge an answer. ccxt parses even a proxy's page to an order, but without an id.

    `list_trades` asks the venue for the order's trades if the answer does not contain them.
    """
    if not isinstance(order, dict):
        return Unknown(reason="an answer that is not about our order")
    quote = settings.VENUE.quote_asset
    ours = Ours(client_order_id=client_order_id, symbol=f"{coin}/{quote}", coin=coin, quote_asset=quote)
    info = order.get("info")
    evidence: dict[str, Any] = info if isinstance(info, dict) else {}
    try:
        seen = read_order(told=_order_told(order), ours=ours)
        told_trades = _trades_in(order)
        listed = list_trades(order) if seen.executed and not told_trades else None
        if listed is not None:
            evidence = {**evidence, "trades": [trade.get("info") for trade in listed]}
        trades = [trade_told(trade) for trade in (told_trades if listed is None else listed)]
        figures = add_trades(order=seen, trades=trades, ours=ours, are_complete=listed is None)
    except CannotBeTrue as error:
        return Untrue(reason=str(error), answer=evidence)
    except TellsNothing as error:
        return Unknown(reason=str(error))
    except Exception as error:  # noqa: BLE001  a fill cannot be booked without its trades: look up again
        return Unknown(reason=f"trades: {type(error).__name__}")
    return _executed(order, seen, figures)


def _executed(order: dict[str, Any], seen: OrderSeen, figures: Figures) -> Executed:
    told = order.get("told", order)
    return Executed(
        venue_order_id=seen.venue_order_id,
        status=seen.status,
        final=seen.final,
        quantity=figures.quantity,
        cost=figures.cost + figures.quote_commission,
        commission=figures.commission,
        quote_commission=figures.quote_commission,
        foreign_commission=figures.foreign_commission,
        asked=read_figure(told.get("amount")) or None,
        limit_price=read_figure(told.get("price")) or None,
        answer=order.get("info") or {},
    )


def _order_told(order: dict[str, Any]) -> OrderTold:
    told = order.get("told", order)
    return OrderTold(
        client_order_id=told.get("clientOrderId"),
        venue_order_id=told.get("id"),
        symbol=told.get("symbol"),
        status=told.get("status"),
        side=told.get("side"),
        quantity=told.get("amount"),
        executed=told.get("filled"),
        cost=told.get("cost"),
    )


def _trades_in(order: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the trades in the answer. Raises CannotBeTrue if they cannot be read."""
    trades = order.get("trades") or []
    if not isinstance(trades, list) or not all(isinstance(trade, dict) for trade in trades):
        raise CannotBeTrue("trades that cannot be read")
    return trades


def trade_told(trade: dict[str, Any]) -> TradeTold:
    """Return a trade in the venue's words."""
    told = trade.get("told", trade)
    fee = told.get("fee")
    fee = fee if isinstance(fee, dict) else {}
    return TradeTold(
        trade_id=told.get("id"),
        venue_order_id=told.get("order"),
        symbol=told.get("symbol"),
        side=told.get("side"),
        quantity=told.get("amount"),
        price=told.get("price"),
        cost=told.get("cost"),
        commission=fee.get("cost"),
        commission_asset=fee.get("currency"),
    )
