"""Each venue's markets as ccxt describes them, shared by all threads of a process, and a market's filters."""

import logging
import threading
import time
from decimal import Decimal
from typing import Any, Final

import ccxt
from django.conf import settings

from settlement.figures import read_figure
from settlement.told import printable
from settlement.venues.ccxt.errors import questions
from settlement.venues.deadlines import Kind, calling, seconds_left
from settlement.venues.profiles.words import Market
from settlement.venues.protocol import CoinNotListed, MarketRules, NoAsk, UnusableRules, VenueAway
from wallets.money import PRICE_PLACES

logger = logging.getLogger(__name__)

_STALE_AT_MOST: Final = 10
"""A list that cannot be reloaded serves for so many times its age, five minutes by default. The venue refuses what it
no longer allows."""
_NO_LIMIT: Final = Decimal(10) ** 15
_FINEST: Final = {"amount": Decimal("0.00000001"), "price": Decimal(1).scaleb(-PRICE_PLACES)}
"""The step and the tick of a market without such a rule: our amounts and prices have no more places."""
_MOST_PLACES: Final = 30
_NAMES: Final = ("symbol", "id", "name", "instId", "pair", "product_id", "altname", "wsname")
"""The fields in which venues name a market. An entry without any of them may be any coin's."""


class Markets:
    """The venue's markets. One thread loads them for all threads of the process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loaded: dict[str, Any] = {}
        self._unread: list[Any] = []
        self._loaded_at = 0.0
        self._failed_at = 0.0
        self._forgotten_at = 0.0

    def get(self, client: Any, *, at_most_seconds: float) -> tuple[dict[str, Any], list[Any]]:
        """Return the markets, and the venue's entries that could not be read. Raises VenueAway.

        The list is reloaded if it is older than `at_most_seconds`. While another thread reloads it, or after that has
        failed, an older list serves if `at_most_seconds` allows some age: one slow list stops no coin.
        """
        now = time.monotonic()
        # In the opposite order of `_reload`, which may write meanwhile: no list seems newer than it is.
        loaded_at, loaded, unread = self._loaded_at, self._loaded, self._unread
        if loaded and loaded_at >= now - at_most_seconds:
            return loaded, unread
        is_usable = bool(loaded and at_most_seconds and loaded_at >= now - _STALE_AT_MOST * at_most_seconds)
        if is_usable and self._failed_at >= now - at_most_seconds:
            return loaded, unread
        if not self._lock.acquire(timeout=0 if is_usable else seconds_left()):
            if is_usable:
                return loaded, unread
            raise VenueAway("the list of markets is still being loaded")
        try:
            return self._reload(client, oldest=now - at_most_seconds)
        except VenueAway as error:
            self._failed_at = time.monotonic()
            if is_usable and error.retry_after_seconds is None:
                logger.warning("the list of markets cannot be loaded, the last one serves on: %s", error)
                return loaded, unread
            raise
        finally:
            self._lock.release()

    def forget(self) -> None:
        """Forget the markets, so that the next `get` loads them again."""
        self._forgotten_at = time.monotonic()
        self._loaded, self._loaded_at = {}, 0.0

    def _reload(self, client: Any, *, oldest: float) -> tuple[dict[str, Any], list[Any]]:
        """Load the list, unless another thread has done so while this one waited."""
        if not self._loaded or self._loaded_at < oldest:
            begun = time.monotonic()
            client.unread_markets = []
            with calling(Kind.LIST), questions():
                loaded = client.load_markets(True)  # noqa: FBT003  ccxt's signature: reload
            if not loaded:  # for example a proxy's page: no proof that every coin was delisted
                raise VenueAway("no markets")
            if begun < self._forgotten_at:  # it may lack what the other thread found out
                return loaded, client.unread_markets
            self._unread = client.unread_markets
            self._loaded = loaded
            self._loaded_at = begun
        return self._loaded, self._unread


class AllMarkets:
    """The markets of all venues at which this process buys."""

    def __init__(self) -> None:
        self._of_venues: dict[str, Markets] = {}

    def of(self, client: Any) -> Markets:
        """Return the markets of a client's venue."""
        return self._of_venues.setdefault(client.id, Markets())

    def forget(self) -> None:
        """Forget the markets of all venues."""
        for each in list(self._of_venues.values()):
            each.forget()


markets: Final = AllMarkets()


def use_markets(client: Any, *, at_most_seconds: float | None = None) -> None:
    """Give a client the process's markets, at most EXCHANGE_MARKETS_MAX_AGE_SECONDS old. Raises VenueAway."""
    longest = settings.VENUE.markets_max_age_seconds if at_most_seconds is None else at_most_seconds
    loaded, unread = markets.of(client).get(client, at_most_seconds=longest)
    client.set_markets(loaded)
    client.unread_markets = unread


def find_market(client: Any, *, coin: str, at_most_seconds: float = 0) -> dict[str, Any]:
    """Return ccxt's description of a coin's market. Raises CoinNotListed, UnusableRules, VenueAway.

    If the list lacks the coin or calls its market closed, and is older than `at_most_seconds`, the list is asked for
    anew before it is believed: the orders of a coin that is not listed are refunded for good. An entry that cannot be
    read is no proof that its coin is not listed.
    """
    use_markets(client)
    if not is_trading(client, coin=coin):
        use_markets(client, at_most_seconds=at_most_seconds)
    market: dict[str, Any] | None = client.markets.get(symbol_of(client, coin))
    if market is None:
        if cannot_be_read(client, coin=coin):
            raise UnusableRules(f"the market of {coin} cannot be read")
        raise CoinNotListed(coin)
    return market


def cannot_be_read(client: Any, *, coin: str) -> bool:
    """Say whether the client's list has an entry that may be the coin's market, and was not understood.

    That is an entry that failed and has the coin's name or none at all, and an entry that was read as another coin's
    although it has this coin's name. Asks nothing.
    """
    wanted = _bare(symbol_of(client, coin))
    if any(not (names := _names_in(entry)) or wanted in names for entry in client.unread_markets):
        return True
    return any(market.get("spot") and wanted in _names_in(market.get("info")) for market in client.markets.values())


def _names_in(entry: object) -> set[str]:
    """Return the names of a market in the venue's own entry, without the marks that venues put between two coins."""
    return {_bare(name) for name in _names_told(entry)}


def _names_told(entry: object) -> set[str]:
    values = [entry.get(key) for key in _NAMES] if isinstance(entry, dict) else []
    return {value for value in values if isinstance(value, str) and value}


def _bare(name: str) -> str:
    return "".join(letter for letter in name.upper() if letter.isalnum())


def is_trading(client: Any, *, coin: str) -> bool:
    """Say whether the client's list has a market for the coin that is not closed. Asks nothing."""
    market = client.markets.get(symbol_of(client, coin))
    return market is not None and market.get("active") is not False


def find_open_market(client: Any, *, coin: str) -> dict[str, Any]:
    """Return a market that trades. Raises CoinNotListed, UnusableRules, VenueAway, and NoAsk for a closed one."""
    market = find_market(client, coin=coin)
    if market.get("active") is False:
        raise NoAsk(f"the market of {coin} is closed: {describe_state(market)}")
    return market


def describe_state(market: dict[str, Any]) -> str:
    """Return the venue's word for the state of a market, such as BREAK or HALT."""
    info = market.get("info")
    return printable(str(info.get("status") or "not active")[:40]) if isinstance(info, dict) else "not active"


def read_rules(client: Any, *, coin: str) -> MarketRules:
    """Return the filters of a coin's market. A filter of zero is no rule.

    Raises CoinNotListed, UnusableRules, NoAsk, VenueAway.
    """
    market = find_open_market(client, coin=coin)
    try:
        precision, limits = market["precision"], market["limits"]
        amount, cost = limits.get("amount") or {}, limits.get("cost") or {}
        return MarketRules(
            quantity_step=_step(client, precision, "amount"),
            quantity_minimum=_number("minimum", amount.get("min")) or Decimal(0),
            quantity_maximum=_number("maximum", amount.get("max")) or _NO_LIMIT,
            price_tick=_step(client, precision, "price"),
            notional_minimum=_number("notional", cost.get("min")) or Decimal(0),
        )
    except (AttributeError, KeyError, TypeError) as error:
        raise UnusableRules(f"the filters of {coin} cannot be read") from error


def symbol_of(client: Any, coin: str) -> str:
    """Return ccxt's name for the market in which a coin is bought."""
    return f"{coin}/{client.quote_asset}"


def market_of(client: Any, *, coin: str) -> Market:
    """Return the names of a coin's market, without asking the venue if its markets are known.

    Raises CoinNotListed, UnusableRules, VenueAway.
    """
    if not client.markets:
        use_markets(client)
    listed = client.markets.get(symbol_of(client, coin)) or find_market(client, coin=coin)
    return named(listed, coin=coin, quote_asset=client.quote_asset)


def named(listed: dict[str, Any], *, coin: str, quote_asset: str) -> Market:
    """Return the names of a market that ccxt describes."""
    return Market(
        coin=coin,
        quote_asset=quote_asset,
        market_id=str(listed["id"]),
        names=frozenset({str(listed["id"]), *_names_told(listed.get("info"))}),
        coin_id=str(listed["baseId"]),
        quote_id=str(listed["quoteId"]),
    )


def without_empty_steps(market: dict[str, Any]) -> dict[str, Any]:
    """Return a market whose step and tick of zero, which mean no rule, are the finest: ccxt divides by them."""
    precision = market.get("precision") or {}
    for name in ("amount", "price"):
        if precision.get(name) is None or read_figure(precision[name]) == 0:
            precision[name] = f"{_FINEST[name]:f}"
    return {**market, "precision": precision}


def _step(client: Any, precision: dict[str, Any], name: str) -> Decimal:
    value = _number("step", precision.get(name))
    if client.precisionMode == ccxt.DECIMAL_PLACES:
        if value is None:
            return _FINEST[name]
        if value > _MOST_PLACES:
            raise UnusableRules(f"a step of {value} decimal places")
        return Decimal(1).scaleb(-int(value))
    if client.precisionMode != ccxt.TICK_SIZE:
        raise UnusableRules("significant digits are no step")
    return value or _FINEST[name]


def _number(name: str, value: object) -> Decimal | None:
    """Return a filter's number, or None if the market has no such filter. Raises UnusableRules."""
    if value is None or value == "":
        return None
    number = read_figure(value)
    if number is None or number < 0:
        raise UnusableRules(f"a {name} of {value!r:.40}")
    return number
