"""Run the benchmark. The measures alternate in rounds, so that background load affects all equally."""

import argparse
import os
import platform
import subprocess
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any, Final

from django.db import connection
from django.utils import timezone
from rich.console import Console

from tests.benchmark import report
from tests.benchmark.customers import NOBODY, PASSWORD, Customers, open_accounts
from tests.benchmark.flood import read_during_flood
from tests.benchmark.history import write_settled_orders
from tests.benchmark.limit import run_pgbench, spread_ids, write_script
from tests.benchmark.load import Call, put_load
from tests.benchmark.servers import Stack, memory_mib
from tests.benchmark.settling import offer_coin, place_and_settle, settle_backlog, wait_until_settled
from trading.models import Coin
from wallets.runtime.progress import make_progress

_COINS: Final = ("ABAN", "POOL", "BULK", "OTHER")
_PRICE: Final = "4.00"
_LARGE: Final = '{"crypto": "ABAN", "amount": "3"}'
_SMALL: Final = '{"crypto": "POOL", "amount": "0.5"}'
_OTHER: Final = '{"crypto": "OTHER", "amount": "3"}'
_SIGN_IN: Final = f'{{"username": "{NOBODY}", "password": "{PASSWORD}"}}'
_HISTORIES: Final = (1_000_000, 5_000_000)
_PROCESSES: Final = ((1, 1), (2, 1), (4, 1), (2, 2), (2, 4))
_OF_PROCESSES: Final = frozenset(
    {"pgbench, 8 clients", "pgbench, 32 clients", "large order, 8 clients", "large order, 32 clients"}
    | {"empty operation", "wallet"}
)

Round = dict[str, Any]
Measure = Callable[[float], Round]
"""A function that measures for the given number of seconds."""


@dataclass(frozen=True, kw_only=True)
class Extent:
    """The size of a benchmark: rounds, seconds per measure, customers, and the orders of the backlog."""

    rounds: int
    seconds: float
    customers: int
    backlog: int


_FULL: Final = Extent(rounds=5, seconds=5, customers=1000, backlog=20_000)
_AGAIN: Final = Extent(rounds=5, seconds=3, customers=1000, backlog=0)  # for the same measures under other conditions
_QUICK: Final = Extent(rounds=1, seconds=2, customers=200, backlog=5_000)


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Everything that a measurement needs."""

    stack: Stack
    extent: Extent
    customers: Customers
    coins: Mapping[str, Coin]
    console: Console

    def order(self, body: str, **how: Any) -> Call:
        return Call(method="POST", path="/api/v1/orders/", body=body, **{"tokens": self.customers.tokens, **how})

    def read(self, path: str, *, anonymous: bool = False) -> Call:
        return Call(method="GET", path=path, tokens=None if anonymous else self.customers.tokens)

    def script(self, coin: str, *, hot: bool = False) -> Path:
        place = self.stack.folder / f"{coin}{'-hot' if hot else ''}.sql"
        return write_script(customers=self.customers, coin=coin, hot=hot, into=place)


def run(*, stack: Stack, options: argparse.Namespace, console: Console) -> None:
    """Measure as the options say, print the results, and save them with --save."""
    bench = _prepare(stack=stack, extent=_QUICK if options.quick else _FULL, console=console)
    found: dict[str, Any] = {"machine": _describe_machine()}
    try:
        found.update(_measure(bench, options))
    finally:  # earlier measurements survive a later failure
        report.show(found, console=console)
        for ended in stack.revived:
            console.print(f"[red]{ended}[/red]")
    if options.save:
        report.save(found)


def _measure(bench: Bench, options: argparse.Namespace) -> Iterator[tuple[str, Any]]:
    if options.processes:
        yield "processes", [_measure_processes(bench, web=web, workers=workers) for web, workers in _PROCESSES]
    if options.growth:
        yield "growth", _measure_growth(bench)
    if not options.processes and not options.growth:
        yield "main", _measure_everything(bench)


def _prepare(*, stack: Stack, extent: Extent, console: Console) -> Bench:
    console.print(f"Opening {extent.customers} accounts, starting the API and a worker …")
    spread_ids()
    coins = {name: offer_coin(name=name, price=_PRICE, venue=stack.venue) for name in _COINS}
    customers = open_accounts(count=extent.customers, folder=stack.folder)
    stack.start_web(processes=2)
    stack.start_workers(count=1)
    return Bench(stack=stack, extent=extent, customers=customers, coins=coins, console=console)


def _measure_everything(bench: Bench) -> dict[str, Any]:
    memory = [_measure_memory(bench)]
    [rounds] = _take_rounds([bench], extent=bench.extent)
    with _progress(bench.console, "orders settle as they come", total=1):
        rounds |= _take_sustained(bench)
    with _progress(bench.console, f"{bench.extent.backlog} orders that waited are settled", total=1):
        backlog = settle_backlog(
            stack=bench.stack,
            orders=bench.extent.backlog,
            script=bench.script("BULK"),
            coin=bench.coins["BULK"],
            other=bench.order(_OTHER),
        )
    memory.append(_measure_memory(bench))
    return {"rounds": rounds, "backlog": asdict(backlog), "memory": memory}


def _limits(bench: Bench) -> dict[str, Measure]:
    many, hot = bench.script("ABAN"), bench.script("ABAN", hot=True)
    environment = bench.stack.environment

    def measure(script: Path, clients: int) -> Measure:
        return lambda seconds: {
            "rate": run_pgbench(script=script, environment=environment, clients=clients, seconds=seconds)
        }

    return {
        "pgbench, 8 clients": measure(many, 8),
        "pgbench, 32 clients": measure(many, 32),
        "pgbench, hot wallet": measure(hot, 8),
    }


def _orders(bench: Bench) -> dict[str, Measure]:
    hot = bench.order(_LARGE, tokens=bench.customers.hot_token)
    return {
        "large order, 8 clients": _loading(bench, bench.order(_LARGE), clients=8),
        "large order, 32 clients": _loading(bench, bench.order(_LARGE), clients=32),
        "large order, hot wallet": _loading(bench, hot, clients=8),
        "large order with a key": _loading(bench, bench.order(_LARGE, keyed=True), clients=8),
        "small order": _loading(bench, bench.order(_SMALL), clients=8),
    }


def _reads(bench: Bench) -> dict[str, Measure]:
    sign_in = Call(method="POST", path="/api/v1/accounts/auth/login/", body=_SIGN_IN)
    return {
        "empty operation": _loading(bench, bench.read("/api/benchmark/empty/", anonymous=True), clients=8),
        "wallet": _loading(bench, bench.read("/api/v1/accounts/wallet/"), clients=8),
        "coin list": _loading(bench, bench.read("/api/v1/exchanges/crypto-currencies/", anonymous=True), clients=8),
        "order list": _loading(bench, bench.read("/api/v1/orders/"), clients=8),
        "sign-in": _loading(bench, sign_in, clients=1),
        "wallet, sign-ins beside it": lambda seconds: read_during_flood(
            call=bench.read("/api/v1/accounts/wallet/"),
            url=bench.stack.url,
            clients=8,
            seconds=seconds,
            username=NOBODY,
            password=PASSWORD,
        ),
    }


def _loading(bench: Bench, call: Call, *, clients: int) -> Measure:
    return lambda seconds: asdict(put_load(call=call, url=bench.stack.url, clients=clients, seconds=seconds))


def _take_rounds(
    benches: Sequence[Bench], *, extent: Extent, only: Callable[[str], bool] = bool
) -> list[dict[str, list[Round]]]:
    """Take each measure of each bench, one after another, round after round.

    The workers are stopped during a round, and settle the orders between rounds.
    """
    sides = []
    for bench in benches:
        with _looking_at(bench.stack):
            sides.append({**_limits(bench), **_orders(bench), **_reads(bench)})
    names = [name for name in sides[0] if only(name)]
    taken: list[dict[str, list[Round]]] = [{name: [] for name in names} for _ in benches]
    for name, side in product(names, sides):
        side[name](1)  # warm
    with _progress(benches[0].console, "rounds", total=extent.rounds * len(names) * len(sides)) as advance:
        for _ in range(extent.rounds):
            with ExitStack() as standing:
                for bench in benches:
                    with _looking_at(bench.stack):
                        wait_until_settled(bench.stack)
                    standing.enter_context(bench.stack.without_workers())
                for name, (side, rounds) in product(names, zip(sides, taken, strict=True)):
                    rounds[name].append(side[name](extent.seconds))
                    advance()
    return taken


@contextmanager
def _looking_at(stack: Stack) -> Iterator[None]:
    """Connect Django's models in this process to the database of `stack`."""
    before, wanted = connection.settings_dict["NAME"], stack.environment["POSTGRES_DB"]
    _point_to(wanted)
    try:
        yield
    finally:
        _point_to(before)


def _point_to(database: str) -> None:
    if connection.settings_dict["NAME"] != database:
        _let_go_of_the_database()
        connection.settings_dict["NAME"] = database


def _let_go_of_the_database() -> None:
    connection.close()
    connection.close_pool()  # type: ignore[attr-defined]  # of Postgres


def _take_sustained(bench: Bench) -> dict[str, list[Round]]:
    """Measure placing without workers and placing with workers, alternately."""
    taken: dict[str, list[Round]] = {"placed alone": [], "placed and settled": []}
    call, seconds = bench.order(_LARGE), bench.extent.seconds * 2
    for _ in range(max(bench.extent.rounds // 2, 1)):
        wait_until_settled(bench.stack)
        with bench.stack.without_workers():
            alone = put_load(call=call, url=bench.stack.url, clients=8, seconds=seconds)
        taken["placed alone"].append(asdict(alone))
        both = place_and_settle(stack=bench.stack, call=call, clients=8, seconds=seconds)
        taken["placed and settled"].append(asdict(both))
    return taken


def _measure_memory(bench: Bench) -> dict[str, float]:
    """Return the MiB of the largest web process and of the largest worker."""
    return {
        "web": max(map(memory_mib, bench.stack.web_processes())),
        "worker": max(memory_mib(worker.pid) for worker in bench.stack.workers),
    }


def _measure_growth(bench: Bench) -> list[dict[str, Any]]:
    """Take rounds alternately on a database with a long history and on a database without."""
    wait_until_settled(bench.stack)
    with bench.stack.without_workers():
        _let_go_of_the_database()
        grown = replace(bench, stack=bench.stack.copy("grown"))
    try:
        for one in (bench, grown):
            one.stack.start_web(processes=2)
        grown.stack.start_workers(count=1)
        return [_measure_after(bench, grown, orders=orders) for orders in _HISTORIES]
    finally:
        grown.stack.end()


def _measure_after(bench: Bench, grown: Bench, *, orders: int) -> dict[str, Any]:
    """Write history until there are `orders` orders, and compare."""
    with _looking_at(grown.stack):
        wait_until_settled(grown.stack)
        with grown.stack.without_workers():
            deque(write_settled_orders(orders=orders - _count_orders(), now=timezone.now()), maxlen=0)
    # No sign-ins: passwords that are still being hashed after one side's measure would slow the other side's measure.
    without, rounds = _take_rounds([bench, grown], extent=_AGAIN, only=lambda name: "sign-in" not in name)
    return {"orders": orders, "rounds": rounds, "without": without}


def _count_orders() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM trading_order")
        count: int = cursor.fetchone()[0]
    return count


def _measure_processes(bench: Bench, *, web: int, workers: int) -> dict[str, Any]:
    bench.stack.start_web(processes=web)
    bench.stack.start_workers(count=workers)
    again = replace(bench, extent=_AGAIN)
    [rounds] = _take_rounds([again], extent=_AGAIN, only=_OF_PROCESSES.__contains__)
    return {"web": web, "workers": workers, "rounds": rounds | _take_sustained(again)}


@contextmanager
def _progress(console: Console, what: str, *, total: int) -> Iterator[Callable[[], None]]:
    with make_progress(console) as progress:
        task = progress.add_task(what, total=total)
        yield lambda: progress.advance(task)
        progress.update(task, completed=total)


def _describe_machine() -> dict[str, str]:
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version")
        postgres = cursor.fetchone()[0]
    revision = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        capture_output=True,
        text=True,
        check=False,
    )
    return {
        "cores": str(os.cpu_count()),
        "python": platform.python_version(),
        "postgres": postgres.split()[0],
        "revision": revision.stdout.strip(),
    }
