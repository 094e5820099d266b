"""The venue's markets as ccxt describes them, shared by all threads of a process, and a market's filters."""

import threading
import time
from decimal import Decimal
from typing import Any, Final

import ccxt
from django.conf import settings

from settlement.venues.ccxt.answers import read_decimal
from settlement.venues.ccxt.errors import questions
from settlement.venues.protocol import CoinNotListed, MarketRules, VenueAway

_LIVE_SECONDS: Final = 3600
_NO_LIMIT: Final = Decimal(10) ** 15


class Markets:
    """The venue's markets. One thread loads them for all threads of the process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loaded: dict[str, Any] = {}
        self._loaded_at = 0.0

    def get(self, client: Any) -> dict[str, Any]:
        """Return the markets, reloaded when they are old. Raises VenueAway."""
        with self._lock:
            if not self._loaded or time.monotonic() > self._loaded_at + _LIVE_SECONDS:
                with questions():
                    loaded = client.load_markets(True)  # noqa: FBT003  ccxt's signature: reload
                if not loaded:  # for example a proxy's page: no proof that every coin was delisted
                    raise VenueAway("no markets")
                self._loaded = loaded
                self._loaded_at = time.monotonic()
            return self._loaded

    def forget(self) -> None:
        """Forget the markets, so that the next `get` loads them again."""
        with self._lock:
            self._loaded = {}


markets: Final = Markets()


def use_markets(client: Any) -> None:
    """Give a client the process's markets, reloaded when they are old because filters change. Raises VenueAway."""
    client.set_markets(markets.get(client))


def find_market(client: Any, *, coin: str) -> dict[str, Any]:
    """Return ccxt's description of a coin's market. Raises CoinNotListed, VenueAway."""
    use_markets(client)
    market: dict[str, Any] | None = client.markets.get(symbol_of(coin))
    if market is None:
        raise CoinNotListed(coin)
    return market


def read_rules(client: Any, *, coin: str) -> MarketRules:
    """Return the filters of a coin's market. Raises CoinNotListed, VenueAway."""
    market = find_market(client, coin=coin)
    if market.get("active") is False:
        raise VenueAway(f"the market of {coin} is closed")
    precision, limits = market["precision"], market["limits"]
    return MarketRules(
        quantity_step=_step(client, precision["amount"]),
        quantity_minimum=read_decimal(limits["amount"].get("min")) or Decimal(0),
        quantity_maximum=read_decimal(limits["amount"].get("max")) or _NO_LIMIT,
        price_tick=_step(client, precision["price"]),
        notional_minimum=read_decimal(limits["cost"].get("min")) or Decimal(0),
    )


def symbol_of(coin: str) -> str:
    """Return ccxt's name for the market in which a coin is bought."""
    return f"{coin}/{settings.VENUE.quote_asset}"


def _step(client: Any, precision: object) -> Decimal:
    value = read_decimal(precision)
    if value is None:
        return Decimal("0.00000001")
    if client.precisionMode == ccxt.DECIMAL_PLACES:
        return Decimal(1).scaleb(-int(value))
    assert client.precisionMode == ccxt.TICK_SIZE, "significant digits are no step"
    return value
