"""The gate: every figure of a venue's answer about an order passes here before it is booked or obeyed.

The gate has two parts. `read_order` and `add_trades` judge an answer by itself: it is about our order, its numbers are
numbers, and its trades add up to its totals. `weigh` judges the figures by our request, also those that staff state.
The gate does no I/O and knows no venue. It raises one of

    TellsNothing     the answer does not (yet) say what we have to know: look the order up again
    CannotBeTrue     the answer contradicts itself, or us: staff decide
      BeyondRequest  the answer agrees with itself, but the venue did more than we asked for
      TooCheap       the answer agrees with itself, but the venue took less than is believed without staff

From here on figures have at most 8 decimal places; `settlement.figures` rounds them, once.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from settlement.figures import (
    COLUMN,
    add,
    is_product,
    leeway_of,
    multiply,
    read_figure,
    round_cost,
    round_quantity,
    subtract,
)
from settlement.told import IN_TRADES, OrderTold, Ours, TradeTold, digits, in_words

MOST_COMMISSION: Final = Decimal("0.02")
"""The largest plausible commission: of the quantity if taken in the coin, of the price bound if in the quote asset."""

FINAL_STATUSES: Final = frozenset({"closed", "canceled", "expired", "rejected"})
OPEN_STATUSES: Final = frozenset({"open", "canceling"})
KNOWN_STATUSES: Final = FINAL_STATUSES | OPEN_STATUSES

NO_ASSET: Final = "?"
"""The name of the asset of a commission that was taken in no asset at all."""

_LONGEST_ID: Final = 64


class TellsNothing(Exception):
    """The answer does not say what we have to know. It may do so later."""


class CannotBeTrue(Exception):
    """The answer contradicts itself or our request. Its message says how, in a sentence for staff."""


class BeyondRequest(CannotBeTrue):
    """The figures agree with each other, but the venue did more than we asked for."""


class TooCheap(CannotBeTrue):
    """The figures agree with each other and with our request, but the venue took far less than it asked before."""


@dataclass(frozen=True, kw_only=True)
class OrderSeen:
    """An order that is ours. `executed` (coins) and `cost` (quote asset) are not rounded yet.

    `cost` is None if only the order's trades say it.
    """

    venue_order_id: str
    symbol: str
    status: str
    executed: Decimal
    cost: Decimal | None

    @property
    def final(self) -> bool:
        return self.status in FINAL_STATUSES


@dataclass(frozen=True, kw_only=True)
class Figures:
    """The figures of a purchase, with at most 8 places. Cost is in the quote asset, without any commission.

    `commission` was taken in the coin and `quote_commission` in the quote asset. `foreign_commission` names another
    asset in which commission was taken.
    """

    quantity: Decimal
    cost: Decimal
    commission: Decimal = Decimal(0)
    quote_commission: Decimal = Decimal(0)
    foreign_commission: str = ""


@dataclass(frozen=True, kw_only=True)
class Request:
    """What was asked for: coins, and the highest price of one. `venue_order_id` is empty while it is not known.

    `least_price` is the lowest price of a coin that is believed without staff.
    """

    quantity: Decimal
    limit_price: Decimal
    least_price: Decimal = Decimal(0)
    venue_order_id: str = ""


def highest_cost(*, quantity: Decimal, limit_price: Decimal) -> Decimal:
    """Return the most that so many coins cost at a price bound, in the quote asset: rounded up, as costs are."""
    return round_cost(multiply(quantity, limit_price))


def read_order(*, told: OrderTold, ours: Ours) -> OrderSeen:
    """Read an order that must be ours. Raises TellsNothing, CannotBeTrue."""
    venue_order_id = _read_name(told.venue_order_id)
    if told.client_order_id is None or not venue_order_id:
        raise TellsNothing("an answer that is not about our order")
    _ensure_ours(told, ours)
    if told.status is None or told.executed is None or told.cost is None:
        raise TellsNothing("an answer without figures")
    if not isinstance(told.status, str) or told.status not in KNOWN_STATUSES:
        raise CannotBeTrue(f"status {in_words(told.status)}")
    executed = _read_amount("executed", told.executed)
    cost = None if told.cost == IN_TRADES else _read_amount("cost", told.cost)
    if executed > 0 and cost == 0:
        raise CannotBeTrue(f"executed {digits(executed)} for nothing")
    if executed == 0 and cost is not None and cost > 0:
        raise CannotBeTrue(f"nothing executed for {digits(cost)}")
    if executed == 0 and told.status == "closed":
        raise CannotBeTrue("filled, and nothing executed")
    return OrderSeen(
        venue_order_id=venue_order_id, symbol=ours.symbol, status=told.status, executed=executed, cost=cost
    )


def add_trades(*, order: OrderSeen, trades: Iterable[TradeTold], ours: Ours, are_complete: bool) -> Figures:
    """Check that the order's trades add up to its totals, and return the figures with the commission.

    Trades of other orders are left out, and a doubled trade counts once. If the trades fall short of the order and need
    not be complete, because the venue's lists lag, the answer tells nothing yet. Raises TellsNothing, CannotBeTrue.
    """
    seen = _distinct(_Trade.read(told) for told in trades if _is_of(told, order))
    bought = add(trade.quantity for trade in seen)
    if bought < order.executed and not are_complete:
        raise TellsNothing("the trades do not add up to the order yet")
    if bought != order.executed:
        raise CannotBeTrue(f"executed {digits(order.executed)}, but its trades are {digits(bought)}")
    paid = add(trade.cost for trade in seen)
    cost = paid if order.cost is None else order.cost
    if abs(subtract(paid, cost)) > add(trade.leeway for trade in seen):
        raise CannotBeTrue(f"cost {digits(cost)}, but its trades cost {digits(paid)}")
    if bought > 0 and cost == 0:
        raise CannotBeTrue(f"executed {digits(bought)} for nothing")
    fees = _sum_commission(seen)
    foreign = sorted(fees.keys() - {ours.coin, ours.quote_asset})
    return Figures(
        quantity=round_quantity(order.executed),
        cost=round_cost(cost),
        commission=round_cost(fees.get(ours.coin, Decimal(0))),
        quote_commission=round_cost(fees.get(ours.quote_asset, Decimal(0))),
        foreign_commission=foreign[0] if foreign else "",
    )


def weigh(
    *, figures: Figures, request: Request, status: str, venue_order_id: str, asked: Decimal | None = None
) -> None:
    """Check figures against the request. `asked` are the coins that the answer says were asked for, if it does.

    Raises BeyondRequest, TooCheap, and CannotBeTrue for anything else that is wrong.
    """
    if request.venue_order_id not in {"", venue_order_id}:
        raise CannotBeTrue(f"order {venue_order_id}, but it was {request.venue_order_id}")
    if asked is not None and asked != request.quantity:
        raise CannotBeTrue(f"an order of {digits(asked)}, asked for {digits(request.quantity)}")
    if figures.foreign_commission:
        asset = "no asset" if figures.foreign_commission == NO_ASSET else figures.foreign_commission
        raise CannotBeTrue(f"commission in {asset}")
    weigh_parts(figures=figures)
    if status == "closed" and figures.quantity < request.quantity:
        raise CannotBeTrue(f"filled, but executed {digits(figures.quantity)} of {digits(request.quantity)}")
    if figures.quantity > request.quantity:
        raise BeyondRequest(f"executed {digits(figures.quantity)}, asked for {digits(request.quantity)}")
    most = highest_cost(quantity=figures.quantity, limit_price=request.limit_price)
    if figures.cost > most:
        raise BeyondRequest(f"cost {digits(figures.cost)} for {digits(figures.quantity)}, at most {digits(most)}")
    if figures.commission > round_cost(multiply(figures.quantity, MOST_COMMISSION)):
        raise BeyondRequest(f"commission of {digits(figures.commission)} coins for {digits(figures.quantity)}")
    if figures.quote_commission > round_cost(multiply(most, MOST_COMMISSION)):
        commission = f"commission of {digits(figures.quote_commission)} in the quote asset"
        raise BeyondRequest(f"{commission} for {digits(figures.cost)}")
    least = multiply(figures.quantity, request.least_price)
    if figures.cost < least:
        raise TooCheap(
            f"cost {digits(figures.cost)} for {digits(figures.quantity)}, at least {digits(round_cost(least))}"
        )


def weigh_parts(*, figures: Figures) -> None:
    """Check what holds for the figures of any purchase, whoever says them. Raises CannotBeTrue."""
    amounts = (figures.quantity, figures.cost, figures.commission, figures.quote_commission)
    if not all(amount.is_finite() and 0 <= amount < COLUMN for amount in amounts):
        raise CannotBeTrue("a figure that is no amount")
    if figures.quantity > 0 and figures.cost == 0:
        raise CannotBeTrue(f"executed {digits(figures.quantity)} for nothing")
    if figures.quantity == 0 and any(amount > 0 for amount in amounts):
        raise CannotBeTrue("nothing executed, at a cost")
    if figures.commission > figures.quantity:
        raise CannotBeTrue(f"commission of {digits(figures.commission)} coins for {digits(figures.quantity)}")


def _ensure_ours(told: OrderTold, ours: Ours) -> None:
    if told.client_order_id != ours.client_order_id:
        raise CannotBeTrue(f"the answer is about order {in_words(told.client_order_id)}")
    if told.symbol not in (None, ours.symbol):
        raise CannotBeTrue(f"the order is one of {in_words(told.symbol)}")
    if told.side not in (None, "buy"):
        raise CannotBeTrue(f"the order is to {in_words(told.side)}")


def _read_amount(name: str, value: object) -> Decimal:
    """Return an amount that is not negative. Raises CannotBeTrue."""
    number = read_figure(value)
    if number is None or number < 0:
        raise CannotBeTrue(f"{name} {in_words(value)}")
    return number


def _read_name(value: object) -> str:
    """Return an id as text, or nothing for what cannot be one."""
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    return text if len(text) <= _LONGEST_ID and text.isascii() and text.isprintable() else ""


@dataclass(frozen=True, kw_only=True)
class _Trade:
    """A trade of our order. `cost` is in the quote asset, without commission; `fees` are by asset.

    `leeway` is by how much the venue's rounding of this trade's cost may make the order's sum differ.
    """

    trade_id: str
    quantity: Decimal
    cost: Decimal
    leeway: Decimal = field(compare=False)
    fees: dict[str, Decimal] = field(default_factory=dict)

    @classmethod
    def read(cls, told: TradeTold) -> "_Trade":
        """Read a trade. Raises TellsNothing, CannotBeTrue."""
        if told.side not in (None, "buy"):
            raise CannotBeTrue(f"a trade to {in_words(told.side)}")
        quantity, price = _read_amount("a trade of", told.quantity), read_figure(told.price)
        if told.cost is None:
            cost = multiply(quantity, _read_amount("a trade at", told.price))
        else:
            cost = _read_amount("a trade for", told.cost)
            if price is not None and not is_product(cost, quantity=quantity, price=price):
                raise CannotBeTrue(f"a trade of {digits(quantity)} at {digits(price)} for {digits(cost)}")
        if told.commission is None:
            raise TellsNothing("a trade without its commission")
        commission = _read_amount("commission", told.commission)
        asset = told.commission_asset if isinstance(told.commission_asset, str) else ""
        name = asset if asset.isascii() and asset.isprintable() else ascii(asset)
        return cls(
            trade_id=_read_name(told.trade_id),
            quantity=quantity,
            cost=cost,
            leeway=leeway_of(cost, quantity=quantity, price=price),
            fees={name[:20] or NO_ASSET: commission} if commission else {},
        )


def _is_of(told: TradeTold, order: OrderSeen) -> bool:
    """Say whether a trade is the order's: one that names neither an order nor a symbol came with the order."""
    return told.symbol in (None, order.symbol) and _read_name(told.venue_order_id) in {"", order.venue_order_id}


def _distinct(trades: Iterable[_Trade]) -> list[_Trade]:
    """Leave out trades that were said twice. Raises CannotBeTrue if a trade was said in two ways."""
    seen: dict[str, _Trade] = {}
    nameless = []
    for trade in trades:
        if not trade.trade_id:
            nameless.append(trade)
        elif seen.setdefault(trade.trade_id, trade) != trade:
            raise CannotBeTrue(f"trade {trade.trade_id} in two ways")
    return [*seen.values(), *nameless]


def _sum_commission(trades: list[_Trade]) -> dict[str, Decimal]:
    fees: dict[str, Decimal] = {}
    for trade in trades:
        for asset, amount in trade.fees.items():
            fees[asset] = add([fees.get(asset, Decimal(0)), amount])
    return fees
