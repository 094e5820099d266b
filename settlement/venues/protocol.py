"""Everything settlement asks of a venue, and every answer it can get.

A `VenueAnswer` is one of

    Executed        the venue knows the order; `final` or not, it says how much was bought
    Refused         this purchase can never succeed
    NotPlaced       it was not accepted, for a reason that passes or that we can mend
    OrderNotFound   the venue does not know the order (only ever the answer to a lookup)
    Unknown         anything else: it may have been executed

Only the first four carry knowledge. Unknown is the default for anything an adapter cannot prove.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Final, Protocol

CLIENT_ORDER_ID_PREFIX: Final = "ce"
"""The beginning of all our client order ids (`settlement.models.new_client_order_id`), and of nobody else's."""


@dataclass(frozen=True, kw_only=True)
class MarketRules:
    """A market's filters: quantities in coins, prices and notional in the quote asset."""

    quantity_step: Decimal
    quantity_minimum: Decimal
    quantity_maximum: Decimal
    price_tick: Decimal
    notional_minimum: Decimal


@dataclass(frozen=True, kw_only=True)
class PurchaseRequest:
    """An immediate-or-cancel limit order, signed at an exact moment of the venue's clock."""

    coin: str
    client_order_id: str
    quantity: Decimal
    limit_price: Decimal
    signed_at: datetime
    window: timedelta


@dataclass(frozen=True, kw_only=True)
class Executed:
    """The venue's account of an order it knows. `cost` is in the quote asset, commission taken there included.

    `foreign_commission` names a third asset that commission was taken in, if any.
    """

    venue_order_id: str
    status: str
    final: bool
    quantity: Decimal
    cost: Decimal
    commission: Decimal
    foreign_commission: str = ""
    answer: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ListedPurchase:
    """An order of ours as the venue lists it. `cost` is in the quote asset, without any commission.

    Client order ids may repeat at the venue, its own ids do not.
    """

    client_order_id: str
    venue_order_id: str
    status: str
    final: bool
    quantity: Decimal
    cost: Decimal


@dataclass(frozen=True, kw_only=True)
class Refused:
    reason: str


class Trouble(Enum):
    """A reason to stop buying that is not this order's fault."""

    COIN = "coin"
    VENUE = "venue"
    CALLS = "calls"  # too many: the venue wants no call of any kind for a while


@dataclass(frozen=True, kw_only=True)
class NotPlaced:
    """`trouble` is set when the reason lies with the coin, the venue or our calls, not with this request."""

    reason: str
    trouble: Trouble | None = None
    retry_after_seconds: float | None = None


@dataclass(frozen=True, kw_only=True)
class OrderNotFound:
    pass


@dataclass(frozen=True, kw_only=True)
class Unknown:
    reason: str
    retry_after_seconds: float | None = None


VenueAnswer = Executed | Refused | NotPlaced | OrderNotFound | Unknown


class VenueAway(Exception):
    """A question without consequences (rules, prices, time, lists) was not answered.

    `retry_after_seconds` is set when the venue had too many calls: it wants none for that long.
    """

    def __init__(self, reason: str, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after_seconds = retry_after_seconds


class CoinNotListed(Exception):
    """The venue has no market for this coin."""


class Venue(Protocol):
    """A venue that coins are bought at. No method may be called with a database connection or a lock held."""

    requests_expire: bool
    """Whether a request has a deadline after which the venue refuses it."""

    def read_rules(self, *, coin: str) -> MarketRules:
        """Return the filters of the coin's market. Raises CoinNotListed, VenueAway."""
        ...

    def read_ask(self, *, coin: str) -> Decimal:
        """Return the lowest price at which the coin is offered. Raises CoinNotListed, VenueAway."""
        ...

    def read_prices(self, *, coins: list[str]) -> dict[str, Decimal]:
        """Return the last prices of those coins that have a market. Raises VenueAway."""
        ...

    def read_time(self) -> datetime:
        """Return the time by the venue's clock. Raises VenueAway."""
        ...

    def buy(self, *, purchase: PurchaseRequest) -> VenueAnswer:
        """Send the request, once."""
        ...

    def look_up(self, *, coin: str, client_order_id: str) -> VenueAnswer:
        """Look up an order by our id of it."""
        ...

    def list_purchases(self, *, coin: str, since: datetime) -> list[ListedPurchase]:
        """List all orders of ours that the venue has accepted since `since`, by its clock; oldest first.

        Complete or not at all. Raises CoinNotListed, VenueAway.
        """
        ...
