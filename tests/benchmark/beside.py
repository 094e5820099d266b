"""Measure a revision of the project beside another system in one run: the stand-in for the system that it replaces, or an
earlier revision. See `turns.py` for how.
"""

import argparse
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from exchange_site.stack.processes import PROJECT
from tests.benchmark import frozen, report, turns_report
from tests.benchmark.load import BenchmarkFailed
from tests.benchmark.packages import python_of
from tests.benchmark.replaced import Replaced, running_replaced
from tests.benchmark.results import keep
from tests.benchmark.revision import checked_out, describe
from tests.benchmark.side import Side, running_side
from tests.benchmark.still_postgres import running_postgres
from tests.benchmark.turns import (
    HOT_STREAK,
    Comparison,
    Contender,
    Extent,
    Measure,
    order,
    read,
    side_as_contender,
    take_rounds,
)

REPLACED: Final = (
    order(name="orders", clients=32),
    read(name="wallet", clients=32, path="/api/v1/accounts/wallet/"),
)
_SEVERAL: Final = (
    '{"crypto": "ABAN", "amount": "3"}',
    '{"crypto": "BTC", "amount": "0.001"}',
    '{"crypto": "ETH", "amount": "0.02"}',
    '{"crypto": "SOL", "amount": "0.4"}',
)
BEFORE: Final = (
    order(name="large order, 8 clients", clients=8, yardstick="frozen script, 8 clients"),
    order(name="large order, 32 clients", clients=32, yardstick="frozen script, 32 clients"),
    order(name="large order, 64 clients", clients=64, yardstick="frozen script, 32 clients"),
    order(name="large order, hot wallet", clients=8, streak=HOT_STREAK, yardstick="frozen script, hot wallet"),
    order(name="large orders of several coins", clients=32, bodies=_SEVERAL),
    read(name="wallet", clients=8, path="/api/v1/accounts/wallet/"),
    read(name="order list of 200", clients=8, path="/api/v1/orders/?limit=200", tokens=Path("readers")),
)
_REPLACED_FULL: Final = Extent(rounds=9, seconds=6, customers=1000)
_REPLACED_QUICK: Final = Extent(rounds=5, seconds=3, customers=300)
_BEFORE_FULL: Final = Extent(rounds=5, seconds=3, customers=1000, earlier=10)
_BEFORE_QUICK: Final = Extent(rounds=1, seconds=2, customers=200, earlier=10)


def run_beside_replaced(*, folder: Path, options: argparse.Namespace, console: Console) -> None:
    """Measure a revision, or the working tree, beside the stand-in; print the result, and keep it with --save."""
    extent = _REPLACED_QUICK if options.quick else _REPLACED_FULL
    with ExitStack() as ending:
        tree = _check_out(options.replaced, folder=folder, ending=ending)
        console.print(f"Starting revision {describe(tree)} and the stand-in, and opening {extent.customers} accounts …")
        ours = ending.enter_context(_running(tree, name="ours", folder=folder))
        ours.open_accounts(count=extent.customers)
        replaced = ending.enter_context(running_replaced(folder=folder / "replaced", customers=extent.customers))
        comparison = Comparison(
            contenders=[side_as_contender(ours), stand_in_as_contender(replaced)],
            settling=[ours],
            measures=choose(REPLACED, options.only),
            yardsticks={},
        )
        found = {"ours": describe(tree), "other": "replaced", "theirs": "the stand-in for the replaced system"}
        measure(comparison, "replaced", found=found, extent=extent, options=options, console=console)


def run_beside_before(*, folder: Path, options: argparse.Namespace, console: Console) -> None:
    """Measure the working tree beside a revision; print the result, and keep it with --save."""
    extent = _BEFORE_QUICK if options.quick else _BEFORE_FULL
    with ExitStack() as ending:
        tree = _check_out(options.before, folder=folder, ending=ending)
        found = {"ours": describe(PROJECT), "other": "before", "theirs": describe(tree)}
        console.print(
            f"Starting both sides: {found['ours']} and, before it, {found['theirs']}. Opening {extent.customers} accounts on "
            f"each, with {extent.earlier} orders each in the last hour …"
        )
        sides = [
            ending.enter_context(_running(each, name=name, folder=folder))
            for name, each in (("ours", PROJECT), ("before", tree))
        ]
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda side: side.prepare_customers(count=extent.customers, earlier=extent.earlier), sides))
        postgres = ending.enter_context(running_postgres(folder / "frozen"))
        frozen.create_tables(postgres.environment)
        comparison = Comparison(
            contenders=list(map(side_as_contender, sides)),
            settling=sides,
            measures=choose(BEFORE, options.only),
            yardsticks={name: frozen.yardstick(postgres=postgres, **how) for name, how in frozen.MEASURES.items()},
        )
        measure(comparison, "before", found=found, extent=extent, options=options, console=console)


def _check_out(revision: str, *, folder: Path, ending: ExitStack) -> Path:
    """Return the tree of a revision; without one, the working tree."""
    if not revision:
        return PROJECT
    ending.enter_context(checked_out(revision, into=folder / "tree"))
    return folder / "tree"


def _running(tree: Path, *, name: str, folder: Path) -> AbstractContextManager[Side]:
    return running_side(name=name, tree=tree, folder=folder / name, python=python_of(tree))


def stand_in_as_contender(replaced: Replaced) -> Contender:
    return Contender(
        name="replaced",
        url=replaced.url,
        folder=replaced.tokens.parent,
        running=replaced.running,
        connection=replaced.connection,
    )


def measure(
    comparison: Comparison,
    kind: str,
    *,
    found: dict[str, Any],
    extent: Extent,
    options: argparse.Namespace,
    console: Console,
) -> None:
    """Take the rounds and report them; when one fails, report those before it."""
    found |= {"cores": os.cpu_count(), "extent": asdict(extent), "rounds": []}
    try:
        schedule = comparison.schedule()
        for taken in take_rounds(schedule, settled=comparison.settled, extent=extent, console=console):
            found["rounds"].append(taken)
            keep({kind: found})
    finally:
        if found["rounds"]:
            turns_report.show(found, console=console)
    if options.save:
        report.save({kind: found})


def choose(measures: Sequence[Measure], only: Sequence[str]) -> list[Measure]:
    """Return the measures whose names contain one of the texts, if there are any texts. Raises BenchmarkFailed."""
    chosen = [measure for measure in measures if not only or any(text in measure.name for text in only)]
    if not chosen:
        raise BenchmarkFailed("There is no such measure. There are: " + "; ".join(each.name for each in measures))
    return chosen
