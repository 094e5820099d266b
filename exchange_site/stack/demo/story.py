"""The story: customers come and buy, a purchase is refused, an answer is lost, and everything is settled."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, TypeVar

import httpx
from rich.console import Console
from rich.progress import Progress

from exchange_site.stack.demo.customers import Customer, list_orders, open_account, read_answer
from exchange_site.stack.running import StackAddresses
from exchange_site.stack.steps import can_draw_over
from settlement.selectors.attempts import last_attempt_id
from wallets.runtime.progress import make_progress

CUSTOMERS: Final = 24
ORDERS: Final = 200
LARGE_COINS: Final = ("ABAN", "BTC", "ETH", "SOL")
SMALL_COINS: Final = ("ABAN", "SOL", "ADA")
REFUSED_COIN: Final = "DOGE"
LOST_COIN: Final = "ETH"
QUOTED_COIN: Final = "BTC"
QUOTED_TOTAL: Final = Decimal("30.00")
_REFUSED: Final = {"on": "place", "symbol": f"{REFUSED_COIN}USDT", "action": "reject", "times": 1}
_LOST: Final = {"on": "place", "symbol": f"{LOST_COIN}USDT", "action": "accept_then_drop", "times": 1}
FINAL_STATES: Final = frozenset({"completed", "refunded", "cancelled"})
_SETTLE_SECONDS: Final = 90.0
_PARALLEL: Final = 8
_SILENCE_SECONDS: Final = 4.0

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class PlannedOrder:
    """An order to place: the customer, the coin, and the total in US dollars."""

    customer: Customer
    coin: str
    total: Decimal


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The story's result: customers with orders, number of applied faults by name, and the last attempt before it."""

    customers: list[Customer]
    faults: dict[str, int]
    last_attempt_before: int


def tell(console: Console, addresses: StackAddresses) -> Outcome:
    """Play the story, and show its progress."""
    before = last_attempt_id()
    with make_progress(console, width=32) as progress, _telling_in_lines(console, progress):
        # One after another: a process hashes one password at a time, and refuses the next for a second.
        opening = progress.track(range(CUSTOMERS), description="customers register and deposit")
        customers = [open_account(addresses.api) for _ in opening]
        _order_faults(addresses, _REFUSED, _LOST)
        for customer in progress.track(customers[2:3], description="one orders by a quote"):
            customer.place_by_quote(coin=QUOTED_COIN, total=QUOTED_TOTAL)
        _parallel(progress, "orders are placed", [_placing(planned) for planned in _plan(customers)])
        _fill_pools(progress, customers)
        _wait_until_settled(progress, customers)
    faults = _count_faults(addresses)
    httpx.delete(f"{addresses.simulator}/control/faults").raise_for_status()
    return Outcome(customers=customers, faults=faults, last_attempt_before=before)


@contextmanager
def _telling_in_lines(console: Console, progress: Progress) -> Iterator[None]:
    """Print every four seconds how far it is, where no bar can: a file, a pipe, a dumb terminal."""
    ended = threading.Event()

    def print_lines() -> None:
        while not ended.wait(_SILENCE_SECONDS):
            for task in progress.tasks[-1:]:
                console.print(f"  {task.description} {task.completed:.0f} of {task.total or 0:.0f}")

    thread = threading.Thread(target=print_lines, daemon=True)
    if not can_draw_over(console):
        thread.start()
    try:
        yield
    finally:
        ended.set()
        if thread.is_alive():
            thread.join()


def lose_an_answer(addresses: StackAddresses) -> None:
    """Tell the venue to accept the next purchase of LOST_COIN, and to drop the answer."""
    _order_faults(addresses, _LOST)


def _order_faults(addresses: StackAddresses, *rules: dict[str, Any]) -> None:
    httpx.put(f"{addresses.simulator}/control/faults", json=rules).raise_for_status()


def _count_faults(addresses: StackAddresses) -> dict[str, int]:
    rules = read_answer(httpx.get(f"{addresses.simulator}/control/faults"))
    return {rule["action"]: rule["applied"] for rule in rules if rule["applied"]}


def _plan(customers: list[Customer]) -> list[PlannedOrder]:
    """Return orders of mixed sizes for several coins. The seed is fixed, so they are the same every time."""
    chance = random.Random(10)  # noqa: S311  no secret
    planned_orders = [
        PlannedOrder(customer=customers[0], coin=REFUSED_COIN, total=Decimal("25.00")),
        PlannedOrder(customer=customers[1], coin=LOST_COIN, total=Decimal("40.00")),
    ]
    while len(planned_orders) < ORDERS - 1:  # one more is placed by a quote
        customer = customers[len(planned_orders) % len(customers)]
        if chance.random() < 0.3:  # noqa: PLR2004  three in ten are large
            planned_orders.append(
                PlannedOrder(customer=customer, coin=chance.choice(LARGE_COINS), total=_cents(chance, 1000, 6000))
            )
        else:
            planned_orders.append(
                PlannedOrder(customer=customer, coin=chance.choice(SMALL_COINS), total=_cents(chance, 50, 400))
            )
    return planned_orders


def _cents(chance: random.Random, least: int, most: int) -> Decimal:
    return Decimal(chance.randint(least, most)).scaleb(-2)


def _placing(planned: PlannedOrder) -> Callable[[], None]:
    return lambda: planned.customer.place(coin=planned.coin, total=planned.total)


def _fill_pools(progress: Progress, customers: list[Customer]) -> None:
    """Place orders that fill the pools; otherwise the orders in them would wait for other customers."""
    for coin in progress.track(SMALL_COINS, description="pools are filled"):
        time.sleep(0.5)  # pools that are full already are bought first
        for _ in range(5):
            pool = next(filter(None, (customer.find_pool(coin) for customer in customers)), None)
            if pool is None:
                break
            missing = max(Decimal(pool["threshold"]) - Decimal(pool["total"]), Decimal("0.50"))
            customers[0].place(coin=coin, total=min(missing, Decimal("9.90")) + Decimal("0.05"))
            time.sleep(1)


def _wait_until_settled(progress: Progress, customers: list[Customer]) -> None:
    total = len(list_orders(customers))
    task = progress.add_task("orders are settled", total=total)
    deadline = time.monotonic() + _SETTLE_SECONDS
    while time.monotonic() < deadline:
        for customer in customers:
            customer.refresh_orders()
        settled = sum(order["state"] in FINAL_STATES for order in list_orders(customers))
        progress.update(task, completed=settled)
        if settled == total:
            return
        time.sleep(0.3)


def _parallel(progress: Progress, description: str, jobs: list[Callable[[], T]]) -> list[T]:
    with ThreadPoolExecutor(_PARALLEL) as pool:
        results = pool.map(lambda job: job(), jobs)
        return list(progress.track(results, total=len(jobs), description=description))
