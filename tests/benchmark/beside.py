"""Measure a revision of the project beside the stand-in for the system that it replaces, in one run.

The same load is put on both in turns of some seconds: orders, then reads of the wallet, by 32 clients. Each has servers of
its own, so all their work belongs to one of them. Besides rates, each turn gives the processor time of a request in the
API, Postgres and Redis. Rates depend on what else the machine does, and processor time much less.

No worker runs while the load is on: ours settles between the rounds, and the stand-in only enqueues.
"""

import argparse
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from exchange_site.stack.processes import PROJECT
from tests.benchmark import beside_report, report
from tests.benchmark.load import BenchmarkFailed, Call, put_load
from tests.benchmark.packages import python_of
from tests.benchmark.processor_time import read_seconds
from tests.benchmark.replaced import Replaced, running_replaced
from tests.benchmark.revision import checked_out, describe
from tests.benchmark.side import Side, running_side
from tests.benchmark.still_postgres import Connection, tidy
from wallets.runtime.progress import make_progress

_PARTS: Final = ("API", "Postgres", "Redis")
_LARGE: Final = '{"crypto": "ABAN", "amount": "3"}'  # at 20.00 each on both sides
_WARM_SECONDS: Final = 5
# Each revision opens accounts with code of its own. Its benchmark is in the first of these packages, or was in the second.
_OPEN_ACCOUNTS: Final = """
import importlib, importlib.util, pathlib, sys
import django
django.setup()
package = next(package for package in ("tests", "exchange_site") if importlib.util.find_spec(f"{package}.benchmark"))
customers = importlib.import_module(f"{package}.benchmark.customers")
customers.open_accounts(count=int(sys.argv[1]), folder=pathlib.Path(sys.argv[2]))
"""


@dataclass(frozen=True, kw_only=True)
class Extent:
    """The size of a measurement: rounds, seconds of load in a turn, clients, and customers on each side."""

    rounds: int
    seconds: float
    clients: int
    customers: int


_FULL: Final = Extent(rounds=9, seconds=6, clients=32, customers=1000)
_QUICK: Final = Extent(rounds=5, seconds=3, clients=32, customers=300)


@dataclass(frozen=True, kw_only=True)
class Contender:
    """One of the two systems; both have the same paths."""

    name: str
    url: str
    tokens: Path
    running: Mapping[str, int]
    connection: Connection

    def measures(self) -> dict[str, Call]:
        """Return the load of each measure."""
        return {
            "orders": Call(method="POST", path="/api/v1/orders/", body=_LARGE, tokens=self.tokens),
            "wallet": Call(method="GET", path="/api/v1/accounts/wallet/", tokens=self.tokens),
        }

    def read_processor_seconds(self) -> dict[str, float]:
        return {part: read_seconds(pid=self.running[part]) for part in _PARTS}


def run(*, folder: Path, options: argparse.Namespace, console: Console) -> None:
    """Measure a revision, or the working tree, beside the stand-in; print the result, and keep it with --save."""
    extent = _QUICK if options.quick else _FULL
    with ExitStack() as ending:
        tree = _check_out(options.replaced, folder=folder, ending=ending)
        console.print(f"Starting revision {describe(tree)} and the stand-in, and opening {extent.customers} accounts …")
        side = running_side(name="ours", tree=tree, folder=folder / "ours", python=python_of(tree))
        ours = ending.enter_context(side)
        ours.run("-c", _OPEN_ACCOUNTS, str(extent.customers), str(ours.folder))
        replaced = ending.enter_context(running_replaced(folder=folder / "replaced", customers=extent.customers))
        rounds = _take_rounds(ours, replaced, extent=extent, console=console)
        found = {"ours": describe(tree), "cores": os.cpu_count(), "extent": asdict(extent), "rounds": rounds}
    beside_report.show(found, console=console)
    if options.save:
        report.save({"replaced": found})


def _check_out(revision: str, *, folder: Path, ending: ExitStack) -> Path:
    """Return the tree of a revision; without one, the working tree."""
    if not revision:
        return PROJECT
    ending.enter_context(checked_out(revision, into=folder / "tree"))
    return folder / "tree"


def _take_rounds(side: Side, replaced: Replaced, *, extent: Extent, console: Console) -> list[dict[str, Any]]:
    ours, theirs = _contenders(side, replaced)
    rounds = []
    with make_progress(console) as progress:
        for number in progress.track(range(extent.rounds + 1), description="rounds"):
            side.wait_until_settled()
            with _without_worker(side):
                seconds = extent.seconds if number else _WARM_SECONDS
                taken = take_round(ours, theirs, number=number, clients=extent.clients, seconds=seconds)
            rounds.append(taken)
    return rounds[1:]  # the first only warms


def _contenders(side: Side, replaced: Replaced) -> tuple[Contender, Contender]:
    return (
        Contender(
            name="ours",
            url=side.url,
            tokens=side.folder / "tokens",
            running=side.running,
            connection=side.connection,
        ),
        Contender(
            name="replaced",
            url=replaced.url,
            tokens=replaced.tokens,
            running=replaced.running,
            connection=replaced.connection,
        ),
    )


@contextmanager
def _without_worker(side: Side) -> Iterator[None]:
    side.stop_worker()
    try:
        yield
    finally:
        side.start_worker()


def take_round(ours: Contender, theirs: Contender, *, number: int, clients: int, seconds: float) -> dict[str, Any]:
    """Take each measure of both, one after the other; they begin alternately. Return a turn by measure and name."""
    contenders = (theirs, ours) if number % 2 else (ours, theirs)
    for contender in contenders:
        tidy(contender.connection)
    return {
        measure: {each.name: _take_turn(each, each.measures()[measure], clients, seconds) for each in contenders}
        for measure in ours.measures()
    }


def _take_turn(contender: Contender, call: Call, clients: int, seconds: float) -> dict[str, Any]:
    before = contender.read_processor_seconds()
    load = put_load(call=call, url=contender.url, clients=clients, seconds=seconds)
    after = contender.read_processor_seconds()
    if not load.requests:
        raise BenchmarkFailed(f"{contender.name}: {call.path} was not answered within {seconds:.0f} s")
    used = {part: (after[part] - before[part]) * 1000 / load.requests for part in _PARTS}
    return {**asdict(load), "milliseconds": used}
