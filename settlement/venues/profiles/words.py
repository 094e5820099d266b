"""The words between the adapter and a profile: calls, replies, markets, and orders as a venue describes them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from settlement.told import OrderTold, TradeTold
from settlement.venues.protocol import AccountTerms, VenueAway

__all__ = [
    "AccountTerms",
    "Call",
    "Declined",
    "Failure",
    "Heard",
    "Holding",
    "Market",
    "Reply",
    "TradeHeard",
    "Wire",
    "milliseconds_of",
]


@dataclass(frozen=True, kw_only=True)
class Call:
    """A request to one of the venue's endpoints.

    `section` and `path` name the endpoint as ccxt's `sign` does. `headers` are added after the signature. `options` are
    those of ccxt's client while it signs this call. `weight` is the endpoint's share of the venue's rate limit, in
    ccxt's unit.
    """

    method: str
    path: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    section: tuple[str, ...] = ("private",)
    headers: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    weight: float = 1


@dataclass(frozen=True, kw_only=True)
class Reply:
    """A whole answer of the venue. `body` is its JSON, with numbers that have a point as text; None if it is none."""

    status: int
    headers: Mapping[str, str]
    body: Any

    @property
    def is_error(self) -> bool:
        return self.status >= 400  # noqa: PLR2004  HTTP's client and server errors


@dataclass(frozen=True, kw_only=True)
class Failure:
    """An error in the venue's words. `code` is empty if there is none.

    `names_order`: the answer names an order all the same. That is a contradiction, which proves nothing, whatever the
    code and the status.
    """

    code: str
    message: str = ""
    names_order: bool = False


class Declined(VenueAway):
    """The venue answered a question of ours with an error."""

    def __init__(self, reason: str, *, failure: Failure, retry_after_seconds: float | None = None) -> None:
        super().__init__(reason, retry_after_seconds=retry_after_seconds)
        self.failure = failure


class Wire(Protocol):
    """Asks the venue. Questions change nothing there."""

    def ask(self, call: Call) -> Any:
        """Return the JSON of a successful answer. Raises Declined, VenueAway."""
        ...


@dataclass(frozen=True, kw_only=True)
class Market:
    """The market in which a coin is bought. `symbol` is ours; the other names are the venue's."""

    coin: str
    quote_asset: str
    market_id: str
    names: frozenset[str]
    coin_id: str
    quote_id: str

    @property
    def symbol(self) -> str:
        return f"{self.coin}/{self.quote_asset}"

    def symbol_in(self, said: object) -> object:
        """Return our symbol for one of the market's names, and any other word as it is."""
        return self.symbol if isinstance(said, str) and said in self.names else said

    def asset_in(self, said: object) -> object:
        """Return our name of the coin or the quote asset, and any other word as it is."""
        names = {self.coin_id: self.coin, self.quote_id: self.quote_asset}
        return names.get(said, said) if isinstance(said, str) else said


@dataclass(frozen=True, kw_only=True)
class Heard:
    """An order in the venue's words.

    `trades` are all of the order's trades, or None if they have to be asked for. `placed_at` is in milliseconds.
    """

    told: OrderTold
    limit_price: object = None
    placed_at: int | None = None
    trades: list[TradeTold] | None = None
    said: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class TradeHeard:
    """A trade in a list: `at` is in milliseconds; `trade.venue_order_id` names its order."""

    trade: TradeTold
    at: int


@dataclass(frozen=True, kw_only=True)
class Holding:
    """An amount of an asset in our account, in the venue's words. `asset` is the venue's name of it."""

    asset: str
    free: object
    total: object


def milliseconds_of(moment: datetime) -> int:
    """Return a moment in milliseconds since 1970, as most venues write it."""
    return int(moment.timestamp() * 1000)
