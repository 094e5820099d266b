"""The listed symbols and the filters on their orders ("Filters", Binance spot REST API documentation)."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from exchange_site.simulator.errors import filter_failure

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


@dataclass(frozen=True, kw_only=True)
class Filters:
    """The filters of a symbol: quantities in coins, price and notional in the quote asset. Zero is no rule."""

    tick: Decimal = Decimal("0.0001")
    step: Decimal = Decimal("0.01")
    minimum: Decimal = Decimal("0.01")
    maximum: Decimal = Decimal(100_000)
    notional: Decimal = Decimal(5)

    def check(self, *, quantity: Decimal, price: Decimal, is_limit: bool) -> None:
        """Raise VenueError for an order that a filter refuses. `price` is its limit, or what the market is at."""
        if is_limit and self.tick and price % self.tick:
            raise filter_failure("PRICE_FILTER")
        if not self.minimum <= quantity <= (self.maximum or quantity) or (self.step and quantity % self.step):
            raise filter_failure("LOT_SIZE")
        if quantity * price < self.notional:
            raise filter_failure("NOTIONAL")


def starting_prices() -> dict[str, Decimal]:
    """Return the markets of a new book: the coins of the development data at their first prices."""
    return {f"{coin}{QUOTE_ASSET}": Decimal(price) for coin, price in _STARTING_PRICES.items()}


def default_filters(*, price: Decimal) -> Filters:
    """Return filters as a venue would choose them: the higher the price, the finer the step."""
    step = Decimal(next(step for floor, step in _STEPS if price >= floor))
    tick = Filters.tick if price >= 1 else Decimal(1).scaleb(price.adjusted() - _TICK_DIGITS)
    maximum = max(Filters.maximum, Decimal(1).scaleb(_MOST_DOLLARS - price.adjusted()))
    return Filters(tick=tick, step=step, minimum=step, maximum=maximum)


def describe(symbol: str, filters: Filters, *, status: str) -> dict[str, Any]:
    """Return the symbol's entry in exchangeInfo."""
    base = symbol.removesuffix(QUOTE_ASSET)
    lot = {
        "minQty": f"{filters.minimum:f}",
        "maxQty": f"{filters.maximum:f}",
        "stepSize": f"{filters.step:f}",
    }
    return {
        "symbol": symbol,
        "status": status,
        "baseAsset": base,
        "baseAssetPrecision": 8,
        "quoteAsset": QUOTE_ASSET,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": ["LIMIT", "MARKET"],
        "icebergAllowed": False,
        "ocoAllowed": False,
        "quoteOrderQtyMarketAllowed": False,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": [
            {
                "filterType": "PRICE_FILTER",
                "minPrice": f"{filters.tick:f}",
                "maxPrice": "10000000000000.0000",
                "tickSize": f"{filters.tick:f}",
            },
            {"filterType": "LOT_SIZE", **lot},
            {"filterType": "MARKET_LOT_SIZE", **lot},
            {
                "filterType": "NOTIONAL",
                "minNotional": f"{filters.notional:f}",
                "applyMinToMarket": True,
                "maxNotional": "90000000.00000000",
                "applyMaxToMarket": False,
                "avgPriceMins": 5,
            },
        ],
        "permissions": ["SPOT"],
        "permissionSets": [["SPOT"]],
    }
