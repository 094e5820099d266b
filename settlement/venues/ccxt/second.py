"""A second source of prices: the public ticker of any venue that ccxt knows. It needs no profile and no key.

Its prices must have a time. Some venues of ccxt, such as kraken, tell none, and so confirm nothing.
"""

from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlsplit

import ccxt

from settlement.told import in_words
from settlement.venues.ccxt.client import build_public_client
from settlement.venues.ccxt.errors import questions
from settlement.venues.ccxt.markets import Markets
from settlement.venues.ccxt.prices import plain_price, quoted_in, time_in
from settlement.venues.quotes import NoPrice, Quoted, SecondPrice

_DOLLARS: Final = ("USDT", "USD", "USDC")
_QUOTE_TIME: Final = "timestamp"
_MARKETS_MAX_AGE_SECONDS: Final = 600.0
_markets: Final = Markets()


class CcxtSecondSource:
    """`settlement.venues.protocol.SecondSource` over one ccxt client. Use each object in one thread only."""

    def __init__(self, *, name: str, url: str, quote_asset: str) -> None:
        self.name = name
        self._client = build_public_client(name, url=url, quote_asset=quote_asset)

    def read_price(self, *, coin: str) -> SecondPrice | NoPrice:
        loaded, _ = _markets.get(self._client, at_most_seconds=_MARKETS_MAX_AGE_SECONDS)
        self._client.set_markets(loaded)
        symbol = self._symbol_of(coin)
        if symbol is None:
            return NoPrice(f"{self.name} does not trade {coin} for dollars")
        with questions():
            ticker = self._client.fetch_ticker(symbol)
        return _price_in(ticker, symbol=symbol)

    def _symbol_of(self, coin: str) -> str | None:
        """Return the coin's spot market in our quote asset, if that is dollars, or in others."""
        own = self._client.quote_asset
        quotes = sorted(_DOLLARS, key=lambda quote: quote != own)
        symbols = (f"{coin}/{quote}" for quote in quotes)
        return next((symbol for symbol in symbols if self._is_traded(symbol)), None)

    def _is_traded(self, symbol: str) -> bool:
        market = self._client.markets.get(symbol)
        return market is not None and market.get("spot") is not False and market.get("active") is not False


def _price_in(ticker: Any, *, symbol: str) -> SecondPrice | NoPrice:
    """Return the ask, or the last price of a venue that gives neither bid nor ask. A price without a time is none."""
    if not isinstance(ticker, dict) or ticker.get("symbol") not in (None, symbol):
        return NoPrice(f"an answer that is not about {symbol}")
    quoted = quoted_in(ticker, quote_time=_QUOTE_TIME)
    source_time = time_in(ticker.get(_QUOTE_TIME))
    if isinstance(quoted, Quoted):
        value = quoted.ask
    elif ticker.get("bid") is not None or ticker.get("ask") is not None:
        return quoted
    elif (last := plain_price(ticker.get("last"))) is not None:
        value = last
    else:
        return NoPrice(f"a last price of {in_words(ticker.get('last'))}")
    if source_time is None:
        return NoPrice("its price has no time, so it may be old")
    return SecondPrice(value=value, source_time=source_time)


def find_fault_of_source(name: str, *, venue: str) -> str | None:
    """Return the reason why a venue of ccxt cannot confirm the prices of `venue`, or None. Asks nothing.

    Two names may be of one venue: what answers under the same domain is no second source.
    """
    if name not in ccxt.exchanges:
        return "is no venue of ccxt"
    client = build_public_client(name, url="", quote_asset="")
    if not client.has.get("fetchTicker"):
        return "has no prices of single markets"
    if shared := _domains(client) & _domains(build_public_client(venue, url="", quote_asset="")):
        return f"answers at {', '.join(sorted(shared))}, as the venue itself does"
    return None


def _domains(client: Any) -> set[str]:
    """Return the domains that answer public questions, such as okx.com: the last two labels of their hosts."""
    urls = client.urls.get("api")
    found = urls.get("public") or urls if isinstance(urls, dict) else urls
    hosts = (urlsplit(client.implode_hostname(url)).hostname or "" for url in _addresses(found))
    return {".".join(host.split(".")[-2:]) for host in hosts if host}


def _addresses(urls: Any) -> Iterator[str]:
    if isinstance(urls, dict):
        for each in urls.values():
            yield from _addresses(each)
    elif isinstance(urls, str):
        yield urls


def forget_markets() -> None:
    """Forget the markets, so that the next price loads them again."""
    _markets.forget()
