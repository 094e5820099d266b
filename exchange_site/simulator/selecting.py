"""Which markets a public request is for: one, several by name, or all ("symbolStatus", "24hr ticker", Binance)."""

import json
from collections.abc import Mapping

from exchange_site.simulator.book.listings import Listings
from exchange_site.simulator.errors import BAD_COMBINATION, DOUBLED_SYMBOL, OTHER_STATUS, UNKNOWN_SYMBOL, VenueError


def select_symbols(given: Mapping[str, str], listings: Listings) -> list[str]:
    """Return the symbols that a request is for. Raises VenueError for unknown ones, and for two ways to name them."""
    if "symbol" in given and "symbols" in given:
        raise VenueError(*BAD_COMBINATION)
    if "symbol" in given:
        ensure_status(given, listings)
        return [given["symbol"]]
    listed = listings.symbols()
    named: list[str] = json.loads(given["symbols"]) if "symbols" in given else listed
    if len(set(named)) < len(named):
        raise VenueError(*DOUBLED_SYMBOL)
    if not set(named) <= set(listed):
        raise VenueError(*UNKNOWN_SYMBOL)
    wanted = given.get("symbolStatus")
    return [symbol for symbol in named if wanted is None or listings.status(symbol) == wanted]


def ensure_status(given: Mapping[str, str], listings: Listings) -> None:
    """Refuse a symbol that does not have the status that is asked for. Raises VenueError."""
    if "symbolStatus" in given and listings.status(given["symbol"]) != given["symbolStatus"]:
        raise VenueError(*OTHER_STATUS)
