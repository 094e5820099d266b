"""Hand a venue's answer about an order to the gate, in the venue's own words."""

from collections.abc import Callable
from typing import Any

from settlement.figures import read_figure
from settlement.gate import CannotBeTrue, Figures, OrderSeen, TellsNothing, add_trades, read_order
from settlement.told import Ours, TradeTold
from settlement.venues.profiles.words import Heard, Market
from settlement.venues.protocol import Executed, Unknown, Untrue, VenueAnswer, VenueAway


def ours_in(market: Market, *, client_order_id: str) -> Ours:
    """Return what an answer about our order in a market must name."""
    return Ours(client_order_id=client_order_id, symbol=market.symbol, coin=market.coin, quote_asset=market.quote_asset)


def understand(order: Heard, *, ours: Ours, list_trades: Callable[[], list[TradeTold]]) -> VenueAnswer:
    """Let the gate judge an answer. `list_trades` asks the venue for the order's trades if the answer has none."""
    evidence: dict[str, Any] = dict(order.said)
    try:
        seen = read_order(told=order.told, ours=ours)
        is_asked = bool(seen.executed) and order.trades is None
        trades = list_trades() if is_asked else order.trades or []
        if is_asked:
            evidence["trades"] = [vars(trade) for trade in trades]
        figures = add_trades(order=seen, trades=trades, ours=ours, are_complete=not is_asked)
    except CannotBeTrue as error:
        return Untrue(reason=str(error), answer=evidence)
    except TellsNothing as error:
        return Unknown(reason=str(error))
    except VenueAway as error:
        return Unknown(reason=f"trades: {error}"[:200], retry_after_seconds=error.retry_after_seconds)
    except Exception as error:  # noqa: BLE001  a fill cannot be booked without its trades: look up again
        return Unknown(reason=f"trades: {type(error).__name__}")
    return _executed(order, seen, figures)


def _executed(order: Heard, seen: OrderSeen, figures: Figures) -> Executed:
    return Executed(
        venue_order_id=seen.venue_order_id,
        status=seen.status,
        final=seen.final,
        quantity=figures.quantity,
        cost=figures.cost + figures.quote_commission,
        commission=figures.commission,
        quote_commission=figures.quote_commission,
        foreign_commission=figures.foreign_commission,
        asked=read_figure(order.told.quantity) or None,
        limit_price=read_figure(order.limit_price) or None,
        answer=order.said,
    )
