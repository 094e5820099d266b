"""A second source of prices: the public ticker of any venue that ccxt knows. It needs no profile and no key."""

from typing import Any, Final

from django.conf import settings

from settlement.told import in_words
from settlement.venues.ccxt.client import build_public_client
from settlement.venues.ccxt.errors import questions
from settlement.venues.ccxt.markets import Markets
from settlement.venues.ccxt.prices import plain_price, quoted_in, time_in
from settlement.venues.protocol import NoPrice, Quoted, SecondPrice

_DOLLARS: Final = ("USDT", "USD", "USDC")
_MARKETS_MAX_AGE_SECONDS: Final = 600.0
_markets: Final = Markets()


class CcxtSecondSource:
    """`settlement.venues.protocol.SecondSource` over one ccxt client. Use each object in one thread only."""

    def __init__(self, *, name: str) -> None:
        self.name = name
        self._client = build_public_client(name)

    def read_price(self, *, coin: str) -> SecondPrice | NoPrice:
        loaded, _ = _markets.get(self._client, at_most_seconds=_MARKETS_MAX_AGE_SECONDS)
        self._client.set_markets(loaded)
        symbol = self._symbol_of(coin)
        if symbol is None:
            return NoPrice(f"{self.name} does not trade {coin} for dollars")
        with questions():
            ticker = self._client.fetch_ticker(symbol)
        return _price_in(ticker)

    def _symbol_of(self, coin: str) -> str | None:
        """Return the coin's spot market in our quote asset, if that is dollars, or in others."""
        own = settings.VENUE.quote_asset
        quotes = sorted(_DOLLARS, key=lambda quote: quote != own)
        symbols = (f"{coin}/{quote}" for quote in quotes)
        return next((symbol for symbol in symbols if self._is_traded(symbol)), None)

    def _is_traded(self, symbol: str) -> bool:
        market = self._client.markets.get(symbol)
        return market is not None and market.get("spot") is not False and market.get("active") is not False


def _price_in(ticker: Any) -> SecondPrice | NoPrice:
    """Return the ask, or the last price of a venue that gives no bid and ask."""
    quoted = quoted_in(ticker, quote_time="timestamp")
    if isinstance(quoted, Quoted):
        return SecondPrice(value=quoted.ask, source_time=quoted.venue_time)
    last = plain_price(ticker.get("last")) if isinstance(ticker, dict) else None
    if last is None:
        return NoPrice(f"a last price of {in_words(ticker.get('last') if isinstance(ticker, dict) else None)}")
    return SecondPrice(value=last, source_time=time_in(ticker.get("timestamp")))


def forget_markets() -> None:
    """Forget the markets, so that the next price loads them again."""
    _markets.forget()
