"""Measure systems in turns of some seconds: the same load on each, one after the other, round after round.

Each system has servers of its own, so all their work belongs to it. Besides rates, each turn gives the processor time of
a request in the API, Postgres and Redis. Rates depend on what else the machine does, and processor time much less.

No worker runs while the load is on: orders are settled between the rounds.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, TypeVar

from rich.console import Console

from tests.benchmark.load import BenchmarkFailed, Call, put_load
from tests.benchmark.processor_time import read_seconds
from tests.benchmark.side import Side
from tests.benchmark.still_postgres import Connection, tidy
from wallets.runtime.progress import make_progress

LARGE: Final = '{"crypto": "ABAN", "amount": "3"}'  # at 20.00 each
TOKENS: Final = Path("tokens")
_PARTS: Final = ("API", "Postgres", "Redis")

T = TypeVar("T")
Turn = dict[str, Any]
Round = dict[str, dict[str, Turn]]
"""The turn of each measure and system."""


@dataclass(frozen=True, kw_only=True)
class Extent:
    """The size of a measurement: rounds, seconds of load in a turn, customers of each system.

    Each customer has `earlier` orders within the window of the risk rules when the measurement begins.
    """

    rounds: int
    seconds: float
    customers: int
    earlier: int = 0


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A load that is put on each system. The file of tokens is one below the system's folder."""

    name: str
    call: Call
    clients: int


@dataclass(frozen=True, kw_only=True)
class Contender:
    """One of the systems that are compared; all have the same paths. Its files of tokens are in `folder`."""

    name: str
    url: str
    folder: Path
    running: Mapping[str, int]
    connection: Connection

    def take_turn(self, measure: Measure, *, seconds: float) -> Turn:
        """Put the load of a measure on the system. Raises BenchmarkFailed."""
        assert measure.call.tokens is not None
        call = replace(measure.call, tokens=self.folder / measure.call.tokens)
        before = self._read_processor_seconds()
        load = put_load(call=call, url=self.url, clients=measure.clients, seconds=seconds)
        after = self._read_processor_seconds()
        if not load.requests:
            raise BenchmarkFailed(f"{self.name}: {call.path} was not answered within {seconds:.0f} s")
        used = {part: (after[part] - before[part]) * 1000 / load.requests for part in _PARTS}
        return {**asdict(load), "milliseconds": used}

    def _read_processor_seconds(self) -> dict[str, float]:
        return {part: read_seconds(pid=self.running[part]) for part in _PARTS}


Yardstick = Callable[[float], Turn]
"""A function that measures something else for the given number of seconds, once in a round."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The systems of a comparison, those that settle their orders between the rounds, and further measures."""

    contenders: Sequence[Contender]
    settling: Sequence[Side]
    measures: Sequence[Measure]
    yardsticks: Mapping[str, Yardstick]


def order(*, name: str, clients: int, bodies: tuple[str, ...] = (LARGE,), streak: int = 1) -> Measure:
    """Return the measure of orders."""
    call = Call(method="POST", path="/api/v1/orders/", bodies=bodies, tokens=TOKENS, streak=streak)
    return Measure(name=name, call=call, clients=clients)


def read(*, name: str, clients: int, path: str, tokens: Path = TOKENS) -> Measure:
    """Return the measure of a read."""
    return Measure(name=name, call=Call(method="GET", path=path, tokens=tokens), clients=clients)


def is_chosen(name: str, only: Sequence[str]) -> bool:
    """Say whether a measure's name contains one of the texts, or there are no texts."""
    return not only or any(text in name for text in only)


def side_as_contender(side: Side) -> Contender:
    return Contender(name=side.name, url=side.url, folder=side.folder, running=side.running, connection=side.connection)


def take_rounds(comparison: Comparison, *, extent: Extent, console: Console) -> Iterator[Round]:
    """Yield rounds of turns; one more, which only warms, goes before them."""
    turns = len(comparison.contenders) * len(comparison.measures) + len(comparison.yardsticks)
    with make_progress(console) as progress:
        task = progress.add_task("turns", total=turns * (extent.rounds + 1))
        for number in range(extent.rounds + 1):
            seconds = extent.seconds if number else max(extent.seconds // 2, 1)
            with _all_settled(comparison.settling):
                taken = take_round(comparison, number=number, seconds=seconds, advance=lambda: progress.advance(task))
            if number:
                tell_log(console, f"Round {number} of {extent.rounds} is taken.")
                yield taken


def tell_log(console: Console, text: str) -> None:
    """Print a text where no progress bar is shown, such as in a file."""
    if not console.is_terminal:
        console.print(text)


def take_round(
    comparison: Comparison, *, number: int, seconds: float, advance: Callable[[], None] = lambda: None
) -> Round:
    """Take the yardsticks, then each measure of all systems, one after the other; they begin alternately."""
    for contender in comparison.contenders:
        tidy(contender.connection)
    taken: Round = {}
    for name, yardstick in comparison.yardsticks.items():
        taken[name] = {"machine": yardstick(seconds)}
        advance()
    for measure in comparison.measures:
        taken[measure.name] = {}
        for contender in in_turn(comparison.contenders, number=number):
            taken[measure.name][contender.name] = contender.take_turn(measure, seconds=seconds)
            advance()
    return taken


def in_turn(each: Sequence[T], *, number: int) -> Sequence[T]:
    """Return the systems in the order of the turn with this number; they begin alternately."""
    return each[::-1] if number % 2 else each


@contextmanager
def _all_settled(sides: Iterable[Side]) -> Iterator[None]:
    """Wait until the sides have settled all orders, and stop their workers for the `with` block."""
    with ExitStack() as standing:
        for side in sides:
            side.wait_until_settled()
            standing.enter_context(side.without_worker())
        yield
