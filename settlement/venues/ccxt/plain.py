"""Keep a venue's own words beside ccxt's reading of an order or a trade.

ccxt fills what an answer leaves out: the cost from the limit price, the quantity from the status. What is booked must
come from the venue. ccxt also fails on figures that are no numbers, which then would be no evidence for anybody.
"""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

_LONGEST_PLAIN: Final = 60
_ORDER: Final = ("id", "clientOrderId", "symbol", "side", "status", "price", "amount", "filled", "cost")
_TRADE: Final = ("id", "order", "symbol", "side", "price", "amount", "cost", "fee")


class PlainWords:
    """A mixin for ccxt's clients: `told` holds the venue's words, and `trades` are the answer's own.

    A number of the venue is read digit by digit, as text, because a float would round it.
    """

    @staticmethod
    def on_json_response(body: str) -> Any:
        """Read a body as ccxt does, but numbers with a point as text, and NaN and Infinity as their names.

        A small number that a venue's library writes as 1.2e-9 becomes plain text, with the same digits.
        """
        return json.loads(body, parse_float=_as_text, parse_constant=str)

    def safe_order(self, order: dict[str, Any], market: Any = None) -> dict[str, Any]:
        """Complete an order, as ccxt does, and keep what the venue said."""
        told = {name: order.get(name) for name in _ORDER} | {"symbol": _symbol_in(order, market)}
        read = _or_as_told(super().safe_order, {**order, "trades": []}, market)  # type: ignore[misc]  # ccxt's
        trades = order.get("trades")
        return {**read, "told": told, "trades": self._read_trades(trades, market) if trades else []}

    def safe_trade(self, trade: dict[str, Any], market: Any = None) -> dict[str, Any]:
        """Complete a trade, as ccxt does, and keep what the venue said."""
        told = {name: trade.get(name) for name in _TRADE} | {"symbol": _symbol_in(trade, market)}
        if isinstance(told["fee"], dict):
            told["fee"] = dict(told["fee"])
        return {**_or_as_told(super().safe_trade, dict(trade), market), "told": told}  # type: ignore[misc]  # ccxt's

    def _read_trades(self, trades: Any, market: Any) -> Any:
        """Return the trades of an order's answer one by one; what is no list of entries stays as it is."""
        if not isinstance(trades, list) or not all(isinstance(entry, dict) for entry in trades):
            return trades
        return [self.parse_trade(entry, market) for entry in trades]  # type: ignore[attr-defined]  # ccxt's


def _as_text(number: str) -> str:
    """Return a JSON number in plain notation, or as it is if that would be absurdly long."""
    if "e" not in number and "E" not in number:
        return number
    value = Decimal(number)
    return f"{value:f}" if abs(value.adjusted()) < _LONGEST_PLAIN else number


def _symbol_in(entry: dict[str, Any], market: Any) -> Any:
    """Return ccxt's symbol, or the venue's if it is not the market's: ccxt takes an unknown symbol for the market's."""
    info = entry.get("info")
    said = info.get("symbol") if isinstance(info, dict) else None
    return entry.get("symbol") if said is None or not market or said == market["id"] else said


def _or_as_told(complete: Callable[..., dict[str, Any]], entry: dict[str, Any], market: Any) -> dict[str, Any]:
    """Return what ccxt makes of an entry, or the entry itself if ccxt's arithmetic fails on it."""
    try:
        return complete(dict(entry), market)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        return entry
