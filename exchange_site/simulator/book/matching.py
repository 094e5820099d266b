"""The whole book. It matches a new order with the market's levels, and open orders with new prices."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from exchange_site.simulator.book.account import Account, Commission
from exchange_site.simulator.book.filling import Piece, changes_of, cut, make_fills, value_of
from exchange_site.simulator.book.listings import Listings
from exchange_site.simulator.book.orders import NewOrder, Orders, now_milliseconds
from exchange_site.simulator.book.pricing import MarketChange, Pricing
from exchange_site.simulator.book.schema import open_database, transaction
from exchange_site.simulator.book.second_source import SecondSource
from exchange_site.simulator.book.terms import Nonces, OrderTerms
from exchange_site.simulator.errors import INSUFFICIENT_BALANCE, MARKET_CLOSED, WOULD_TAKE, VenueError
from exchange_site.simulator.levels import EIGHT_PLACES, ENDLESS, Level, round_down, take
from exchange_site.simulator.markets import QUOTE_ASSET, TRADING, Filters, Standing, base_of, starting_prices

_AMPLE: Final = Decimal(1_000_000_000)
_MINUTE: Final = 60_000
AVERAGE_MINUTES: Final = 5
"""The minutes of the average price that the venue tells ("Current average price", Binance)."""


class Book:
    """Orders and trades, prices and filters, and the client's account. A new book lists the starting markets.

    `spread` is how far bid and ask are from the middle of a market that has no spread of its own: 0.0002 is 0.02 %.
    """

    def __init__(self, path: Path | str, *, spread: Decimal = Decimal(0)) -> None:
        self._db = open_database(path)
        self.orders = Orders(self._db)
        self.listings = Listings(self._db)
        self.pricing = Pricing(self._db, spread=spread)
        self.second_source = SecondSource(self._db)
        self.account = Account(self._db)
        self.terms, self.nonces = OrderTerms(self._db), Nonces(self._db)
        with transaction(self._db):
            if self.listings.is_empty():
                self._set_prices(starting_prices())
                self.account.set_balances({QUOTE_ASSET: _AMPLE})

    def close(self) -> None:
        self._db.close()

    def list_missing(self, prices: Mapping[str, Decimal]) -> None:
        """List markets at these prices, without a change of those that are listed already."""
        with transaction(self._db):
            self._set_prices({symbol: price for symbol, price in prices.items() if not self.listings.has(symbol)})

    def place(self, order: NewOrder, *, fraction: Decimal = Decimal(1)) -> dict[str, Any]:
        """Record an order, fill at most `fraction` of it, and return the order with its trades."""
        with transaction(self._db):
            now = now_milliseconds()
            filters, levels = self._check(order, now=now)
            order_id = self.orders.add(order)
            if order.terms:
                self.terms.add(order_id, order.terms)
            wanted = round_down(order.quantity * fraction, filters.step or EIGHT_PLACES)
            if order.time_in_force != "FOK" or _has(levels, wanted):
                self._execute(order_id, quantity=wanted, levels=levels, now=now)
            self.orders.finish(order_id, rests=order.time_in_force == "GTC" and order.price is not None)
            return self.orders.get(order_id)

    def check(self, order: NewOrder) -> None:
        """Raise VenueError if an order would be refused, and place nothing."""
        self._check(order, now=now_milliseconds())

    def cancel(self, order_id: int) -> dict[str, Any]:
        """Cancel an open order and return it. Raises VenueError if the order is not open."""
        with transaction(self._db):
            self.orders.cancel(order_id)
            return self.orders.get(order_id)

    def set_prices(self, prices: Mapping[str, Decimal]) -> None:
        """Set the middle of markets, list new symbols, and fill the open orders that the new prices reach."""
        with transaction(self._db):
            self._set_prices(prices)

    def change_markets(self, changes: Mapping[str, MarketChange | None]) -> None:
        """Change markets, all of them or none, and fill the open orders that they reach. None takes a symbol off.

        Raises VenueError for a symbol that is not listed, ValueError for a bid above the ask.
        """
        with transaction(self._db):
            for symbol, change in changes.items():
                if change is None:
                    self.listings.delist(symbol)
                    continue
                self.pricing.change(symbol, change, now=now_milliseconds())
                if "status" in change.given:
                    self.listings.set_status(symbol, change.status)
                self._fill_crossed(symbol)

    def match(self) -> None:
        """Fill the open orders that are reached by prices that move by themselves."""
        moving = self.pricing.moving()
        waiting = {row["symbol"] for row in self.orders.list_all(only_open=True)} if moving else set()
        if waiting.intersection(moving):
            with transaction(self._db):
                for symbol in sorted(waiting.intersection(moving)):
                    self._fill_crossed(symbol)

    def average_price(self, symbol: str, *, minutes: int, now: int) -> Decimal:
        """Return the weighted average price of the last minutes' trades, or the last price if there were none."""
        market = self.pricing.market(symbol)
        if market.state.average is not None:
            return market.state.average
        trades = self.orders.trades_of_market(symbol, since=now - minutes * _MINUTE) if minutes else []
        bought = sum((Decimal(trade["quantity"]) for trade in trades), Decimal(0))
        paid = sum((Decimal(trade["quote"]) for trade in trades), Decimal(0))
        return (paid / bought).quantize(EIGHT_PLACES) if bought else market.now(now).last

    def _check(self, order: NewOrder, *, now: int) -> tuple[Filters, list[Level]]:
        """Return the filters and levels of an order. Raises VenueError if it is refused."""
        filters = self.listings.filters(order.symbol)
        if self.listings.status(order.symbol) != TRADING:
            raise VenueError(*MARKET_CLOSED)
        standing = self._standing(order, minutes=int(filters.average_minutes), now=now)
        filters.check(side=order.side, quantity=order.quantity, price=order.price, standing=standing)
        levels = self._levels(order.symbol, side=order.side, limit=order.price, now=now)
        if order.type == "LIMIT_MAKER" and any(level.quantity for level in levels):
            raise VenueError(*WOULD_TAKE)
        self._ensure_funds(order, levels=levels)
        return filters, levels

    def _standing(self, order: NewOrder, *, minutes: int, now: int) -> Standing:
        opened, coin = self.orders.list_all(symbol=order.symbol, only_open=True), base_of(order.symbol)
        to_buy = (Decimal(row["quantity"]) - Decimal(row["executed"]) for row in opened if row["side"] == "BUY")
        held = self.account.balances().get(coin, Decimal(0)) + self.account.locked().get(coin, Decimal(0))
        return Standing(
            average=self.average_price(order.symbol, minutes=minutes, now=now),
            open_orders=len(opened),
            position=held + sum(to_buy, Decimal(0)),
        )

    def _set_prices(self, prices: Mapping[str, Decimal]) -> None:
        for symbol, price in prices.items():
            self.listings.set_price(symbol, price)
            self.pricing.follow_middle(symbol)
            self._fill_crossed(symbol)

    def _levels(self, symbol: str, *, side: str, limit: Decimal | None, now: int) -> list[Level]:
        """Return the levels that an order meets within its limit. At the bid any quantity can be sold."""
        market = self.pricing.market(symbol)
        if side == "BUY":
            return [level for level in market.levels(now) if limit is None or level.price <= limit]
        bid = market.now(now).bid
        return [Level(price=bid, quantity=ENDLESS)] if limit is None or bid >= limit else []

    def _ensure_funds(self, order: NewOrder, *, levels: Sequence[Level]) -> None:
        asset, needed = base_of(order.symbol), order.quantity
        if order.side == "BUY":
            asset, needed = QUOTE_ASSET, value_of(order, levels)
        if self.account.balances().get(asset, Decimal(0)) < needed:
            raise VenueError(*INSUFFICIENT_BALANCE)

    def _execute(self, order_id: int, *, quantity: Decimal, levels: Sequence[Level], now: int) -> None:
        """Fill an order from the levels, with a trade for each that it reaches or as many as the market makes."""
        order = self.orders.row(order_id)
        symbol = order["symbol"]
        step = self.listings.filters(symbol).step or EIGHT_PLACES
        taken = take(levels, quantity=quantity, step=step)
        count = self.pricing.market(symbol).state.fills
        self._fill(order, cut(levels, taken, count=count, step=step), now=now)
        if order["side"] == "BUY" and any(taken):
            self.pricing.eat(symbol, taken, now=now)

    def _fill(self, order: Mapping[str, Any], pieces: Sequence[Piece], *, now: int) -> None:
        """Record trades and change the balances accordingly."""
        if not pieces:
            return
        terms = self._terms_of(order)
        rate = self._price_in_quote(terms.asset, now=now) if terms.asset else Decimal(1)
        free = self.account.balances().get(terms.asset, Decimal(0)) if terms.asset else Decimal(0)
        fills = make_fills(order, pieces, terms=terms, rate=rate, free=free)
        self.account.change(changes_of(order, fills))
        self.orders.fill(order["id"], fills)

    def _terms_of(self, order: Mapping[str, Any]) -> Commission:
        """Return what an order pays: in the asset that it names, or as the account does."""
        terms, asset = self.account.terms(), self.terms.commission_asset(order["id"])
        return Commission(rate=terms.rate, asset=asset) if asset else terms

    def _price_in_quote(self, asset: str, *, now: int) -> Decimal:
        """Return what a third asset is worth: by its market, or one to one with the quote asset if it has none."""
        symbol = f"{asset}{QUOTE_ASSET}"
        return self.pricing.market(symbol).now(now).last if self.listings.has(symbol) else Decimal(1)

    def _fill_crossed(self, symbol: str) -> None:
        now = now_milliseconds()
        for row in self.orders.list_all(symbol=symbol, only_open=True):
            levels = self._levels(symbol, side=row["side"], limit=Decimal(row["price"]), now=now)
            left = Decimal(row["quantity"]) - Decimal(row["executed"])
            self._execute(row["id"], quantity=left, levels=levels, now=now)
            self.orders.finish(row["id"], rests=True)


def _has(levels: Sequence[Level], quantity: Decimal) -> bool:
    """Return whether the levels have a quantity, as an order that is filled wholly or not at all asks."""
    return sum((level.quantity for level in levels), Decimal(0)) >= quantity
