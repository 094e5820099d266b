"""The house's result: its figures by UTC day and coin, their sums, and whether they agree with the ledger.

Nothing here reads the database. All figures are US dollars, unless they say coins.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import date, datetime
from decimal import Decimal
from typing import Final

from settlement.figures import add, multiply, round_quantity, subtract
from wallets.models import WalletRole
from wallets.money import USD
from wallets.selectors.house import HouseMoves

ROLES: Final = (
    WalletRole.CLEARING,
    WalletRole.TRADING_RESULT,
    WalletRole.FEES,
    WalletRole.VENUE,
    WalletRole.INVENTORY,
)
"""The house wallets with which the report has to agree."""

_NOTHING: Final = Decimal(0)


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What was booked for one coin on one day, or a sum of such figures.

    `placed` and `refunded` are charges of orders; they are no result. `orders`, `sold` (coins), `subtotals`, `fees`,
    `rebates`, `market` and `rounding` are of completed orders, and `used` is what their coins cost the house, at the
    average cost of inventory: None if it was not counted. `purchases`, `bought` (coins, after commission), `cost` and
    the commission are of purchases, whose orders may be completed on another day. `repurchased` (coins) came from
    customers who owe, and `repurchase_cost` is what their debts became less for them: what these coins cost.
    """

    placed: Decimal = _NOTHING
    refunded: Decimal = _NOTHING
    orders: int = 0
    sold: Decimal = _NOTHING
    subtotals: Decimal = _NOTHING
    fees: Decimal = _NOTHING
    rebates: Decimal = _NOTHING
    market: Decimal = _NOTHING
    rounding: Decimal = _NOTHING
    used: Decimal | None = _NOTHING
    purchases: int = 0
    bought: Decimal = _NOTHING
    cost: Decimal = _NOTHING
    commission_coins: Decimal = _NOTHING
    commission: Decimal = _NOTHING
    repurchased: Decimal = _NOTHING
    repurchase_cost: Decimal = _NOTHING

    @property
    def spread(self) -> Decimal:
        """What completed orders paid above the market price at which they were placed, without rounding."""
        return subtract(self.subtotals, add([self.market, self.rounding]))

    @property
    def slippage(self) -> Decimal | None:
        """What the delivered coins cost above that market price, commission included; below zero: less than it."""
        return None if self.used is None else subtract(self.used, self.market)

    @property
    def result(self) -> Decimal | None:
        """What the house has earned: spread, rounding and fees, less rebates and slippage. Below zero: lost."""
        return None if self.used is None else subtract(add([self.subtotals, self.fees]), add([self.rebates, self.used]))

    @property
    def is_anything(self) -> bool:
        return any(getattr(self, field.name) for field in fields(self))


def sum_up(figures: Iterable[Figures]) -> Figures:
    """Return the exact sums. A cost that is not known somewhere is not known in the sum."""
    parts = list(figures)
    sums: dict[str, Decimal | int | None] = {}
    for field in fields(Figures):
        values = [getattr(part, field.name) for part in parts]
        if None in values:
            sums[field.name] = None
        else:
            sums[field.name] = sum(values) if field.type is int else add(values)
    return Figures(**sums)  # type: ignore[arg-type]  # each field by its own type


@dataclass(frozen=True, kw_only=True)
class Stock:
    """The coins that the house owns at the end of a day, what they cost, and what they are worth at the market price.

    `cost` and `worth` are None if they are not known: from before costs were counted, or without a price.
    """

    coins: Decimal | None = _NOTHING
    cost: Decimal | None = _NOTHING
    worth: Decimal | None = _NOTHING


def worth_of(coins: Decimal | None, price: Decimal | None) -> Decimal | None:
    """Return what coins are worth, rounded down to 8 places; None if the price is not known."""
    if coins is None or not coins:
        return coins
    return None if price is None else round_quantity(multiply(coins, price))


def sum_up_stock(stocks: Iterable[Stock]) -> Stock:
    """Return cost and worth of several coins together; coins of different kinds have no sum."""
    parts = list(stocks)
    return Stock(coins=None, cost=_sum_known([s.cost for s in parts]), worth=_sum_known([s.worth for s in parts]))


def _sum_known(values: list[Decimal | None]) -> Decimal | None:
    return None if None in values else add(value for value in values if value is not None)


@dataclass(frozen=True, kw_only=True)
class Row:
    """The figures of one coin on one UTC day, and what is left of it at the day's end."""

    day: date
    coin: str
    figures: Figures
    stock: Stock


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A house wallet that moved otherwise on a day than the report says, in the wallet's own asset."""

    day: date
    role: WalletRole
    asset: str
    reported: Decimal
    booked: Decimal

    def __str__(self) -> str:
        return (
            f"{self.day} {self.role.value} {self.asset}: the report says {self.reported.normalize():f},"
            f" the ledger {self.booked.normalize():f}"
        )


@dataclass(frozen=True, kw_only=True)
class HouseResult:
    """The result of the UTC days `first` to `last`, read at `as_of`; `running` says whether the last day goes on."""

    first: date
    last: date
    as_of: datetime
    running: bool
    rows: tuple[Row, ...]
    differences: tuple[Difference, ...]

    @property
    def total(self) -> Figures:
        return sum_up(row.figures for row in self.rows)

    @property
    def stock(self) -> Stock:
        """What is left of all coins at the end of the last day."""
        return sum_up_stock(row.stock for row in self.rows if row.day == self.last)

    def by_day(self) -> Iterator[tuple[date, Figures]]:
        """Yield each day on which something was booked, with the figures of all coins."""
        for day in sorted({row.day for row in self.rows if row.figures.is_anything}):
            yield day, sum_up(row.figures for row in self.rows if row.day == day)

    def by_coin(self) -> Iterator[tuple[str, Figures, Stock]]:
        """Yield each coin with its figures of all days, and what is left of it at the end."""
        for coin in sorted({row.coin for row in self.rows}):
            of_coin = [row for row in self.rows if row.coin == coin]
            left = next((row.stock for row in of_coin if row.day == self.last), Stock())
            yield coin, sum_up(row.figures for row in of_coin), left


def find_differences(*, rows: Iterable[Row], booked: HouseMoves) -> tuple[Difference, ...]:
    """Return the house wallets whose movements in the ledger are not those that the report's figures make."""
    reported: dict[tuple[date, WalletRole, str], list[Decimal]] = {}
    for row in rows:
        for key, change in _moves_of(row).items():
            reported.setdefault(key, []).append(change)
    sums = {key: add(changes) for key, changes in reported.items()}
    return tuple(
        Difference(day=key[0], role=key[1], asset=key[2], reported=said, booked=found)
        for key in sorted(sums.keys() | booked.keys())
        if (said := sums.get(key, _NOTHING)) != (found := booked.get(key, _NOTHING))
    )


def _moves_of(row: Row) -> Mapping[tuple[date, WalletRole, str], Decimal]:
    """Return what the house wallets moved if the row is right."""
    told = row.figures
    return {
        (row.day, WalletRole.CLEARING, USD): subtract(told.placed, add([told.refunded, told.subtotals, told.fees])),
        (row.day, WalletRole.TRADING_RESULT, USD): subtract(
            told.subtotals, add([told.rebates, told.cost, told.repurchase_cost])
        ),
        (row.day, WalletRole.FEES, USD): told.fees,
        (row.day, WalletRole.VENUE, USD): told.cost,
        (row.day, WalletRole.VENUE, row.coin): -told.bought,
        (row.day, WalletRole.INVENTORY, row.coin): subtract(add([told.bought, told.repurchased]), told.sold),
    }
