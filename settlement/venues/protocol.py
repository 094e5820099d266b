"""The calls that settlement makes to a venue, and all possible answers.

A `VenueAnswer` is one of

    Executed        the venue knows the order and tells the quantity bought; `final` if that can no longer change
    Refused         this purchase can never succeed
    NotPlaced       the purchase was not accepted, for a reason that passes or that we can correct
    OrderNotFound   the venue does not know the order (only ever the answer to a lookup, by id or in its lists)
    Untrue          the venue's answer about the order cannot be true: staff decide, see `settlement.gate`
    Unknown         anything else: the purchase may have been executed

An adapter returns one of the first four only with proof.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Final, Protocol

from settlement.figures import subtract
from settlement.gate import Figures
from settlement.venues.quotes import NoPrice, Quoted

CLIENT_ORDER_ID_PREFIX: Final = "ce"
"""All our client order ids begin with this prefix; `settlement.order_ids` tells whose installation an id is of."""


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
    """An immediate-or-cancel limit order, signed with an exact time of the venue's clock."""

    coin: str
    client_order_id: str
    quantity: Decimal
    limit_price: Decimal
    signed_at: datetime
    window: timedelta


@dataclass(frozen=True, kw_only=True)
class Executed:
    """The venue's figures for an order, judged by themselves but not yet by our request (`settlement.gate`).

    `cost` is in the quote asset and includes `quote_commission`, the commission taken in that asset. `commission` is in
    the coin. `foreign_commission` names a third asset in which commission was taken, if any.
    `asked` and `limit_price` are the request, as the venue repeats it, if it does.
    """

    venue_order_id: str
    status: str
    final: bool
    quantity: Decimal
    cost: Decimal
    commission: Decimal
    quote_commission: Decimal = Decimal(0)
    foreign_commission: str = ""
    asked: Decimal | None = None
    limit_price: Decimal | None = None
    answer: Mapping[str, Any] = field(default_factory=dict)

    @property
    def figures(self) -> Figures:
        """The figures in the gate's form, which separates cost and commission."""
        return Figures(
            quantity=self.quantity,
            cost=subtract(self.cost, self.quote_commission),
            commission=self.commission,
            quote_commission=self.quote_commission,
            foreign_commission=self.foreign_commission,
        )


@dataclass(frozen=True, kw_only=True)
class ListedPurchase:
    """One of our orders in the venue's list. `cost` is in the quote asset, without any commission.

    Client order ids may repeat at the venue; venue order ids do not.
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
    """A reason to stop buying that lies with the coin, the venue or our calls, not with one purchase."""

    COIN = "coin"
    VENUE = "venue"
    CALLS = "calls"  # too many calls: the venue wants none of any kind for a while


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
class Untrue:
    """`answer` is what the venue said, as evidence."""

    reason: str
    answer: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Unknown:
    reason: str
    retry_after_seconds: float | None = None
    venue_order_id: str = ""  # the purchase's, if the answer says that it was accepted


VenueAnswer = Executed | Refused | NotPlaced | OrderNotFound | Untrue | Unknown


class VenueAway(Exception):
    """The venue did not answer a question that changes nothing (rules, prices, time, lists).

    `retry_after_seconds` is set when the venue got too many calls and wants no calls for that long.
    """

    def __init__(self, reason: str, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after_seconds = retry_after_seconds


class NoAsk(VenueAway):
    """The coin cannot be bought at the moment: its market does not trade, nobody offers it, or the ask is implausible.

    Nothing was sent.
    """


class CoinNotListed(Exception):
    """The venue has no market for this coin."""


class UnusableRules(Exception):
    """The market cannot be read, or its filters are absurd or would make a purchase far larger than its orders.

    Nothing is bought.
    """


@dataclass(frozen=True, kw_only=True)
class AccountTerms:
    """The venue's terms for our account. None: the venue does not say.

    `third_asset` names the asset in which the venue takes commission instead of the coin or the quote asset, if any.
    """

    can_trade: bool | None = None
    taker_rate: Decimal | None = None
    third_asset: str = ""


class VenueConfig(Protocol):
    """The settings of one venue."""

    @property
    def url(self) -> str:
        """The address that stands in for the venue, such as the simulator's. Empty for the venue itself."""

    @property
    def api_key(self) -> str: ...
    @property
    def api_secret(self) -> str: ...
    @property
    def api_password(self) -> str: ...
    @property
    def sandbox(self) -> bool: ...
    @property
    def quote_asset(self) -> str: ...
    @property
    def taker_rate(self) -> Decimal: ...
    @property
    def recv_window(self) -> timedelta: ...


class Venue(Protocol):
    """A venue where coins are bought. Callers must hold no database connection and no lock during a call."""

    name: str
    """Its name in ccxt, by which rows, metrics and settings know it."""

    requests_expire: bool
    """Whether requests have a deadline, after which the venue refuses them."""

    def read_rules(self, *, coin: str) -> MarketRules:
        """Return the filters of the coin's market. Raises CoinNotListed, UnusableRules, NoAsk, VenueAway."""
        ...

    def read_ask(self, *, coin: str) -> Decimal:
        """Return the lowest price at which the coin is offered.

        Raises CoinNotListed, UnusableRules, NoAsk, VenueAway.
        """
        ...

    def read_prices(self, *, coins: list[str]) -> dict[str, Quoted | NoPrice]:
        """Return the prices of each coin, or the reason why it has none. Raises VenueAway."""
        ...

    def read_book(self, *, coin: str) -> Quoted | NoPrice:
        """Return the best prices of one coin's book, asked for by itself, without a time. Raises VenueAway."""
        ...

    def read_funds(self) -> Decimal:
        """Return how much of the quote asset our account can spend. Raises VenueAway."""
        ...

    def read_time(self) -> datetime:
        """Return the time by the venue's clock. Raises VenueAway."""
        ...

    def read_terms(self, *, coin: str) -> AccountTerms:
        """Return the venue's terms for our purchases of a coin. Raises CoinNotListed, UnusableRules, VenueAway."""
        ...

    def rehearse(self, *, purchase: PurchaseRequest) -> VenueAnswer | None:
        """Let the venue check a purchase that it does not place. Return what it says against it, if anything.

        None also stands for a venue that checks no purchases.
        """
        ...

    def buy(self, *, purchase: PurchaseRequest) -> VenueAnswer:
        """Send the purchase once, and return the venue's answer."""
        ...

    def look_up(self, *, coin: str, client_order_id: str) -> VenueAnswer:
        """Look up an order by its client order id."""
        ...

    def find_in_lists(self, *, coin: str, client_order_id: str, since: datetime) -> VenueAnswer:
        """Look up an order in the venue's lists of orders and trades since `since`, by the venue's clock.

        This is the second source: an answer to a lookup by id may be wrong. OrderNotFound means that the lists are
        complete, agree with each other, and do not have the order. Lists that cannot be had or believed are Unknown.
        """
        ...

    def look_up_listed(self, *, coin: str, client_order_id: str, venue_order_id: str) -> VenueAnswer:
        """Look up an order of the venue's list by its venue order id: client order ids may repeat."""
        ...

    def read_balances(self) -> dict[str, Decimal]:
        """Return what the account holds of each asset that the venue names, free or locked, not rounded.

        An asset that is missing is one of which the venue says nothing that can be believed; it may be one of which the
        account holds nothing. Raises VenueAway.
        """
        ...

    def list_purchases(self, *, coin: str, since: datetime) -> list[ListedPurchase]:
        """List all our orders that the venue has accepted since `since` (by the venue's clock), the oldest first.

        An incomplete list is never returned. Raises CoinNotListed, UnusableRules, VenueAway.
        """
        ...

    def list_figures(
        self, *, coin: str, listed: list[ListedPurchase], since: datetime
    ) -> dict[str, Figures | None] | None:
        """Return the figures of listed orders, with the commission, from the venue's list of trades since `since`.

        By venue order id. None stands for trades that contradict their order; orders whose trades are not all listed
        are left out. None as a whole: the venue does not list trades. Raises VenueAway.
        """
        ...
