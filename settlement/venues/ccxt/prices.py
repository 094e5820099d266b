"""Read the prices of many coins at once. One coin's trouble is its own: the others still get their prices."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

import ccxt

from settlement.figures import read_figure
from settlement.told import digits, in_words
from settlement.venues.ccxt.errors import questions
from settlement.venues.ccxt.markets import cannot_be_read, describe_state, is_trading, symbol_of, use_markets
from settlement.venues.protocol import (
    VenueAway,
)
from settlement.venues.quotes import NoPrice, Quoted

_FIRST: Final = int(datetime(2000, 1, 1, tzinfo=UTC).timestamp() * 1000)
_END: Final = int(datetime(2100, 1, 1, tzinfo=UTC).timestamp() * 1000)
_WHOLE: Final = re.compile(r"[0-9]{1,15}", re.ASCII)
_PLAIN: Final = re.compile(r"[+-]?[0-9]+(\.[0-9]*)?", re.ASCII)


def read_prices(
    client: Any, *, coins: list[str], quote_time: str | None, ask_books: bool = False
) -> dict[str, Quoted | NoPrice]:
    """Return each coin's prices, or the reason why it has none. Raises VenueAway if the venue answers nothing.

    `quote_time` is the profile's. `ask_books`: ask for the best bids and asks instead of tickers. A ticker of a market
    that does not trade is no price, because the venue goes on answering with the last one.
    """
    use_markets(client)
    open_ = [coin for coin in coins if is_trading(client, coin=coin)]
    ask = client.fetch_bids_asks if ask_books else client.fetch_tickers
    found = _ask_together(client, ask, coins=open_, quote_time=quote_time)
    return {coin: found[coin] if coin in found else _why_not(client, coin=coin) for coin in coins}


def read_book(client: Any, *, coin: str) -> Quoted | NoPrice:
    """Ask for one coin's best bid and ask alone, where the venue has such an answer. Raises VenueAway."""
    use_markets(client)
    if not is_trading(client, coin=coin):
        return _why_not(client, coin=coin)
    symbol = symbol_of(client, coin)
    with questions():
        if client.has.get("fetchBidsAsks"):
            ticker = client.fetch_bids_asks([symbol]).get(symbol)
        else:
            ticker = client.fetch_ticker(symbol)
    return quoted_in(ticker, quote_time=None)


def _ask_together(
    client: Any, ask: Callable[[list[str]], Any], *, coins: list[str], quote_time: str | None
) -> dict[str, Quoted | NoPrice]:
    if not coins:
        return {}
    try:
        with questions():
            tickers = ask([symbol_of(client, coin) for coin in coins])
            return {coin: quoted_in(tickers.get(symbol_of(client, coin)), quote_time=quote_time) for coin in coins}
    except VenueAway as error:
        if not _is_about_one_coin(error):
            raise
    # Binance refuses the whole call for one unknown symbol (-1121), and does not say for which.
    use_markets(client, at_most_seconds=0)
    listed = [coin for coin in coins if is_trading(client, coin=coin)]
    if len(listed) < len(coins):
        return _ask_together(client, ask, coins=listed, quote_time=quote_time)
    return _ask_one_by_one(client, coins=coins, quote_time=quote_time)


def _ask_one_by_one(client: Any, *, coins: list[str], quote_time: str | None) -> dict[str, Quoted | NoPrice]:
    """Ask for each coin by itself. Raises VenueAway if the venue answers for none, or wants no calls."""
    found: dict[str, Quoted | NoPrice] = {}
    silence: VenueAway | None = None
    for coin in coins:
        try:
            with questions():
                found[coin] = quoted_in(client.fetch_ticker(symbol_of(client, coin)), quote_time=quote_time)
        except VenueAway as error:
            if error.retry_after_seconds is not None:
                raise
            silence = silence or (None if _is_about_one_coin(error) else error)
            found[coin] = NoPrice(f"the venue gives no price: {error}")
    if silence and not any(isinstance(price, Quoted) for price in found.values()):
        raise silence
    return found


def quoted_in(ticker: Any, *, quote_time: str | None) -> Quoted | NoPrice:
    """Return the prices in ccxt's ticker. Bid and ask are plain decimals above zero, and in order.

    A ticker without the time that `quote_time` names has none; one with an absurd time is no price.
    """
    ticker = ticker if isinstance(ticker, dict) else {}
    bid, ask = plain_price(ticker.get("bid")), plain_price(ticker.get("ask"))
    if bid is None or ask is None:
        return NoPrice(f"a bid of {in_words(ticker.get('bid'))} and an ask of {in_words(ticker.get('ask'))}")
    if bid > ask:
        return NoPrice(f"the bid of {digits(bid)} is above the ask of {digits(ask)}")
    told = None if quote_time is None else ticker.get(quote_time)
    venue_time = time_in(told)
    if told is not None and venue_time is None:  # not a quote without a time: it may be of any age
        return NoPrice(f"a time of {in_words(told)}")
    return Quoted(bid=bid, ask=ask, last=plain_price(ticker.get("last")), venue_time=venue_time)


def plain_price(value: object) -> Decimal | None:
    """Return a price that is written in plain notation; None for anything else, and for what is not above zero."""
    if isinstance(value, str) and not _PLAIN.fullmatch(value):
        return None
    price = read_figure(value)
    return None if price is None or price <= 0 else price


def time_in(milliseconds: object) -> datetime | None:
    """Return the moment of a time in milliseconds since 1970, between 2000 and 2100; None for anything else."""
    number = milliseconds if type(milliseconds) is int else None
    if isinstance(milliseconds, str) and _WHOLE.fullmatch(milliseconds):
        number = int(milliseconds)
    if number is None or not _FIRST <= number < _END:
        return None
    return datetime.fromtimestamp(number / 1000, tz=UTC)


def _is_about_one_coin(error: VenueAway) -> bool:
    """Say whether another coin may have an answer: the venue answered, and did not ask for a wait."""
    return error.retry_after_seconds is None and not isinstance(error.__cause__, ccxt.OperationFailed)


def _why_not(client: Any, *, coin: str) -> NoPrice:
    market = client.markets.get(symbol_of(client, coin))
    if market is not None:
        return NoPrice(f"its market is closed: {describe_state(market)}", not_trading=True)
    if cannot_be_read(client, coin=coin):
        return NoPrice("its market cannot be read")
    return NoPrice("the venue does not list it")
