"""The house's result as a table, as CSV and as JSON. Amounts are in plain notation, never as 1E-8."""

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from rich.table import Table

from settlement.results import Figures, HouseResult, Stock

Value = Decimal | int | None


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column: its name in CSV and JSON, its title in tables (none: it is not in them), its meaning, and its value."""

    name: str
    title: str
    meaning: str
    read: Callable[[Figures, Stock], Value]


COLUMNS: Final = (
    Column(name="placed_usd", title="", meaning="charges of orders placed, fees included", read=lambda f, _: f.placed),
    Column(name="refunded_usd", title="", meaning="charges that went back to customers", read=lambda f, _: f.refunded),
    Column(name="orders", title="orders", meaning="orders completed", read=lambda f, _: f.orders),
    Column(name="delivered_coins", title="", meaning="coins that completed orders brought", read=lambda f, _: f.sold),
    Column(
        name="subtotals_usd",
        title="subtotals",
        meaning="what completed orders paid for their coins",
        read=lambda f, _: f.subtotals,
    ),
    Column(name="fees_usd", title="fees", meaning="fees of completed orders", read=lambda f, _: f.fees),
    Column(
        name="rebates_usd",
        title="rebates",
        meaning="what customers got back because the purchase was cheaper; against the house",
        read=lambda f, _: f.rebates,
    ),
    Column(name="purchases", title="", meaning="purchases that brought coins", read=lambda f, _: f.purchases),
    Column(
        name="bought_coins",
        title="",
        meaning="coins from the venue, after commission",
        read=lambda f, _: f.bought,
    ),
    Column(
        name="cost_usd",
        title="cost at venue",
        meaning="what the venue took for the purchases of the day",
        read=lambda f, _: f.cost,
    ),
    Column(
        name="commission_coins",
        title="",
        meaning="commission that was taken in coins",
        read=lambda f, _: f.commission_coins,
    ),
    Column(
        name="commission_usd",
        title="commission",
        meaning="what the coins had cost that the venue took as commission; part of the cost",
        read=lambda f, _: f.commission,
    ),
    Column(
        name="repurchased_coins",
        title="",
        meaning="coins of customers who owe, which became inventory",
        read=lambda f, _: f.repurchased,
    ),
    Column(
        name="repurchase_cost_usd",
        title="",
        meaning="by how much their debts became less for these coins; what the coins cost the house",
        read=lambda f, _: f.repurchase_cost,
    ),
    Column(
        name="cost_of_delivered_usd",
        title="",
        meaning="what the delivered coins had cost, at the average cost of inventory",
        read=lambda f, _: f.used,
    ),
    Column(
        name="market_usd",
        title="",
        meaning="the delivered coins at the market price at which their orders were placed",
        read=lambda f, _: f.market,
    ),
    Column(
        name="spread_usd",
        title="spread",
        meaning="what completed orders paid above the market price at which they were placed",
        read=lambda f, _: f.spread,
    ),
    Column(
        name="slippage_usd",
        title="slippage",
        meaning="what their coins cost above that market price, with commission; above zero: against the house",
        read=lambda f, _: f.slippage,
    ),
    Column(
        name="rounding_usd",
        title="rounding",
        meaning="what rounding subtotals up to the cent brought",
        read=lambda f, _: f.rounding,
    ),
    Column(
        name="result_usd",
        title="result",
        meaning="spread + rounding + fees - rebates - slippage; below zero: a loss",
        read=lambda f, _: f.result,
    ),
    Column(
        name="inventory_coins",
        title="inventory",
        meaning="coins of the house at the end of the day",
        read=lambda _, s: s.coins,
    ),
    Column(name="inventory_cost_usd", title="at cost", meaning="what these coins cost", read=lambda _, s: s.cost),
    Column(
        name="inventory_market_usd",
        title="at market",
        meaning="what they are worth at the ask of that moment",
        read=lambda _, s: s.worth,
    ),
)
SHOWN: Final = tuple(column for column in COLUMNS if column.title)

NOTE: Final = "Not known: the cost of coins that were delivered before costs were counted, or a price that is not kept."

_NUMBER: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?", re.ASCII)
_BEGINS_A_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")


def in_words(value: Value) -> str:
    """Return a value in plain notation, without zeros at its end beyond the second place; empty if it is not known."""
    if value is None:
        return ""
    if isinstance(value, int):
        return str(value)
    if not value:
        return "0"
    return f"{value:.2f}" if value == round(value, 2) else f"{value.normalize():f}"


def as_csv(result: HouseResult) -> str:
    """Return a line for each day and coin. No cell begins a formula in a spreadsheet."""
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(["day", "coin", *(column.name for column in COLUMNS)])
    for row in result.rows:
        cells = [row.day.isoformat(), row.coin, *_values(row.figures, row.stock)]
        lines.writerow([guarded(cell) for cell in cells])
    return text.getvalue()


def guarded(cell: str) -> str:
    """Return a cell that a spreadsheet takes for text or for a number, never for a formula."""
    if not cell.startswith(_BEGINS_A_FORMULA) or _NUMBER.fullmatch(cell):
        return cell
    return f"'{cell}"


def as_json(result: HouseResult) -> str:
    """Return the days and coins, the sums, and the differences from the ledger. Amounts are strings."""
    told = {
        "from": result.first.isoformat(),
        "to": result.last.isoformat(),
        "as_of": result.as_of.isoformat(),
        "running": result.running,
        "agrees_with_ledger": not result.differences,
        "rows": [
            {"day": row.day.isoformat(), "coin": row.coin, **_named(row.figures, row.stock)} for row in result.rows
        ],
        "total": _named(result.total, result.stock),
        "differences": [
            {
                "day": found.day.isoformat(),
                "wallet": found.role.value,
                "asset": found.asset,
                "reported": in_words(found.reported),
                "booked": in_words(found.booked),
            }
            for found in result.differences
        ],
    }
    return json.dumps(told, indent=2)


def as_table(result: HouseResult) -> Table:
    """Return a table of the days and coins, with a line of sums."""
    table = Table("day", "coin", title=name_of(result), title_justify="left", caption=_caption(result))
    for column in SHOWN:
        table.add_column(column.title, justify="right", overflow="fold")
    for row in result.rows:
        table.add_row(row.day.isoformat(), row.coin, *_values(row.figures, row.stock, of=SHOWN, unknown="unknown"))
    table.add_section()
    coins = SHOWN.index(next(column for column in SHOWN if column.name == "inventory_coins"))
    sums = _values(result.total, result.stock, of=SHOWN, unknown="unknown")
    table.add_row("all", "", *sums[:coins], "", *sums[coins + 1 :])
    return table


_OF_SUMMARY: Final = {
    "subtotals_usd": "Customers have paid this for the coins of their completed orders.",
    "fees_usd": "Customers have paid this on top, as the fee of the service.",
    "rebates_usd": "Customers have got this back, because the venue was cheaper than the price that they had accepted.",
    "cost_usd": "The venue has taken this for coins; those that no order needed are kept for the next ones.",
    "spread_usd": "The house sells above the market price, and has earned this by it.",
    "slippage_usd": "The coins have cost the house this more than the market price; below zero, less.",
    "result_usd": "The house has earned this, or lost it if it is below zero: spread, fees and rounding, less rebates"
    " and slippage.",
}
"""The columns of the summary, each with a sentence for readers who keep no books."""


def as_summary(result: HouseResult) -> Table:
    """Return a table for a narrow screen: each coin, in dollars to the cent, and whether all adds up."""
    columns = [column for column in COLUMNS if column.name in _OF_SUMMARY]
    verdict = "It adds up to the ledger." if not result.differences else "It does not add up to the ledger."
    table = Table("coin", title="The house's result (USD)", title_justify="left", caption=verdict)
    for column in columns:
        table.add_column(column.title, justify="right")
    for coin, figures, stock in result.by_coin():
        table.add_row(coin, *_to_the_cent(columns, figures, stock))
    table.add_section()
    table.add_row("all", *_to_the_cent(columns, result.total, result.stock))
    return table


def explain_summary() -> Iterator[str]:
    """Yield a line for each column of the summary."""
    for column in COLUMNS:
        if column.name in _OF_SUMMARY:
            yield f"{column.title}: {_OF_SUMMARY[column.name]}"


def _to_the_cent(columns: Iterable[Column], figures: Figures, stock: Stock) -> list[str]:
    values = [column.read(figures, stock) for column in columns]
    return ["unknown" if value is None else f"{value:.2f}" for value in values]


def name_of(result: HouseResult) -> str:
    """Return the title of a report."""
    days = str(result.first) if result.first == result.last else f"{result.first} to {result.last}"
    until = f", which goes on: as of {result.as_of:%H:%M:%S} UTC" if result.running else ""
    return f"The house's result of {days} (USD, UTC days){until}"


def _caption(result: HouseResult) -> str:
    if not result.rows:
        return "Nothing was booked."
    return NOTE if result.total.used is None or result.stock.worth is None else ""


def _values(figures: Figures, stock: Stock, *, of: Iterable[Column] = COLUMNS, unknown: str = "") -> list[str]:
    values = [column.read(figures, stock) for column in of]
    return [unknown if value is None else in_words(value) for value in values]


def _named(figures: Figures, stock: Stock) -> dict[str, Any]:
    """Return the values by name: numbers as they are, amounts in text."""
    values = {column.name: column.read(figures, stock) for column in COLUMNS}
    return {
        name: value if value is None or isinstance(value, int) else in_words(value) for name, value in values.items()
    }
