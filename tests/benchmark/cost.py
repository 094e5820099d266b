"""The processor time of an order, compared with another revision. Unlike rates, this ratio does not drift.

On a shared machine, the rate of the same code differs by a fifth from one hour to the next. The processor time of an
order can double too, when other programs fill the caches and take the cores. But it doubles for both sides if their
turns are close together. With the same code on both sides, two cores and fourteen busy programs, the ratios of eight
rounds were 0.78 to 1.41 with turns of 750 orders, 0.92 to 1.20 with both sides measured at once, and 0.94 to 1.00 with
ten turns of 75 orders. So turns are short, and the side that begins changes from one pair of turns to the next.

A turn places a number of large orders at a fixed rate and settles all of them; the processor time of the side's
processes until then is measured. The rate must be equal on both sides: a worker looks for orders four times a second,
so at half the rate it would buy half as many orders at once.
"""

import argparse
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from exchange_site.stack.processes import PROJECT
from tests.benchmark import cost_report, frozen, report
from tests.benchmark.load import BenchmarkFailed
from tests.benchmark.revision import checked_out, choose_revision, describe
from tests.benchmark.side import PARTS, Side, running_side
from tests.benchmark.steady import place_steadily
from tests.benchmark.still_postgres import StillPostgres, running_postgres, tidy
from wallets.runtime.progress import make_progress

_LARGE: Final = '{"crypto": "ABAN", "amount": "3"}'  # 60.00 dollars at the seeder's price of 20.00


@dataclass(frozen=True, kw_only=True)
class Extent:
    """The size of a measurement: `rounds` of `turns` for each side, of `orders` at `rate` a second.

    No round begins after `seconds`, even on a slow machine.
    """

    rounds: int
    turns: int
    orders: int
    rate: float
    customers: int
    frozen_seconds: float
    seconds: float


_FULL: Final = Extent(rounds=12, turns=10, orders=100, rate=200, customers=50, frozen_seconds=3, seconds=330)
_QUICK: Final = Extent(rounds=3, turns=5, orders=100, rate=200, customers=10, frozen_seconds=2, seconds=50)


def run(*, folder: Path, options: argparse.Namespace, console: Console) -> None:
    """Compare the working tree with a revision, print the result, and save it with --save."""
    extent = _QUICK if options.quick else _FULL
    revision, tree = options.cost or choose_revision(), folder / "tree"
    with ExitStack() as ending:
        ending.enter_context(checked_out(revision, into=tree))
        console.print(f"Starting both sides: the working tree, and {revision} …")
        ours = ending.enter_context(running_side(name="ours", tree=PROJECT, folder=folder / "ours"))
        theirs = ending.enter_context(running_side(name="theirs", tree=tree, folder=folder / "theirs"))
        postgres = ending.enter_context(running_postgres(folder / "frozen"))
        frozen.create_tables(postgres.environment)
        _prepare([ours, theirs], extent=extent, console=console)
        revisions = {"ours": describe(PROJECT), "theirs": describe(tree)}
        rounds = _take_rounds(ours, theirs, postgres, extent=extent, console=console)
    found = {**revisions, "extent": asdict(extent), "rounds": rounds}
    cost_report.show(found, console=console)
    if options.save:
        report.save({"cost": found})


def _prepare(sides: list[Side], *, extent: Extent, console: Console) -> None:
    """Open accounts on both sides, and place orders to warm up."""
    console.print(f"Opening {extent.customers} accounts on each …")
    for side in sides:
        side.open_accounts(count=extent.customers)
        for _ in range(2):
            take_turn(side, orders=extent.orders, rate=extent.rate)


def _take_rounds(
    ours: Side, theirs: Side, postgres: StillPostgres, *, extent: Extent, console: Console
) -> list[dict[str, Any]]:
    rounds: list[dict[str, Any]] = []
    deadline = time.monotonic() + extent.seconds
    with make_progress(console) as progress:
        for number in progress.track(range(extent.rounds), description="rounds"):
            if time.monotonic() < deadline:
                taken = take_round(ours, theirs, extent=extent, number=number)
                rounds.append({**taken, "frozen": _measure_frozen(postgres, seconds=extent.frozen_seconds)})
    return rounds


def _measure_frozen(postgres: StillPostgres, *, seconds: float) -> dict[str, float]:
    return asdict(frozen.measure(environment=postgres.environment, pid=postgres.pid, seconds=seconds))


def take_round(ours: Side, theirs: Side, *, extent: Extent, number: int) -> dict[str, dict[str, float]]:
    """Give both sides their turns. Return the milliseconds of processor time for an order, by side and part.

    Raises BenchmarkFailed if an order was not settled.
    """
    used = {side.name: Counter[str]() for side in (ours, theirs)}
    completed = {side.name: side.count_completed() for side in (ours, theirs)}
    for side in (ours, theirs):
        tidy(side.connection)
    for turn in range(extent.turns):
        for side in in_turn(ours, theirs, number=number + turn):
            used[side.name].update(take_turn(side, orders=extent.orders, rate=extent.rate))
    orders = extent.orders * extent.turns
    for side in (ours, theirs):
        if side.count_completed() - completed[side.name] != orders:
            raise BenchmarkFailed(f"{side.name}: not all of {orders} orders were completed")
    return {name: {part: seconds * 1000 / orders for part, seconds in parts.items()} for name, parts in used.items()}


def in_turn(ours: Side, theirs: Side, *, number: int) -> tuple[Side, Side]:
    """Return both sides in the order of the turn with this number."""
    return (theirs, ours) if number % 2 else (ours, theirs)


def take_turn(side: Side, *, orders: int, rate: float) -> dict[str, float]:
    """Place orders and wait until they are settled. Return the seconds of processor time that each part took."""
    before = side.read_processor_seconds()
    place_steadily(url=side.url, tokens=side.tokens, body=_LARGE, orders=orders, rate=rate)
    side.wait_until_settled()
    after = side.read_processor_seconds()
    return {part: after[part] - before[part] for part in PARTS}
