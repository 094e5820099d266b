"""Compare the processor time of an order with another revision's: this ratio is stable while rates drift.

On a shared machine the rate of the same code differs by a fifth from one hour to the next. The processor time of an
order can double as well, when other programs fill the caches and take the cores. But it doubles for both sides alike if
both work at the same time on the same core. The same code was compared with itself, in turns of a hundred orders, while
nine other programs wanted to run. The standard deviation of the ratio was 4.5 % with both sides at once on one core, and
13 % with both at once on two. One after the other, the sides gave 14 % on one core and 8 % on two.

So the processes of both sides run on one core, and in each turn their orders alternate: the same number of large orders
at the same rate, all of them settled. The rate matters: the more orders come, the more of them a worker buys at once. The
sides begin alternately.
"""

import argparse
import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from exchange_site.stack.processes import PROJECT
from tests.benchmark import cost_report, frozen, report
from tests.benchmark.load import BenchmarkFailed
from tests.benchmark.packages import python_of
from tests.benchmark.results import keep
from tests.benchmark.revision import checked_out, choose_revision, describe
from tests.benchmark.side import PARTS, Side, running_side
from tests.benchmark.steady import place_steadily
from tests.benchmark.still_postgres import StillPostgres, running_postgres, tidy
from tests.benchmark.turns import LARGE, in_turn, tell_log
from wallets.runtime.progress import make_progress


@dataclass(frozen=True, kw_only=True)
class Extent:
    """The size of a measurement. A round has `turns`; in a turn each side places `orders` at `rate` a second.

    No round begins after `seconds`, however slow the machine is.
    """

    rounds: int
    turns: int
    orders: int
    rate: float
    customers: int
    frozen_seconds: float
    seconds: float


_FULL: Final = Extent(rounds=12, turns=8, orders=100, rate=100, customers=500, frozen_seconds=3, seconds=300)
_QUICK: Final = Extent(rounds=3, turns=5, orders=100, rate=100, customers=100, frozen_seconds=2, seconds=45)


def run(*, folder: Path, options: argparse.Namespace, console: Console) -> None:
    """Measure the working tree beside a revision, print it, and keep it with --save."""
    extent = _QUICK if options.quick else _FULL
    revision, tree = options.cost or choose_revision(), folder / "tree"
    with ExitStack() as ending:
        ending.enter_context(checked_out(revision, into=tree))
        console.print(f"Starting both sides: the working tree, and {revision} …")
        python = python_of(tree)
        with _on_one_core():  # as what is started here will be
            ours = ending.enter_context(running_side(name="ours", tree=PROJECT, folder=folder / "ours"))
            theirs = ending.enter_context(
                running_side(name="theirs", tree=tree, folder=folder / "theirs", python=python)
            )
        postgres = ending.enter_context(running_postgres(folder / "frozen"))
        frozen.create_tables(postgres.environment)
        _prepare([ours, theirs], extent=extent, console=console)
        found: dict[str, Any] = {
            "ours": describe(PROJECT),
            "theirs": describe(tree),
            "extent": asdict(extent),
            "rounds": [],
        }
        _measure(ours, theirs, postgres, found=found, extent=extent, console=console)
    if options.save:
        report.save({"cost": found})


def _measure(
    ours: Side, theirs: Side, postgres: StillPostgres, *, found: dict[str, Any], extent: Extent, console: Console
) -> None:
    """Take the rounds and report them; when one fails, report those before it."""
    try:
        for taken in _take_rounds(ours, theirs, postgres, extent=extent, console=console):
            found["rounds"].append(taken)
            keep({"cost": found})
    finally:
        if found["rounds"]:
            cost_report.show(found, console=console)


@contextmanager
def _on_one_core() -> Iterator[None]:
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(cores)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def _prepare(sides: list[Side], *, extent: Extent, console: Console) -> None:
    """Open the accounts, and place orders that are not counted."""
    console.print(f"Opening {extent.customers} accounts on each …")
    for side in sides:
        side.open_accounts(count=extent.customers)
    for _ in range(2):
        take_turn(sides, orders=extent.orders, rate=extent.rate)


def _take_rounds(
    ours: Side, theirs: Side, postgres: StillPostgres, *, extent: Extent, console: Console
) -> Iterator[dict[str, Any]]:
    deadline = time.monotonic() + extent.seconds
    with make_progress(console) as progress:
        for number in progress.track(range(extent.rounds), description="rounds"):
            if time.monotonic() < deadline:
                taken = take_round(ours, theirs, extent=extent, number=number)
                yield {**taken, "frozen": _measure_frozen(postgres, seconds=extent.frozen_seconds)}
                tell_log(console, f"Round {number + 1} of {extent.rounds} is taken.")


def _measure_frozen(postgres: StillPostgres, *, seconds: float) -> dict[str, float]:
    return asdict(frozen.measure(environment=postgres.environment, pid=postgres.pid, seconds=seconds))


def take_round(ours: Side, theirs: Side, *, extent: Extent, number: int) -> dict[str, dict[str, float]]:
    """Take a round of turns. Return milliseconds of processor time per order, by side and part.

    Raises BenchmarkFailed when an order was not settled.
    """
    used = {side.name: Counter[str]() for side in (ours, theirs)}
    completed = {side.name: side.count_completed() for side in (ours, theirs)}
    for side in (ours, theirs):
        tidy(side.connection)
    for turn in range(extent.turns):
        sides = in_turn([ours, theirs], number=number + turn)
        for name, seconds in take_turn(sides, orders=extent.orders, rate=extent.rate).items():
            used[name].update(seconds)
    orders = extent.orders * extent.turns
    for side in (ours, theirs):
        if side.count_completed() - completed[side.name] != orders:
            raise BenchmarkFailed(f"{side.name}: not all of {orders} orders were completed")
    return {name: {part: taken * 1000 / orders for part, taken in parts.items()} for name, parts in used.items()}


def take_turn(sides: Sequence[Side], *, orders: int, rate: float) -> dict[str, dict[str, float]]:
    """Place and settle orders of all sides alternately. Return seconds of processor time, by side and part."""

    def place_and_settle(place: int) -> dict[str, float]:
        side = sides[place]
        time.sleep(place / len(sides) / rate)
        before = side.read_processor_seconds()
        place_steadily(url=side.url, tokens=side.tokens, body=LARGE, orders=orders, rate=rate)
        side.wait_until_settled()
        after = side.read_processor_seconds()
        return {part: after[part] - before[part] for part in PARTS}

    with ThreadPoolExecutor(len(sides)) as both:
        taken = both.map(place_and_settle, range(len(sides)))
    return {side.name: used for side, used in zip(sides, taken, strict=True)}
