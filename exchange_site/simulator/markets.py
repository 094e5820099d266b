"""The listed symbols and the filters on their orders ("Filters", Binance spot REST API documentation)."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from exchange_site.simulator.errors import NO_VALUE, VenueError, filter_failure

QUOTE_ASSET = "USDT"
# A copy of the seeder's prices, because the simulator imports nothing of the project. A test compares the two.
_STARTING_PRICES = {
    "ABAN": "20.00",
    "BTC": "65000.00",
    "ETH": "3200.00",
    "SOL": "150.00",
    "ADA": "0.45",
    "DOGE": "0.12",
}
TRADING = "TRADING"
STATUSES = frozenset({TRADING, "BREAK", "HALT", "END_OF_DAY"})
"""The states of a market ("ENUM Definitions", Binance spot REST API documentation)."""
_STEPS = (
    (Decimal(1_000_000), "0.00000001"),
    (Decimal(1000), "0.00001"),
    (Decimal(100), "0.001"),
    (Decimal(1), "0.01"),
    (Decimal("0.001"), "0.1"),
    (Decimal(0), "1"),
)
_MOST_DOLLARS = 6
"""The power of ten of the dollars for which one order of a cheap coin can be had."""
_TICK_DIGITS = 5
_PLACES = 8


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What filters look at beside an order: where the market is, and what the account has of it.

    `average` is the weighted average price of the last minutes. `position` is what is held of the coin, free or
    locked, and what open orders would buy of it.
    """

    average: Decimal
    open_orders: int
    position: Decimal


@dataclass(frozen=True, kw_only=True)
class Filters:
    """The filters of a symbol: quantities in coins, price and notional in the quote asset. Zero is no rule.

    The first five were there before the others. Those that begin with `market_` are for orders without a price, the
    multipliers for the price of an order to buy (`bid_`) or to sell (`ask_`), as parts of the average price of
    `average_minutes`, or of the last price if that is zero.
    """

    tick: Decimal = Decimal("0.0001")
    step: Decimal = Decimal("0.01")
    minimum: Decimal = Decimal("0.01")
    maximum: Decimal = Decimal(100_000)
    notional: Decimal = Decimal(5)
    notional_maximum: Decimal = Decimal(0)
    price_minimum: Decimal = Decimal(0)
    price_maximum: Decimal = Decimal(0)
    market_step: Decimal = Decimal(0)
    market_minimum: Decimal = Decimal(0)
    market_maximum: Decimal = Decimal(0)
    bid_multiplier_up: Decimal = Decimal(5)
    bid_multiplier_down: Decimal = Decimal("0.2")
    ask_multiplier_up: Decimal = Decimal(5)
    ask_multiplier_down: Decimal = Decimal("0.2")
    average_minutes: Decimal = Decimal(0)
    max_orders: Decimal = Decimal(200)
    max_position: Decimal = Decimal(0)

    @property
    def quantity_places(self) -> int:
        """Return the decimal places of coins: eight, or as many as the step has."""
        return _places(self.step)

    @property
    def price_places(self) -> int:
        """Return the decimal places of prices: eight as at Binance, or as many as the tick has."""
        return _places(self.tick)

    def check(self, *, side: str, quantity: Decimal, price: Decimal | None, standing: Standing) -> None:
        """Raise VenueError for an order that a filter refuses. `price` is None for a market order."""
        worth = quantity * (standing.average if price is None else price)
        refused = {
            "PRICE_FILTER": price is not None and not self._has_price(price),
            "PERCENT_PRICE_BY_SIDE": price is not None and not self._is_near(price, side=side, at=standing.average),
            "LOT_SIZE": not _is_lot(quantity, self.minimum, self.maximum, self.step),
            "MARKET_LOT_SIZE": price is None
            and not _is_lot(quantity, self.market_minimum, self.market_maximum, self.market_step),
            "NOTIONAL": not _is_between(worth, self.notional, self._notional_maximum(price)),
            "MAX_POSITION": side == "BUY" and not _is_between(standing.position + quantity, 0, self.max_position),
            "MAX_NUM_ORDERS": not _is_between(standing.open_orders + 1, 0, self.max_orders),
        }
        for name, is_refused in refused.items():
            if is_refused:
                raise filter_failure(name)
        if not worth:
            raise VenueError(*NO_VALUE)

    def _has_price(self, price: Decimal) -> bool:
        return _is_lot(price, self.price_minimum, self.price_maximum, self.tick)

    def _is_near(self, price: Decimal, *, side: str, at: Decimal) -> bool:
        name = "bid" if side == "BUY" else "ask"
        up, down = getattr(self, f"{name}_multiplier_up"), getattr(self, f"{name}_multiplier_down")
        return _is_between(price, at * down, at * up)

    def _notional_maximum(self, price: Decimal | None) -> Decimal:
        """Return the most that an order may be worth: "applyMaxToMarket" is false, as everywhere on Binance."""
        return Decimal(0) if price is None else self.notional_maximum


BASIC_FILTERS: Final = ("tick", "step", "minimum", "maximum", "notional")
"""The filters that every market sets for itself when it is listed."""


def starting_prices() -> dict[str, Decimal]:
    """Return the markets of a new book: the coins of the development data at their first prices."""
    return {f"{coin}{QUOTE_ASSET}": Decimal(price) for coin, price in _STARTING_PRICES.items()}


def default_filters(*, price: Decimal) -> Filters:
    """Return filters as a venue would choose them: the higher the price, the finer the step."""
    step = Decimal(next(step for floor, step in _STEPS if price >= floor))
    tick = Filters.tick if price >= 1 else Decimal(1).scaleb(price.adjusted() - _TICK_DIGITS)
    maximum = max(Filters.maximum, Decimal(1).scaleb(_MOST_DOLLARS - price.adjusted()))
    return Filters(tick=tick, step=step, minimum=step, maximum=maximum)


def base_of(symbol: str) -> str:
    """Return the coin that a symbol buys and sells."""
    return symbol.removesuffix(QUOTE_ASSET)


def _places(step: Decimal) -> int:
    exponent = step.normalize().as_tuple().exponent
    assert isinstance(exponent, int), "a filter is a number"
    return max(_PLACES, -exponent)


def _is_lot(value: Decimal, least: Decimal, most: Decimal, step: Decimal) -> bool:
    return _is_between(value, least, most) and not (step and value % step)


def _is_between(value: Decimal | int, least: Decimal | int, most: Decimal) -> bool:
    """Return whether a value is within its bounds. A bound of zero is none."""
    return least <= value and (not most or value <= most)
