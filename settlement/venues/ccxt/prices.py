"""Read the prices of many coins at once. One coin's trouble is its own: the others still get their prices."""

from decimal import Decimal
from typing import Any

import ccxt

from settlement.venues.ccxt.answers import read_decimal
from settlement.venues.ccxt.errors import questions
from settlement.venues.ccxt.markets import cannot_be_read, describe_state, is_trading, symbol_of, use_markets
from settlement.venues.protocol import NoPrice, VenueAway


def read_prices(client: Any, *, coins: list[str]) -> dict[str, Decimal | NoPrice]:
    """Return each coin's last price, or the reason why it has none. Raises VenueAway if the venue answers nothing.

    A ticker of a market that does not trade is no price, because the venue goes on answering with the last one.
    """
    use_markets(client)
    open_ = [coin for coin in coins if is_trading(client, coin=coin)]
    found = _ask_together(client, coins=open_)
    return {coin: found[coin] if coin in found else NoPrice(_why_not(client, coin=coin)) for coin in coins}


def _ask_together(client: Any, *, coins: list[str]) -> dict[str, Decimal | NoPrice]:
    if not coins:
        return {}
    try:
        with questions():
            tickers = client.fetch_tickers([symbol_of(coin) for coin in coins])
            return {coin: _price_of(tickers.get(symbol_of(coin))) for coin in coins}
    except VenueAway as error:
        if not _is_about_one_coin(error):
            raise
    # Binance refuses the whole call for one unknown symbol (-1121), and does not say for which.
    use_markets(client, at_most_seconds=0)
    listed = [coin for coin in coins if is_trading(client, coin=coin)]
    if len(listed) < len(coins):
        return _ask_together(client, coins=listed)
    return _ask_one_by_one(client, coins=coins)


def _ask_one_by_one(client: Any, *, coins: list[str]) -> dict[str, Decimal | NoPrice]:
    """Ask for each coin by itself. Raises VenueAway if the venue answers for none, or wants no calls."""
    found: dict[str, Decimal | NoPrice] = {}
    silence: VenueAway | None = None
    for coin in coins:
        try:
            with questions():
                found[coin] = _price_of(client.fetch_ticker(symbol_of(coin)))
        except VenueAway as error:
            if error.retry_after_seconds is not None:
                raise
            silence = silence or (None if _is_about_one_coin(error) else error)
            found[coin] = NoPrice(f"the venue gives no price: {error}")
    if silence and not any(isinstance(price, Decimal) for price in found.values()):
        raise silence
    return found


def _price_of(ticker: Any) -> Decimal | NoPrice:
    value = ticker.get("last") if isinstance(ticker, dict) else None
    price = read_decimal(value)
    return NoPrice(f"a price of {value!r:.40}") if price is None or price <= 0 else price


def _is_about_one_coin(error: VenueAway) -> bool:
    """Say whether another coin may have an answer: the venue answered, and did not ask for a wait."""
    return error.retry_after_seconds is None and not isinstance(error.__cause__, ccxt.OperationFailed)


def _why_not(client: Any, *, coin: str) -> str:
    market = client.markets.get(symbol_of(coin))
    if market is not None:
        return f"its market is closed: {describe_state(market)}"
    return "its market cannot be read" if cannot_be_read(client, coin=coin) else "the venue does not list it"
