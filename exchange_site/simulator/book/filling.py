"""Make trades of the quantities that an order takes, each with its commission ("Commission FAQ", Binance)."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import ROUND_DOWN, Decimal
from typing import Any

from exchange_site.simulator.book.account import Commission
from exchange_site.simulator.book.orders import Fill, NewOrder
from exchange_site.simulator.levels import EIGHT_PLACES, Level, split, take
from exchange_site.simulator.markets import QUOTE_ASSET, base_of

Piece = tuple[Decimal, Decimal]
"""A quantity of coins, and its price."""


def value_of(order: NewOrder, levels: Sequence[Level]) -> Decimal:
    """Return what an order to buy may cost: its quantity at its limit, or at the prices that it meets."""
    if order.price is not None:
        return order.quantity * order.price
    taken = take(levels, quantity=order.quantity, step=EIGHT_PLACES)
    return sum((level.price * part for level, part in zip(levels, taken, strict=True)), Decimal(0))


def cut(levels: Sequence[Level], taken: Sequence[Decimal], *, count: int | None, step: Decimal) -> list[Piece]:
    """Return what is taken from each level as one piece, or in `count` pieces altogether if that is given.

    A level has a share of the pieces by what is taken from it, and at least one; the last level has the rest.
    """
    met = [(level.price, part) for level, part in zip(levels, taken, strict=True) if part]
    if count is None:
        return [(part, price) for price, part in met]
    whole, left, pieces = sum((part for _, part in met), Decimal(0)), count, list[Piece]()
    for number, (price, part) in enumerate(met, start=1):
        share = left if number == len(met) else max(1, int(count * part / whole))
        pieces += [(piece, price) for piece in split(part, pieces=share, step=step)]
        left -= share
    return pieces


def make_fills(
    order: Mapping[str, Any], pieces: Sequence[Piece], *, terms: Commission, rate: Decimal, free: Decimal
) -> list[Fill]:
    """Return trades with their commission: in the asset bought, or in a third one at `rate` while `free` lasts."""
    fills = []
    for quantity, price in pieces:
        fill = _make_fill(order, quantity, price, terms=terms, rate=rate)
        if fill.commission_asset == terms.asset and not _pays_by_itself(order, terms) and fill.commission > free:
            fill = _make_fill(order, quantity, price, terms=Commission(rate=terms.rate), rate=rate)
        elif fill.commission_asset == terms.asset:
            free -= fill.commission
        fills.append(fill)
    return fills


def changes_of(order: Mapping[str, Any], fills: Sequence[Fill]) -> dict[str, Decimal]:
    """Return by how much trades change each balance."""
    sign, changes = 1 if order["side"] == "BUY" else -1, defaultdict[str, Decimal](Decimal)
    for fill in fills:
        changes[base_of(order["symbol"])] += sign * fill.quantity
        changes[QUOTE_ASSET] -= sign * fill.quote
        changes[fill.commission_asset] -= fill.commission
    return dict(changes)


def _make_fill(
    order: Mapping[str, Any], quantity: Decimal, price: Decimal, *, terms: Commission, rate: Decimal
) -> Fill:
    quote, received = (quantity * price).quantize(EIGHT_PLACES), _received(order)
    taken_in = terms.asset or received
    if taken_in == received:
        taken = (quantity if order["side"] == "BUY" else quote) * terms.rate
    else:
        taken = quote * terms.rate * (1 - terms.discount) / rate
    return Fill(
        quantity=quantity,
        price=price,
        quote=quote,
        commission=taken.quantize(EIGHT_PLACES, rounding=ROUND_DOWN),
        commission_asset=taken_in,
    )


def _received(order: Mapping[str, Any]) -> str:
    return base_of(order["symbol"]) if order["side"] == "BUY" else QUOTE_ASSET


def _pays_by_itself(order: Mapping[str, Any], terms: Commission) -> bool:
    """Return whether the trade brings what pays its commission, or spends of it: then no balance runs out."""
    return terms.asset in {_received(order), base_of(order["symbol"]), QUOTE_ASSET}
