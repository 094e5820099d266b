"""An exchange that counts what is asked of it, and what came of it."""

import time
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Final, TypeVar

from prometheus_client import Counter, Histogram

from settlement.exchanges.protocol import (
    Answer,
    CoinNotListed,
    Exchange,
    ExchangeAway,
    Executed,
    MarketRules,
    NotFound,
    NotPlaced,
    Purchase,
    PurchaseRequest,
    Refused,
    Unknown,
)

_CALLS: Final = Counter("exchange_venue_calls", "Calls of the exchange, by outcome.", ["call", "outcome"])
_SECONDS: Final = Histogram(
    "exchange_venue_call_seconds",
    "How long the exchange took.",
    ["call"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
_OUTCOMES: Final = {
    Executed: "executed",
    Refused: "refused",
    NotPlaced: "not_placed",
    NotFound: "not_found",
    Unknown: "unknown",
}

T = TypeVar("T")


class MeasuredExchange:
    """Passes everything on to `exchange`."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self.requests_expire = exchange.requests_expire

    def read_rules(self, *, coin: str) -> MarketRules:
        return _measured("rules", lambda: self._exchange.read_rules(coin=coin))

    def read_ask(self, *, coin: str) -> Decimal:
        return _measured("ask", lambda: self._exchange.read_ask(coin=coin))

    def read_prices(self, *, coins: list[str]) -> dict[str, Decimal]:
        return _measured("prices", lambda: self._exchange.read_prices(coins=coins))

    def read_time(self) -> datetime:
        return _measured("time", self._exchange.read_time)

    def buy(self, *, request: PurchaseRequest) -> Answer:
        return _measured("buy", lambda: self._exchange.buy(request=request))

    def look_up(self, *, coin: str, client_order_id: str) -> Answer:
        return _measured("look_up", lambda: self._exchange.look_up(coin=coin, client_order_id=client_order_id))

    def list_purchases(self, *, coin: str, since: datetime) -> list[Purchase]:
        return _measured("list", lambda: self._exchange.list_purchases(coin=coin, since=since))


def _measured(call: str, ask: Callable[[], T]) -> T:
    begun, outcome = time.monotonic(), "crashed"
    try:
        answer = ask()
        outcome = _OUTCOMES.get(type(answer), "answered")
    except ExchangeAway:
        outcome = "away"
        raise
    except CoinNotListed:
        outcome = "not_listed"
        raise
    else:
        return answer
    finally:
        _SECONDS.labels(call).observe(time.monotonic() - begun)
        _CALLS.labels(call, outcome).inc()
