"""The prices of the book's markets: read for tickers and orders, set by hand, moved by tapes."""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from exchange_site.simulator.book.market_state import Market, State, Ticker, read_state, write_state
from exchange_site.simulator.errors import UNKNOWN_SYMBOL, VenueError
from exchange_site.simulator.levels import Level
from exchange_site.simulator.tapes import Tape


@dataclass(frozen=True, kw_only=True)
class MarketChange:
    """What is to change in a market. Members that are not named in `given` stay as they are."""

    given: frozenset[str]
    status: str = ""
    prices: Mapping[str, Decimal] = field(default_factory=dict)
    spread: Decimal | None = None
    depth: tuple[Level, ...] | None = None
    refill_seconds: Decimal | None = None
    tape: Tape | None = None
    frozen: bool = False
    average: Decimal | None = None
    fills: int | None = None


class Pricing:
    """The prices of markets, by the symbol. All moments are in milliseconds."""

    def __init__(self, database: sqlite3.Connection, *, spread: Decimal) -> None:
        self._db, self._spread = database, spread

    def market(self, symbol: str) -> Market:
        """Return a market. Raises VenueError if it is not listed."""
        found = self._markets("WHERE market.symbol = ?", symbol)
        if symbol not in found:
            raise VenueError(*UNKNOWN_SYMBOL)
        return found[symbol]

    def markets(self) -> dict[str, Market]:
        """Return all markets."""
        return self._markets("")

    def unlisted(self) -> Market:
        """Return a market that the book does not have, for prices of the second source alone."""
        return Market(middle=Decimal(1), tick=Decimal(0), spread=self._spread, state=State())

    def tickers(self, *, now: int) -> dict[str, Ticker]:
        """Return what the tickers show."""
        return {symbol: market.shown(now) for symbol, market in self.markets().items()}

    def moving(self) -> list[str]:
        """Return the markets whose prices or levels change by themselves."""
        return [
            symbol
            for symbol, market in self._markets("WHERE state IS NOT NULL").items()
            if market.state.tape or (market.state.eaten and market.state.refill_seconds)
        ]

    def follow_middle(self, symbol: str) -> None:
        """Let bid, ask and last follow the middle, which was just set, and end the tape."""
        state = self.market(symbol).state
        self._write(symbol, replace(state, bid=None, ask=None, last=None, tape=None))

    def eat(self, symbol: str, taken: Sequence[Decimal], *, now: int) -> None:
        """Take coins from the levels of a market."""
        market = self.market(symbol)
        state = market.eat(taken, now=now)
        if state != market.state:
            self._write(symbol, state)

    def change(self, symbol: str, change: MarketChange, *, now: int) -> None:
        """Change a market. Raises VenueError if it is not listed, ValueError if the bid came above the ask."""
        market = _changed(self.market(symbol), change, now=now)
        self._db.execute("UPDATE market SET price = ? WHERE symbol = ?", [f"{market.middle:f}", symbol])
        self._write(symbol, market.state)

    def forget(self, symbol: str) -> None:
        """Forget the state of a market that is taken off the venue."""
        self._db.execute("DELETE FROM market_state WHERE symbol = ?", [symbol])

    def _markets(self, condition: str, *values: Any) -> dict[str, Market]:
        query = (
            "SELECT market.symbol, price, tick, state FROM market"  # noqa: S608  one of the conditions above
            f" LEFT JOIN market_state ON market_state.symbol = market.symbol {condition} ORDER BY market.symbol"
        )
        rows = self._db.execute(query, values)
        return {
            row["symbol"]: Market(
                middle=Decimal(row["price"]),
                tick=Decimal(row["tick"]),
                spread=self._spread,
                state=read_state(json.loads(row["state"])) if row["state"] else State(),
            )
            for row in rows
        }

    def _write(self, symbol: str, state: State) -> None:
        if state == State():
            self.forget(symbol)
        else:
            self._db.execute(
                "INSERT OR REPLACE INTO market_state (symbol, state) VALUES (?, ?)",
                [symbol, json.dumps(write_state(state))],
            )


def _changed(market: Market, change: MarketChange, *, now: int) -> Market:
    if "frozen" in change.given:
        frozen = (market.state.frozen or market.shown(now)) if change.frozen else None
        market = replace(market, state=replace(market.state, frozen=frozen))
    prices = dict(change.prices)
    if "tape" in change.given or prices:
        market = market.without_tape(now)
    if change.depth and not market.state.tape:
        prices.setdefault("ask", change.depth[0].price)
    market = _with_prices(market, prices, now=now)
    state = market.state
    if "spread" in change.given:
        state = replace(state, spread=change.spread, bid=None, ask=None)
    if "depth" in change.given:
        state = replace(state, depth=change.depth, eaten=())
    if "refill_seconds" in change.given:
        state = replace(state, refill_seconds=change.refill_seconds, eaten=())
    if "average" in change.given:
        state = replace(state, average=change.average)
    if "fills" in change.given:
        state = replace(state, fills=change.fills)
    if change.tape:
        state = replace(state, tape=change.tape, started_at=now)
    return replace(market, state=state)


def _with_prices(market: Market, prices: Mapping[str, Decimal], *, now: int) -> Market:
    """Set bid and ask, and the middle between them, and the last price. Raises ValueError."""
    state = market.state
    if "last" in prices:
        state = replace(state, last=prices["last"])
    if not prices.keys() & {"bid", "ask"}:
        return replace(market, state=state)
    ticker = market.now(now)
    bid, ask = prices.get("bid", ticker.bid), prices.get("ask", market.ask(now))
    if bid > ask:
        raise ValueError(f"the bid, {bid:f}, is not above the ask, {ask:f}")
    return replace(market, middle=(bid + ask) / 2, state=replace(state, bid=bid, ask=ask))
