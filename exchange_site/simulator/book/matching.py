"""The whole book. It matches a new order with the market's levels, and open orders with new prices."""

from collections.abc import Mapping, Sequence
from decimal import ROUND_DOWN, Decimal
from pathlib import Path
from typing import Any, Final

from exchange_site.simulator.book.account import Account
from exchange_site.simulator.book.listings import Listings
from exchange_site.simulator.book.orders import Fill, NewOrder, Orders, now_milliseconds
from exchange_site.simulator.book.pricing import MarketChange, Pricing
from exchange_site.simulator.book.schema import open_database, transaction
from exchange_site.simulator.book.second_source import SecondSource
from exchange_site.simulator.book.terms import Nonces, OrderTerms
from exchange_site.simulator.errors import INSUFFICIENT_BALANCE, MARKET_CLOSED, VenueError
from exchange_site.simulator.levels import EIGHT_PLACES, ENDLESS, Level, round_down, take
from exchange_site.simulator.markets import QUOTE_ASSET, TRADING, starting_prices

_AMPLE: Final = Decimal(1_000_000_000)


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

    def place(self, order: NewOrder, *, fraction: Decimal = Decimal(1)) -> dict[str, Any]:
        """Record an order, fill at most `fraction` of it, and return the order with its trades."""
        with transaction(self._db):
            now, market = now_milliseconds(), self.pricing.market(order.symbol)
            filters = self.listings.filters(order.symbol)
            if self.listings.status(order.symbol) != TRADING:
                raise VenueError(*MARKET_CLOSED)
            price = order.price or market.now(now).last
            filters.check(quantity=order.quantity, price=price, is_limit=order.price is not None)
            levels = self._levels(order.symbol, side=order.side, limit=order.price, now=now)
            self._ensure_funds(order, levels=levels)
            order_id = self.orders.add(order)
            if order.terms:
                self.terms.add(order_id, order.terms)
            wanted = round_down(order.quantity * fraction, filters.step or EIGHT_PLACES)
            self._execute(order_id, quantity=wanted, levels=levels, now=now)
            self.orders.finish(order_id, rests=order.time_in_force == "GTC" and order.type == "LIMIT")
            return self.orders.get(order_id)

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
        asset, needed = _base(order.symbol), order.quantity
        if order.side == "BUY":
            asset, needed = QUOTE_ASSET, _value(order, levels)
        if self.account.balances().get(asset, Decimal(0)) < needed:
            raise VenueError(*INSUFFICIENT_BALANCE)

    def _execute(self, order_id: int, *, quantity: Decimal, levels: Sequence[Level], now: int) -> None:
        """Fill an order from the levels, with a trade for each that it reaches."""
        order = self.orders.get(order_id)
        step = self.listings.filters(order["symbol"]).step or EIGHT_PLACES
        taken = take(levels, quantity=quantity, step=step)
        for level, part in zip(levels, taken, strict=True):
            if part:
                self._fill(order_id, quantity=part, price=level.price)
        if order["side"] == "BUY" and any(taken):
            self.pricing.eat(order["symbol"], taken, now=now)

    def _fill(self, order_id: int, *, quantity: Decimal, price: Decimal) -> None:
        """Record a trade and change the balances accordingly."""
        order = self.orders.get(order_id)
        quote, base = (quantity * price).quantize(EIGHT_PLACES), _base(order["symbol"])
        received, amount = (base, quantity) if order["side"] == "BUY" else (QUOTE_ASSET, quote)
        rate, asset = self.account.commission()
        taken_in = self.terms.commission_asset(order_id) or asset or received
        taken = amount * rate if taken_in == received else quote * rate
        commission = taken.quantize(EIGHT_PLACES, rounding=ROUND_DOWN)
        sign = 1 if order["side"] == "BUY" else -1
        self.account.change(base, sign * quantity)
        self.account.change(QUOTE_ASSET, -sign * quote)
        self.account.change(taken_in, -commission)
        self.orders.fill(
            order_id,
            Fill(quantity=quantity, price=price, quote=quote, commission=commission, commission_asset=taken_in),
        )

    def _fill_crossed(self, symbol: str) -> None:
        now = now_milliseconds()
        for row in self.orders.list_all(symbol=symbol, only_open=True):
            levels = self._levels(symbol, side=row["side"], limit=Decimal(row["price"]), now=now)
            left = Decimal(row["quantity"]) - Decimal(row["executed"])
            self._execute(row["id"], quantity=left, levels=levels, now=now)
            self.orders.finish(row["id"], rests=True)


def _value(order: NewOrder, levels: Sequence[Level]) -> Decimal:
    """Return what an order to buy may cost: its quantity at its limit, or at the prices that it meets."""
    if order.price is not None:
        return order.quantity * order.price
    taken = take(levels, quantity=order.quantity, step=EIGHT_PLACES)
    return sum((level.price * part for level, part in zip(levels, taken, strict=True)), Decimal(0))


def _base(symbol: str) -> str:
    return symbol.removesuffix(QUOTE_ASSET)
