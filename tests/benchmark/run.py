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
from tests.benchmark.load import put_load
from tests.benchmark.results import keep
from tests.benchmark.revision import describe
from tests.benchmark.rounds import (
    COINS,
    Bench,
    Extent,
    Measure,
    Rounds,
    orders_of,
    reads_of,
    sign_ins_of,
    take_rounds,
)
from tests.benchmark.servers import Stack, memory_mib
from tests.benchmark.settling import (
    measure_completion,
    offer_coin,
    place_and_settle,
    settle_backlog,
    wait_until_settled,
)
from tests.benchmark.steady import place_steadily
from wallets.models import User
from wallets.runtime.paging import MAX_LIMIT
from wallets.runtime.progress import make_progress

_PRICE: Final = "4.00"
_PROCESSES: Final = ((1, 1), (2, 1), (4, 1), (2, 2), (2, 4))
_OF_PROCESSES: Final = (
    *("pgbench, 8 clients", "large order, 8 clients", "pgbench, 32 clients", "large order, 32 clients"),
    *("empty operation", "wallet"),
)
_FILLING: Final = 8  # clients of pgbench
_FULL_LOAD: Final = 32  # clients

_FULL: Final = Extent(
    rounds=5, seconds=3, customers=3000, earlier=10, backlog=20_000, steady={2: 50, 20: 20, 100: 10}
)  # fmt: skip
_QUICK: Final = Extent(rounds=1, seconds=1, customers=200, earlier=10, backlog=2_000, steady={2: 4, 20: 2, 100: 2})
_GROWTH: Final = replace(_FULL, seconds=2, customers=1000)
_AGAIN: Final = replace(_FULL, rounds=3)  # for the same measures under other conditions

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
    found |= {"rounds": {}, "window": [_count_recent(bench)]}
    for _ in take_rounds([bench], taken=[found["rounds"]], measures_of=orders_of, extent=bench.extent):
        found["window"][1:] = [_count_recent(bench)]
        yield


def _count_recent(bench: Bench) -> float:
    """Return how many orders of the last hour a customer has on average."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM trading_order WHERE created_at > now() - interval '1 hour'")
        count: int = cursor.fetchone()[0]
    return count / bench.customers.count


def _measure_reads(bench: Bench, found: Found) -> Iterator[None]:
    found["rounds"] = {}
    yield from take_rounds(
        [bench],
        taken=[found["rounds"]],
        measures_of=lambda bench: reads_of(bench) | sign_ins_of(bench),
        extent=bench.extent,
    )


def _measure_settling(bench: Bench, found: Found) -> Iterator[None]:
    found |= {"rounds": {}, "completion": {}, "memory": [_measure_memory(bench)]}
    yield from _complete(bench, found)
    yield from _sustain(bench, found)
    backlog = settle_backlog(
        stack=bench.stack,
        orders=bench.extent.backlog,
        script=bench.script("BULK"),
        coin=bench.coins["BULK"],
        other=bench.order("OTHER"),
    )
    found |= {"backlog": asdict(backlog), "memory": [*found["memory"], _measure_memory(bench)]}
    yield


def _complete(bench: Bench, found: Found) -> Iterator[None]:
    """Measure how soon orders are completed that come at a steady rate, scattered, and those of as many clients as can."""
    call, tokens = bench.order(), bench.customers.tokens.read_text().split()

    def place(rate: int, seconds: float) -> Callable[[], object]:
        return partial(
            place_steadily,
            url=bench.stack.url,
            tokens=tokens,
            body=call.bodies[0],
            orders=int(rate * seconds),
            rate=rate,
            scattered=True,
        )

    loads = {f"{rate} orders a second": place(rate, seconds) for rate, seconds in bench.extent.steady.items()}
    loads[f"{_FULL_LOAD} clients"] = partial(
        put_load, call=call, url=bench.stack.url, clients=_FULL_LOAD, seconds=bench.extent.seconds * 2
    )
    with make_progress(bench.console, width=30) as progress:
        for name, load in progress.track(loads.items(), total=len(loads), description="completion"):
            found["completion"][name] = asdict(measure_completion(stack=bench.stack, place=load))
            yield


def _sustain(bench: Bench, found: Found) -> Iterator[None]:
    """Measure placing without workers and placing with workers, alternately."""
    call, seconds = bench.order(), bench.extent.seconds * 2
    alone = bench.loading(call, clients=8)
    with make_progress(bench.console, width=30) as progress:
        for _ in progress.track(range(max(bench.extent.rounds // 2, 1)), description="placing while settling"):
            wait_until_settled(bench.stack)
            with bench.stack.without_workers():
                found["rounds"].setdefault("placed alone", []).append(alone(seconds))
            both = place_and_settle(stack=bench.stack, call=call, clients=8, seconds=seconds)
            found["rounds"].setdefault("placed and settled", []).append(asdict(both))
            yield


def _measure_memory(bench: Bench) -> dict[str, float]:
    """Return the MiB of the largest web process and of the largest worker."""
    return {
        "web": max(map(memory_mib, bench.stack.web_processes())),
        "worker": max(memory_mib(worker.pid) for worker in bench.stack.workers),
    }


def _measure_processes(bench: Bench, found: Found) -> Iterator[None]:
    """Take some of the measures with several numbers of processes."""
    for web, workers in _PROCESSES:
        bench.stack.start_web(processes=web)
        bench.stack.start_workers(count=workers)
        rounds: Rounds = {}
        found.setdefault("processes", {})[f"{web} web processes, {workers} workers"] = rounds
        again = replace(bench, extent=_AGAIN)
        for _ in take_rounds([again], taken=[rounds], measures_of=_measures_of_processes, extent=_AGAIN):
            yield
        yield from _sustain(again, {"rounds": rounds})


def _measures_of_processes(bench: Bench) -> dict[str, Measure]:
    every = orders_of(bench) | reads_of(bench)
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
