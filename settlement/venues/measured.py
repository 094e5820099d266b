"""A venue whose calls have limits, and are counted and timed for Prometheus."""

import time
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Final, TypeVar

from prometheus_client import Counter, Histogram

from settlement.gate import Figures
from settlement.venues.deadlines import Kind, calling
from settlement.venues.protocol import (
    AccountTerms,
    CoinNotListed,
    Executed,
    ListedPurchase,
    MarketRules,
    NotPlaced,
    OrderNotFound,
    PurchaseRequest,
    Refused,
    Unknown,
    Untrue,
    UnusableRules,
    Venue,
    VenueAnswer,
    VenueAway,
)
from settlement.venues.quotes import NoPrice, Quoted, SecondPrice, SecondSource
from wallets.runtime.tracing import span

_CALLS: Final = Counter("exchange_venue_calls", "Calls to a venue, by outcome.", ["call", "outcome", "venue"])
_SECONDS: Final = Histogram(
    "exchange_venue_call_seconds",
    "Seconds until a venue answered.",
    ["call", "venue"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
_OUTCOMES: Final = {
    Executed: "executed",
    Refused: "refused",
    NotPlaced: "not_placed",
    OrderNotFound: "not_found",
    Untrue: "untrue",
    Unknown: "unknown",
}

T = TypeVar("T")


class MeasuredVenue:
    """Pass every call on to `venue` with the limits of its kind, and measure the call."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self.name = venue.name
        self.requests_expire = venue.requests_expire

    def read_rules(self, *, coin: str) -> MarketRules:
        return self._measured("rules", Kind.LIST, lambda: self._venue.read_rules(coin=coin))

    def read_ask(self, *, coin: str) -> Decimal:
        return self._measured("ask", Kind.ORDER, lambda: self._venue.read_ask(coin=coin))

    def read_prices(self, *, coins: list[str]) -> dict[str, Quoted | NoPrice]:
        return self._measured("prices", Kind.PRICES, lambda: self._venue.read_prices(coins=coins))

    def read_book(self, *, coin: str) -> Quoted | NoPrice:
        return self._measured("book", Kind.ORDER, lambda: self._venue.read_book(coin=coin))

    def read_funds(self) -> Decimal:
        return self._measured("funds", Kind.ORDER, self._venue.read_funds)

    def read_time(self) -> datetime:
        return self._measured("time", Kind.ORDER, self._venue.read_time)

    def read_terms(self, *, coin: str) -> AccountTerms:
        return self._measured("terms", Kind.ORDER, lambda: self._venue.read_terms(coin=coin))

    def rehearse(self, *, purchase: PurchaseRequest) -> VenueAnswer | None:
        return self._measured("rehearse", Kind.ORDER, lambda: self._venue.rehearse(purchase=purchase))

    def buy(self, *, purchase: PurchaseRequest) -> VenueAnswer:
        return self._measured("buy", Kind.ORDER, lambda: self._venue.buy(purchase=purchase))

    def look_up(self, *, coin: str, client_order_id: str) -> VenueAnswer:
        return self._measured(
            "look_up", Kind.ORDER, lambda: self._venue.look_up(coin=coin, client_order_id=client_order_id)
        )

    def find_in_lists(self, *, coin: str, client_order_id: str, since: datetime) -> VenueAnswer:
        return self._measured(
            "find_in_lists",
            Kind.HISTORY,
            lambda: self._venue.find_in_lists(coin=coin, client_order_id=client_order_id, since=since),
        )

    def look_up_listed(self, *, coin: str, client_order_id: str, venue_order_id: str) -> VenueAnswer:
        return self._measured(
            "look_up",
            Kind.ORDER,
            lambda: self._venue.look_up_listed(
                coin=coin, client_order_id=client_order_id, venue_order_id=venue_order_id
            ),
        )

    def list_purchases(self, *, coin: str, since: datetime) -> list[ListedPurchase]:
        return self._measured("list", Kind.HISTORY, lambda: self._venue.list_purchases(coin=coin, since=since))

    def list_figures(
        self, *, coin: str, listed: list[ListedPurchase], since: datetime
    ) -> dict[str, Figures | None] | None:
        return self._measured(
            "list_trades", Kind.HISTORY, lambda: self._venue.list_figures(coin=coin, listed=listed, since=since)
        )

    def read_balances(self) -> dict[str, Decimal]:
        return self._measured("balances", Kind.ORDER, self._venue.read_balances)

    def _measured(self, call: str, kind: Kind, ask: Callable[[], T]) -> T:
        return _measured(call, kind, ask, venue=self.name)


class MeasuredSecondSource:
    """Pass every call on to a second source with limits, and measure the call."""

    def __init__(self, source: SecondSource) -> None:
        self._source = source
        self.name = source.name

    def read_price(self, *, coin: str) -> SecondPrice | NoPrice:
        return _measured("second", Kind.PRICES, lambda: self._source.read_price(coin=coin), venue=self.name)


def _measured(call: str, kind: Kind, ask: Callable[[], T], *, venue: str) -> T:
    begun, outcome = time.monotonic(), "crashed"
    try:
        with span("call", call=call, venue=venue) as traced, calling(kind):
            answer = ask()
            outcome = _OUTCOMES.get(type(answer), "answered")
            traced.note(outcome=outcome)
    except VenueAway:
        outcome = "away"
        raise
    except CoinNotListed:
        outcome = "not_listed"
        raise
    except UnusableRules:
        outcome = "unusable"
        raise
    else:
        return answer
    finally:
        _SECONDS.labels(call, venue).observe(time.monotonic() - begun)
        _CALLS.labels(call, outcome, venue).inc()
