"""The main job, start to finish, before your eyes: customers buy coins, and the books balance.

Against the stack that is running, or one started for the occasion. What customers do goes over HTTP; what
the table at the end says of settlement is read from the database.
"""

import logging
import os
import random
import statistics
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, TypeVar

import django
import httpx
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from exchange_site.stack.stack import StackAddresses, data_dir, find_running_stack, running_stack

CUSTOMERS: Final = 24
ORDERS: Final = 200
DEPOSIT: Final = Decimal("1000.00")
LARGE_COINS: Final = ("ABAN", "BTC", "ETH", "SOL")
SMALL_COINS: Final = ("ABAN", "SOL", "ADA")
REFUSED_COIN: Final = "DOGE"
LOST_COIN: Final = "ETH"
FINAL_STATES: Final = frozenset({"completed", "refunded", "cancelled"})
_SETTLE_SECONDS: Final = 90.0
_PARALLEL: Final = 8
# All the customers of the demo come from one address, and buy in seconds what others buy in days.
_RATE_LIMITS: Final = {f"RATE_LIMIT_{name}": "100000/m" for name in ("USER", "ANON", "REGISTER", "ORDERS", "WALLET")}

T = TypeVar("T")


@dataclass(kw_only=True)
class Customer:
    """A customer of the demo, signed in; what the demo knows of the orders is kept by order id."""

    client: httpx.Client
    orders: dict[int, dict[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Wish:
    """An order to place: US dollars of a coin, by one of the customers."""

    customer: Customer
    coin: str
    total: Decimal


def run_demo() -> int:
    """Return 0 when everything is as it must be."""
    console = Console()
    with _stack(console) as addresses:
        os.environ.update(addresses.environment)
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "exchange_site.settings")
        django.setup()
        logging.getLogger("httpx").setLevel(logging.WARNING)
        return _run(console, addresses)


def _stack(console: Console) -> AbstractContextManager[StackAddresses]:
    running = find_running_stack(data_dir())
    if running:
        console.print(f"Using the stack that runs on {data_dir()}, within its rate limits: that can take minutes.")
        return nullcontext(running)
    console.print("Starting PostgreSQL, Redis, the exchange simulator, a worker and the API …")
    return _temporary_stack()


@contextmanager
def _temporary_stack() -> Iterator[StackAddresses]:
    """A stack on a folder that goes with it."""
    with tempfile.TemporaryDirectory(prefix="crypto-exchange-demo-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # the database server's user must get in
        with running_stack(folder / "data", environment=_RATE_LIMITS) as addresses:
            yield addresses


def _run(console: Console, addresses: StackAddresses) -> int:
    before = _last_attempt_id()
    with _progress(console) as progress:
        customers = _parallel(
            progress, "customers register and deposit", [lambda: _open_account(addresses)] * CUSTOMERS
        )
        _order_faults(addresses)
        wishes = _plan(customers)
        _parallel(progress, "orders are placed", [_placing(wish) for wish in wishes])
        _fill_pools(progress, customers)
        _wait_until_settled(progress, customers)
    faults = _faults_applied(addresses)
    httpx.delete(f"{addresses.simulator}/control/faults").raise_for_status()
    complaints = [*_check_orders(customers), *_check_settlement(before, faults), *_check_ledger()]
    console.print(_table(customers, since=before, faults=faults))
    for complaint in complaints:
        console.print(f"[red]wrong:[/red] {complaint}")
    console.print("[red]The demo failed.[/red]" if complaints else "[green]Everything is as it must be.[/green]")
    return 1 if complaints else 0


def _open_account(addresses: StackAddresses) -> Customer:
    client = httpx.Client(base_url=f"{addresses.api}/api/v1/", timeout=30)
    name = f"demo-{uuid.uuid4().hex[:12]}"
    tokens = _call(client, "POST", "accounts/auth/register/", json={"username": name, "password": "password123"})
    client.headers["Authorization"] = f"Bearer {tokens['access']}"
    key = {"Idempotency-Key": uuid.uuid4().hex}
    _call(client, "PATCH", "accounts/wallet/deposit/", json={"amount": str(DEPOSIT)}, headers=key)
    return Customer(client=client)


def _order_faults(addresses: StackAddresses) -> None:
    """One purchase is refused for good; the answer to another is lost after the venue accepted it."""
    rules = [
        {"on": "place", "symbol": f"{REFUSED_COIN}USDT", "action": "reject", "times": 1},
        {"on": "place", "symbol": f"{LOST_COIN}USDT", "action": "accept_then_drop", "times": 1},
    ]
    httpx.put(f"{addresses.simulator}/control/faults", json=rules).raise_for_status()


def _plan(customers: list[Customer]) -> list[Wish]:
    """Mixed sizes over several coins, the same in every run: the seed is fixed."""
    chance = random.Random(10)  # noqa: S311  no secret
    wishes = [
        Wish(customer=customers[0], coin=REFUSED_COIN, total=Decimal("25.00")),
        Wish(customer=customers[1], coin=LOST_COIN, total=Decimal("40.00")),
    ]
    while len(wishes) < ORDERS:
        customer = customers[len(wishes) % len(customers)]
        if chance.random() < 0.3:  # noqa: PLR2004  three in ten are large
            wishes.append(Wish(customer=customer, coin=chance.choice(LARGE_COINS), total=_cents(chance, 1000, 6000)))
        else:
            wishes.append(Wish(customer=customer, coin=chance.choice(SMALL_COINS), total=_cents(chance, 50, 400)))
    return wishes


def _cents(chance: random.Random, least: int, most: int) -> Decimal:
    return Decimal(chance.randint(least, most)).scaleb(-2)


def _placing(wish: Wish) -> Callable[[], None]:
    def place() -> None:
        order = _call(
            wish.customer.client,
            "POST",
            "orders/",
            json={"crypto": wish.coin, "total": str(wish.total)},
            headers={"Idempotency-Key": uuid.uuid4().hex},
        )
        wish.customer.orders[order["id"]] = order

    return place


def _fill_pools(progress: Progress, customers: list[Customer]) -> None:
    """What is left in the pools would wait for other customers: these come now."""
    for coin in progress.track(SMALL_COINS, description="pools are filled"):
        time.sleep(0.5)  # the purchases under way take what they take
        for _ in range(5):
            pool = _waiting_pool(customers, coin)
            if pool is None:
                break
            missing = max(Decimal(pool["threshold"]) - Decimal(pool["total"]), Decimal("0.50"))
            _placing(Wish(customer=customers[0], coin=coin, total=min(missing, Decimal("9.90")) + Decimal("0.05")))()
            time.sleep(1)


def _waiting_pool(customers: list[Customer], coin: str) -> dict[str, Any] | None:
    for customer in customers:
        waiting = _call(customer.client, "GET", "orders/", params={"state": "aggregated", "crypto": coin})
        if waiting:
            pool: dict[str, Any] = waiting[0]["pool"]
            return pool
    return None


def _wait_until_settled(progress: Progress, customers: list[Customer]) -> None:
    total = sum(len(customer.orders) for customer in customers)
    task = progress.add_task("orders are settled", total=total)
    deadline = time.monotonic() + _SETTLE_SECONDS
    while time.monotonic() < deadline:
        for customer in customers:
            for order in _call(customer.client, "GET", "orders/", params={"limit": 200}):
                customer.orders[order["id"]] = order
        settled = sum(order["state"] in FINAL_STATES for order in _orders(customers))
        progress.update(task, completed=settled)
        if settled == total:
            return
        time.sleep(0.3)


def _check_orders(customers: list[Customer]) -> Iterable[str]:
    for customer in customers:
        for order in customer.orders.values():
            if order["state"] not in FINAL_STATES:
                yield f"order {order['id']} is still {order['state']}"
        spent = sum(
            (Decimal(o["total_price"]) for o in customer.orders.values() if o["state"] == "completed"),
            Decimal(0),
        )
        balance = Decimal(_call(customer.client, "GET", "accounts/wallet/")["balance"])
        if balance != DEPOSIT - spent:
            yield f"a wallet holds {balance}, not {DEPOSIT - spent}"
        bought: Counter[str] = Counter()
        for order in customer.orders.values():
            if order["state"] == "completed":
                bought[order["crypto"]] += Decimal(order["amount"])  # type: ignore[assignment]  # a Counter counts decimals too
        held = {
            entry["crypto"]: Decimal(entry["amount"]) for entry in _call(customer.client, "GET", "accounts/holdings/")
        }
        if held != dict(bought):
            yield f"a customer holds {held}, not {dict(bought)}"
    refunded = [order["crypto"] for order in _orders(customers) if order["state"] == "refunded"]
    if refunded != [REFUSED_COIN]:
        yield f"refunded were {refunded}, not just the refused {REFUSED_COIN}"


def _check_settlement(since: int, faults: dict[str, int]) -> Iterable[str]:
    from settlement.selectors.attempts import summarise_attempts

    summary = summarise_attempts(after_id=since)
    if faults != {"reject": 1, "accept_then_drop": 1}:
        yield f"faults applied were {faults}"
    if not summary.found_by_lookup:
        yield "no lost answer was found"
    if summary.parked:
        yield f"{summary.parked} purchases are parked"
    if summary.purchases >= ORDERS:
        yield "small orders were not bought in bulk"


def _check_ledger() -> Iterable[str]:
    from settlement.verification import verify_everything

    for finding in verify_everything():
        yield f"rule {finding.rule}: {finding.subject}: {finding.found}, not {finding.expected}"


def _table(customers: list[Customer], *, since: int, faults: dict[str, int]) -> Table:
    from settlement.selectors.attempts import summarise_attempts
    from wallets.models import WalletRole
    from wallets.verification import sum_house_wallet

    orders = _orders(customers)
    summary = summarise_attempts(after_id=since)
    seconds = sorted(_seconds(order) for order in orders if order["completed_at"])
    small = [order for order in orders if order["is_aggregated"] and order["state"] == "completed"]
    table = Table("figure", "value", title="The demo", title_justify="left")
    table.add_row("customers", str(len(customers)))
    for state, count in sorted(Counter(order["state"] for order in orders).items()):
        table.add_row(f"orders {state}", str(count))
    table.add_row("of them small, bought in bulk", str(len(small)))
    table.add_row("purchases made", str(summary.purchases))
    table.add_row("orders per purchase", f"{summary.orders_settled / max(summary.purchases, 1):.1f}")
    if seconds:
        table.add_row("time to settle, median", f"{statistics.median(seconds):.2f} s")
        table.add_row("time to settle, longest", f"{seconds[-1]:.2f} s")
    table.add_row("faults applied", ", ".join(f"{name} x {count}" for name, count in faults.items()) or "none")
    table.add_row("lookups made", str(summary.lookups))
    table.add_row("purchases found by a lookup", str(summary.found_by_lookup))
    for role in (WalletRole.FUNDING, WalletRole.CLEARING, WalletRole.VENUE, WalletRole.TRADING_RESULT):
        table.add_row(f"ledger: {role.value}", f"{sum_house_wallet(role=role):,.2f} USD")
    return table


def _seconds(order: dict[str, Any]) -> float:
    placed, done = (datetime.fromisoformat(order[name]) for name in ("created_at", "completed_at"))
    return (done - placed).total_seconds()


def _faults_applied(addresses: StackAddresses) -> dict[str, int]:
    rules = _answer(httpx.get(f"{addresses.simulator}/control/faults"))
    return {rule["action"]: rule["applied"] for rule in rules if rule["applied"]}


def _last_attempt_id() -> int:
    from settlement.selectors.attempts import last_attempt_id

    return last_attempt_id()


def _orders(customers: list[Customer]) -> list[dict[str, Any]]:
    return [order for customer in customers for order in customer.orders.values()]


def _call(client: httpx.Client, method: str, path: str, **request: Any) -> Any:
    """Call the API, and again when a stack that runs with its usual limits says when to."""
    while (response := client.request(method, path, **request)).status_code == HTTPStatus.TOO_MANY_REQUESTS:
        time.sleep(int(response.headers["Retry-After"]))
    return _answer(response)


def _answer(response: httpx.Response) -> Any:
    if response.is_error:
        raise SystemExit(f"{response.request.method} {response.request.url}: {response.status_code} {response.text}")
    return response.json()


def _parallel(progress: Progress, description: str, jobs: list[Callable[[], T]]) -> list[T]:
    with ThreadPoolExecutor(_PARALLEL) as pool:
        results = pool.map(lambda job: job(), jobs)
        return list(progress.track(results, total=len(jobs), description=description))


def _progress(console: Console) -> Progress:
    columns = (TextColumn("{task.description:<32}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console)
