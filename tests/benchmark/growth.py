"""Compare a database with a long history of orders with a copy without: `task bench -- --growth ORDERS`.

Both databases stay below DATA_DIR. So the history is written in pieces of some minutes, by repeating the command, and the
history of five million orders goes on from that of one million.
"""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any, Final

from django.db import connection
from django.utils import timezone

from tests.benchmark.customers import open_accounts
from tests.benchmark.history import write_settled_orders
from tests.benchmark.load import BenchmarkFailed
from tests.benchmark.rounds import Bench, Measures, close_connections, looking_at, orders_of, reads_of, take_rounds
from tests.benchmark.servers import running_copy
from tests.benchmark.settling import wait_until_settled
from wallets.runtime.progress import make_progress

_WRITE_SECONDS: Final = 300.0
_LONG_SECONDS: Final = 60.0
_MEASURES: Final = (
    *("large order, 8 clients", "large order, 32 clients", "large order, hot wallet", "small order"),
    *("wallet", "coin list", "order list", "order list of 200"),
)


def measure_growth(bench: Bench, found: dict[str, Any], *, orders: int) -> Iterator[None]:
    """Write history until there are `orders` orders, and compare. Raises BenchmarkFailed when time is up before."""
    wait_until_settled(bench.stack)
    with ExitStack() as ending:
        with bench.stack.without_workers():
            close_connections()
            copy = ending.enter_context(running_copy(bench.stack, name="grown"))
        bench.stack.start_web(processes=2)
        with looking_at(copy):
            write_history(bench, orders=orders)
            customers = open_accounts(count=bench.extent.customers, folder=copy.folder)  # tokens of this database
        copy.start_web(processes=2)
        copy.start_workers(count=1)
        found["orders"] = orders
        benches = {"without": bench, "rounds": replace(bench, stack=copy, customers=customers)}
        yield from take_rounds(benches, found=found, measures_of=_measures_of, extent=bench.extent)


def _measures_of(bench: Bench) -> Measures:
    """Return measures without sign-ins: passwords that are still being hashed after one side's turn would slow the other's."""
    every = {**orders_of(bench), **reads_of(bench)}
    return {name: every[name] for name in _MEASURES}


def write_history(bench: Bench, *, orders: int) -> None:
    """Write history for some minutes at most. Raises BenchmarkFailed if it or the measurement has to wait for a repetition."""
    begun, there = time.monotonic(), _count_orders()
    if there >= orders:
        return
    with make_progress(bench.console) as progress:
        task = progress.add_task("history", total=orders, completed=there)
        for written in write_settled_orders(orders=orders - there, now=timezone.now()):
            there += written
            progress.update(task, completed=there)
            if there < orders and time.monotonic() - begun > _WRITE_SECONDS:
                raise BenchmarkFailed(f"{there:,} of {orders:,} orders are written. Repeat the command to go on.")
    if time.monotonic() - begun > _LONG_SECONDS:
        raise BenchmarkFailed(f"{there:,} orders are written. Repeat the command to measure.")


def _count_orders() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM trading_order")
        count: int = cursor.fetchone()[0]
    return count
