"""The whole book. It matches a new order with the current price, and open orders with a new price."""

from decimal import ROUND_DOWN, Decimal
from pathlib import Path
from typing import Any, Final

from exchange_site.simulator.book.account import Account
from exchange_site.simulator.book.listings import Listings
from exchange_site.simulator.book.orders import Fill, NewOrder, Orders
from exchange_site.simulator.book.schema import open_database, transaction
from exchange_site.simulator.errors import INSUFFICIENT_BALANCE, MARKET_CLOSED, VenueError
from exchange_site.simulator.markets import QUOTE_ASSET, TRADING, starting_prices

_EIGHT: Final = Decimal("0.00000001")
_AMPLE: Final = Decimal(1_000_000_000)


class Book:
    """Orders and trades, prices and filters, and the client's account. A new book lists the starting markets."""

    def __init__(self, path: Path | str) -> None:
        self._db = open_database(path)
        self.orders = Orders(self._db)
        self.listings = Listings(self._db)
        self.account = Account(self._db)
        with transaction(self._db):
            if self.listings.is_empty():
                self._set_prices(starting_prices())
                self.account.set_balances({QUOTE_ASSET: _AMPLE})

    def close(self) -> None:
        self._db.close()

    def place(self, order: NewOrder, *, fraction: Decimal = Decimal(1)) -> dict[str, Any]:
        """Record an order, fill at most `fraction` of it, and return the order with its trades."""
        with transaction(self._db):
            price, filters = self.listings.price(order.symbol), self.listings.filters(order.symbol)
            if self.listings.status(order.symbol) != TRADING:
                raise VenueError(*MARKET_CLOSED)
            filters.check(quantity=order.quantity, price=order.price or price)
            step = filters.step or _EIGHT
            filled = _down(order.quantity * fraction, step) if _crosses(order, price) else Decimal(0)
            self._ensure_funds(order, at=order.price or price)
            order_id = self.orders.add(order)
            if filled:
                self._fill(order_id, quantity=filled, price=price)
            self.orders.finish(order_id, rests=order.time_in_force == "GTC" and order.type == "LIMIT")
            return self.orders.get(order_id)

    def cancel(self, order_id: int) -> dict[str, Any]:
        """Cancel an open order and return it. Raises VenueError if the order is not open."""
        with transaction(self._db):
            self.orders.cancel(order_id)
            return self.orders.get(order_id)

    def set_prices(self, prices: dict[str, Decimal]) -> None:
        """Set prices, list new symbols, and fill the open orders that the new prices reach."""
        with transaction(self._db):
            self._set_prices(prices)

    def _set_prices(self, prices: dict[str, Decimal]) -> None:
        for symbol, price in prices.items():
            self.listings.set_price(symbol, price)
            self._fill_crossed(symbol, price)

    def _ensure_funds(self, order: NewOrder, *, at: Decimal) -> None:
        asset, needed = (
            (QUOTE_ASSET, order.quantity * at) if order.side == "BUY" else (_base(order.symbol), order.quantity)
        )
        if self.account.balances().get(asset, Decimal(0)) < needed:
            raise VenueError(*INSUFFICIENT_BALANCE)

    def _fill(self, order_id: int, *, quantity: Decimal, price: Decimal) -> None:
        """Record a trade and change the balances accordingly."""
        order = self.orders.get(order_id)
        quote, base = (quantity * price).quantize(_EIGHT), _base(order["symbol"])
        received, amount = (base, quantity) if order["side"] == "BUY" else (QUOTE_ASSET, quote)
        rate, asset = self.account.commission()
        taken_in = asset or received
        commission = (amount * rate if taken_in == received else quote * rate).quantize(_EIGHT, rounding=ROUND_DOWN)
        sign = 1 if order["side"] == "BUY" else -1
        self.account.change(base, sign * quantity)
        self.account.change(QUOTE_ASSET, -sign * quote)
        self.account.change(taken_in, -commission)
        self.orders.fill(
            order_id,
            Fill(quantity=quantity, price=price, quote=quote, commission=commission, commission_asset=taken_in),
        )

    def _fill_crossed(self, symbol: str, price: Decimal) -> None:
        for row in self.orders.list_all(symbol=symbol, only_open=True):
            limit = Decimal(row["price"])
            if limit >= price if row["side"] == "BUY" else limit <= price:
                self._fill(row["id"], quantity=Decimal(row["quantity"]) - Decimal(row["executed"]), price=price)
                self.orders.finish(row["id"], rests=True)


def _crosses(order: NewOrder, price: Decimal) -> bool:
    return order.price is None or (order.price >= price if order.side == "BUY" else order.price <= price)


def _base(symbol: str) -> str:
    return symbol.removesuffix(QUOTE_ASSET)


def _down(value: Decimal, step: Decimal) -> Decimal:
    return value // step * step
