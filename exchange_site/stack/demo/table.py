"""The tables at the end: everything that happened, in figures."""

import statistics
from collections import Counter
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from rich.table import Table

from exchange_site.stack.demo.customers import list_orders
from exchange_site.stack.demo.story import Outcome
from settlement.results import HouseResult
from settlement.selectors.attempts import summarise_attempts
from settlement.selectors.results import read_result
from trading.loss_rules import day_of
from trading.offers import load_offer
from wallets.models import WalletRole
from wallets.runtime.clock import database_now
from wallets.verification import sum_house_wallet

_WALLETS: Final = {
    WalletRole.FUNDING: "Customers have paid in so many dollars; the minus says that they came from outside.",
    WalletRole.CLEARING: "Customers have paid this for orders that are not settled yet.",
    WalletRole.VENUE: "The venue has taken this for coins.",
    WalletRole.TRADING_RESULT: "Orders have brought this for coins, less rebates and all that the venue has taken.",
    WalletRole.FEES: "Customers have paid this as fees.",
}

_FAULTS: Final = {"reject": "a purchase refused", "accept_then_drop": "an answer lost"}


def make_table(outcome: Outcome) -> Table:
    """Return a table with the figures of orders and settlement."""
    table = Table("figure", "value", title="The demo", title_justify="left")
    table.add_row("customers", str(len(outcome.customers)))
    _add_orders(table, list_orders(outcome.customers))
    _add_prices(table, list_orders(outcome.customers))
    table.add_row("orders by a quote", str(sum(len(customer.quotes) for customer in outcome.customers)))
    _add_settlement(table, outcome)
    return table


def make_ledger_table() -> Table:
    """Return a table of the house's dollar wallets, each with a sentence for readers who keep no books."""
    caption = "With all other wallets these add up to zero: no dollar is lost, and none is counted twice."
    table = Table("house wallet", title="The ledger", title_justify="left", caption=caption, caption_justify="left")
    table.add_column("USD", justify="right")
    table.add_column("is")
    for role, sentence in _WALLETS.items():
        table.add_row(role.value.replace("_", " "), f"{sum_house_wallet(role=role):,.2f}", sentence)
    return table


def _add_orders(table: Table, orders: list[dict[str, Any]]) -> None:
    for state, count in sorted(Counter(order["state"] for order in orders).items()):
        table.add_row(f"orders {state}", str(count))
    small = [order for order in orders if order["is_aggregated"] and order["state"] == "completed"]
    table.add_row("of them small, bought in bulk", str(len(small)))


def _add_prices(table: Table, orders: list[dict[str, Any]]) -> None:
    """Show what the last order of each coin was sold at, and what completed orders paid for coins and as fees."""
    table.add_row("prices in USD", "market price / spread / price / fee")
    for coin, order in sorted({order["crypto"]: order for order in sorted(orders, key=_id)}.items()):
        market_price, price = Decimal(order["market_price"]), Decimal(order["price"])
        spread = load_offer(coin_name=coin).terms.spread_rate
        table.add_row(coin, f"{_plain(market_price)} / {spread:.2%} / {_plain(price)} / {order['fee']}")
    completed = [order for order in orders if order["state"] == "completed"]
    for name in ("subtotal", "fee"):
        table.add_row(f"{name}s of completed orders", f"{sum(Decimal(order[name]) for order in completed):,.2f} USD")


def _plain(price: Decimal) -> str:
    return f"{price.normalize():,f}"


def _id(order: dict[str, Any]) -> int:
    return int(order["id"])


def _add_settlement(table: Table, outcome: Outcome) -> None:
    summary = summarise_attempts(after_id=outcome.last_attempt_before)
    seconds = sorted(_seconds(order) for order in list_orders(outcome.customers) if order["completed_at"])
    table.add_row("purchases made", str(summary.purchases))
    table.add_row("orders per purchase", f"{summary.orders_settled / max(summary.purchases, 1):.1f}")
    if seconds:
        table.add_row("time to settle, median", f"{statistics.median(seconds):.2f} s")
        table.add_row("time to settle, longest", f"{seconds[-1]:.2f} s")
    faults = ", ".join(f"{_FAULTS.get(name, name)} x {count}" for name, count in outcome.faults.items())
    table.add_row("faults of the venue", faults or "none")
    table.add_row("lookups made", str(summary.lookups))
    table.add_row("purchases found by a lookup", str(summary.found_by_lookup))


def read_demo_result(outcome: Outcome) -> HouseResult:
    """Return the house's result of the days on which the demo's orders were placed and settled."""
    placed = [datetime.fromisoformat(order["created_at"]) for order in list_orders(outcome.customers)]
    return read_result(first=day_of(min(placed)), last=day_of(database_now()))


def _seconds(order: dict[str, Any]) -> float:
    placed, done = (datetime.fromisoformat(order[name]) for name in ("created_at", "completed_at"))
    return (done - placed).total_seconds()
