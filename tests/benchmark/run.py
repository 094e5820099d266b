"""Run the benchmark in pieces of some minutes, each on servers of its own."""

import argparse
import os
import platform
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, replace
from functools import partial
from typing import Any, Final

from django.db import connection
from rich.console import Console

from exchange_site.stack.processes import PROJECT
from tests.benchmark import frozen, report
from tests.benchmark.customers import open_accounts
from tests.benchmark.growth import measure_growth
from tests.benchmark.limit import run_pgbench, spread_ids
from tests.benchmark.results import keep
from tests.benchmark.revision import describe
from tests.benchmark.rounds import (
    COINS,
    Bench,
    Extent,
    Measures,
    completions_of,
    orders_of,
    reads_of,
    sign_ins_of,
    sustained_of,
    take_rounds,
)
from tests.benchmark.servers import Stack, memory_mib
from tests.benchmark.settling import offer_coin, settle_backlog
from wallets.models import User
from wallets.runtime.paging import MAX_LIMIT

_PRICE: Final = "4.00"
_PROCESSES: Final = ((1, 1), (2, 1), (4, 1), (2, 2), (2, 4))
_OF_PROCESSES: Final = (
    *("pgbench, 8 clients", "large order, 8 clients", "pgbench, 32 clients", "large order, 32 clients"),
    *("empty operation", "wallet"),
)
_FILLING: Final = 8  # clients of pgbench

_FULL: Final = Extent(
    rounds=5, seconds=3, customers=3000, earlier=10, backlog=20_000, steady={2: 13, 20: 4, 100: 2}
)  # fmt: skip
_QUICK: Final = Extent(rounds=1, seconds=1, customers=200, earlier=10, backlog=2_000, steady={2: 4, 20: 2, 100: 2})
_GROWTH: Final = replace(_FULL, seconds=2, customers=1000)
_FEWER: Final = 3  # rounds of what takes long

Found = dict[str, Any]
Piece = Callable[[Bench, Found], Iterator[None]]
"""A function that measures into the given results, and yields when they are worth keeping."""


def run(*, stack: Stack, options: argparse.Namespace, console: Console) -> None:
    """Measure the chosen pieces, print the results, and save them with --save."""
    extent = _QUICK if options.quick else _GROWTH if options.growth else _FULL
    bench = _prepare(stack=stack, extent=extent, console=console)
    pieces: Found = {}
    if options.growth:
        history: Found = {}
        pieces["growth"] = {str(options.growth): history}
        _measure(bench, history, lambda: keep(pieces), partial(measure_growth, orders=options.growth))
    else:
        for name in options.part or USUAL:
            pieces[name] = {}
            _measure(bench, pieces[name], lambda: keep(pieces), PIECES[name])
    if options.save:
        report.save(pieces)


def _measure(bench: Bench, found: Found, keep_it: Callable[[], object], piece: Piece) -> None:
    """Measure a piece; what was measured before a failure is printed and kept."""
    found["machine"] = describe_machine()
    try:
        for _ in piece(bench, found):
            keep_it()
    finally:
        report.show(found, console=bench.console)
        for ended in bench.stack.revived:
            bench.console.print(f"[red]{ended}[/red]")


def _prepare(*, stack: Stack, extent: Extent, console: Console) -> Bench:
    """Open the accounts and start the API and a worker; new customers have orders in the last hour, and a few of them many."""
    console.print(f"Opening {extent.customers} accounts, starting the API and a worker …")
    is_new = not User.objects.exists()
    if is_new:
        spread_ids()
    coins = {name: offer_coin(name=name, price=_PRICE, venue=stack.venue) for name in COINS}
    customers = open_accounts(count=extent.customers, folder=stack.folder)
    frozen.create_tables(stack.postgres.environment)
    bench = Bench(stack=stack, extent=extent, customers=customers, coins=coins, console=console)
    if is_new:
        _fill(bench, orders=extent.earlier * extent.customers)
        _fill(replace(bench, customers=replace(customers, count=_FILLING)), orders=_FILLING * MAX_LIMIT * 5 // 4)
    stack.start_web(processes=2)
    stack.start_workers(count=1)
    return bench


def _fill(bench: Bench, *, orders: int) -> None:
    """Place about so many orders for the bench's customers."""
    script, environment = bench.script("ABAN"), bench.stack.environment
    run_pgbench(script=script, environment=environment, clients=_FILLING, transactions=orders / _FILLING)


def _measure_orders(bench: Bench, found: Found) -> Iterator[None]:
    found["window"] = [_count_recent(bench)]
    for _ in take_rounds({"rounds": bench}, found=found, measures_of=orders_of, extent=bench.extent):
        found["window"][1:] = [_count_recent(bench)]
        yield


def _count_recent(bench: Bench) -> float:
    """Return how many orders of the last hour a customer has on average."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM trading_order WHERE created_at > now() - interval '1 hour'")
        count: int = cursor.fetchone()[0]
    return count / bench.customers.count


def _measure_reads(bench: Bench, found: Found) -> Iterator[None]:
    def measures_of(bench: Bench) -> Measures:
        return {**reads_of(bench), **sign_ins_of(bench)}

    yield from take_rounds({"rounds": bench}, found=found, measures_of=measures_of, extent=bench.extent)


def _measure_settling(bench: Bench, found: Found) -> Iterator[None]:
    found["memory"] = [_measure_memory(bench)]
    fewer = replace(bench.extent, rounds=min(bench.extent.rounds, _FEWER))
    yield from take_rounds(
        {"completion": bench}, found=found, measures_of=completions_of, extent=fewer, while_settling=True
    )
    yield from _sustain({"rounds": bench}, found, extent=bench.extent)
    backlog = settle_backlog(
        stack=bench.stack,
        orders=bench.extent.backlog,
        script=bench.script("BULK"),
        coin=bench.coins["BULK"],
        other=bench.order("OTHER"),
    )
    found |= {"backlog": asdict(backlog), "memory": [*found["memory"], _measure_memory(bench)]}
    yield


def _sustain(benches: Mapping[str, Bench], found: Found, *, extent: Extent) -> Iterator[None]:
    """Measure placing without workers and placing with workers, in longer turns."""
    longer = replace(extent, seconds=extent.seconds * 2)
    return take_rounds(benches, found=found, measures_of=sustained_of, extent=longer, while_settling=True)


def _measure_memory(bench: Bench) -> dict[str, float]:
    """Return the MiB of the largest web process and of the largest worker."""
    return {
        "web": max(map(memory_mib, bench.stack.web_processes())),
        "worker": max(memory_mib(worker.pid) for worker in bench.stack.workers),
    }


def _measure_processes(bench: Bench, found: Found) -> Iterator[None]:
    """Take some of the measures with several numbers of processes."""
    found["processes"] = {}
    extent = replace(bench.extent, rounds=min(bench.extent.rounds, _FEWER), seconds=min(bench.extent.seconds, 2))
    for web, workers in _PROCESSES:
        bench.stack.start_web(processes=web)
        bench.stack.start_workers(count=workers)
        benches = {f"{web} web processes, {workers} workers": bench}
        yield from take_rounds(benches, found=found["processes"], measures_of=_measures_of_processes, extent=extent)
        yield from _sustain(benches, found["processes"], extent=extent)


def _measures_of_processes(bench: Bench) -> Measures:
    every = {**orders_of(bench), **reads_of(bench)}
    return {name: every[name] for name in _OF_PROCESSES}


def describe_machine() -> dict[str, str]:
    """Return what the figures depend on."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version")
        postgres = cursor.fetchone()[0]
    return {
        "cores": str(os.cpu_count()),
        "python": platform.python_version(),
        "postgres": postgres.split()[0],
        "revision": describe(PROJECT),
    }


USUAL: Final = ("orders", "reads", "settling")
PIECES: Final[Mapping[str, Piece]] = {
    "orders": _measure_orders,
    "reads": _measure_reads,
    "settling": _measure_settling,
    "processes": _measure_processes,
}
