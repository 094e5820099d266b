"""Prices as venues and second sources say them."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol


@dataclass(frozen=True)
class NoPrice:
    """The reason why a coin has no price at the venue. `not_trading`: the venue says that its market is closed."""

    reason: str
    not_trading: bool = False


@dataclass(frozen=True, kw_only=True)
class Quoted:
    """A coin's prices at a venue, in the quote asset: best bid, best ask, and the last trade's, if it can be read.

    `venue_time` is the time of the prices by the venue's clock; None if the venue does not say one. Nothing is judged
    here but that the figures are plain decimals: see `trading.readings`.
    """

    bid: Decimal
    ask: Decimal
    last: Decimal | None
    venue_time: datetime | None


@dataclass(frozen=True, kw_only=True)
class SecondPrice:
    """A price of a second source in US dollars, and its own time by that source's clock."""

    value: Decimal
    source_time: datetime


class SecondSource(Protocol):
    """Another venue's public prices, which confirm prices that have jumped."""

    name: str

    def read_price(self, *, coin: str) -> SecondPrice | NoPrice:
        """Return the coin's price in US dollars, or the reason why there is none. Raises VenueAway."""
        ...
