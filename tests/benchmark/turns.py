"""Take measures in turns of some seconds: the same load on each system, one after the other, round after round.

So what else the machine does meets all of them alike. What is compared stands side by side in a schedule, and whoever
begins alternates from round to round. The first round only warms.

No worker runs while the load is on: orders are settled between the rounds.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
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
HOT_STREAK: Final = 100  # orders of a customer: production's rule of 200 an hour holds more
TOKENS: Final = Path("tokens")
MACHINE: Final = "machine"
"""The system of a yardstick, which measures something beside the systems that are compared."""
_PARTS: Final = ("API", "Postgres", "Redis")

T = TypeVar("T")
Turn = dict[str, Any]
TakeTurn = Callable[[float], Turn]
"""A function that measures for the given number of seconds."""
Schedule = Mapping[str, Mapping[str, TakeTurn]]
"""How each measure is taken of each system."""
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


def take_rounds(
    schedule: Schedule, *, settled: Callable[[], AbstractContextManager[None]], extent: Extent, console: Console
) -> Iterator[Round]:
    """Yield the rounds; one more, which only warms, goes before them. Each is taken within `settled`."""
    turns = sum(map(len, schedule.values()))
    with make_progress(console) as progress:
        task = progress.add_task("turns", total=turns * (extent.rounds + 1))
        for number in range(extent.rounds + 1):
            seconds = extent.seconds if number else max(extent.seconds // 2, 1)
            with settled():
                taken = take_round(schedule, number=number, seconds=seconds, advance=lambda: progress.advance(task))
            if number:
                tell_log(console, f"Round {number} of {extent.rounds} is taken.")
                yield taken


def take_round(schedule: Schedule, *, number: int, seconds: float, advance: Callable[[], object]) -> Round:
    """Take all measures of all systems, one after another; every other round the other way round."""
    taken: Round = {name: {} for name in schedule}
    for name in in_turn(list(schedule), number=number):
        for system in in_turn(list(schedule[name]), number=number):
            taken[name][system] = schedule[name][system](seconds)
            advance()
    return taken


def in_turn(each: Sequence[T], *, number: int) -> Sequence[T]:
    """Return what takes turns in the order of the turn with this number: backwards in every other one."""
    return each[::-1] if number % 2 else each


def tell_log(console: Console, text: str) -> None:
    """Print a text where no progress bar is shown, such as in a file."""
    if not console.is_terminal:
        console.print(text)


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A load that is put on each system. The file of tokens is one below the system's folder.

    `yardstick` names what is measured beside it, once in a round.
    """

    name: str
    call: Call
    clients: int
    yardstick: str | None = None


@dataclass(frozen=True, kw_only=True)
class Contender:
    """One of the systems that are compared; all have the same paths. Its files of tokens are in `folder`."""

    name: str
    url: str
    folder: Path
    running: Mapping[str, int]
    connection: Connection

    def take_turn(self, measure: Measure, *, seconds: float) -> Turn:
        """Put the load of a measure on the system: rates, and milliseconds of processor a request in each of its parts.

        All work of its servers belongs to it. Processor time depends less than rates on what else the machine does.
        Raises BenchmarkFailed.
        """
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


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The systems of a comparison, those that settle their orders between the rounds, and the yardsticks by name."""

    contenders: Sequence[Contender]
    settling: Sequence[Side]
    measures: Sequence[Measure]
    yardsticks: Mapping[str, TakeTurn]

    def schedule(self) -> Schedule:
        """Return each measure of all systems; its yardstick, if it has one, stands next to it."""
        schedule: dict[str, Mapping[str, TakeTurn]] = {}
        for measure in self.measures:
            if measure.yardstick is not None:
                schedule.setdefault(measure.yardstick, {MACHINE: self.yardsticks[measure.yardstick]})
            schedule[measure.name] = {each.name: self._turn_of(each, measure) for each in self.contenders}
        return schedule

    def _turn_of(self, contender: Contender, measure: Measure) -> TakeTurn:
        return lambda seconds: contender.take_turn(measure, seconds=seconds)

    @contextmanager
    def settled(self) -> Iterator[None]:
        """Wait until all orders are settled, stop the workers for the `with` block, and tidy the databases."""
        with ExitStack() as standing:
            for side in self.settling:
                side.wait_until_settled()
                standing.enter_context(side.without_worker())
            for contender in self.contenders:
                tidy(contender.connection)
            yield


def order(
    *, name: str, clients: int, bodies: tuple[str, ...] = (LARGE,), streak: int = 1, yardstick: str | None = None
) -> Measure:
    """Return the measure of orders."""
    call = Call(method="POST", path="/api/v1/orders/", bodies=bodies, tokens=TOKENS, streak=streak)
    return Measure(name=name, call=call, clients=clients, yardstick=yardstick)


def read(*, name: str, clients: int, path: str, tokens: Path = TOKENS) -> Measure:
    """Return the measure of a read."""
    return Measure(name=name, call=Call(method="GET", path=path, tokens=tokens), clients=clients)


def side_as_contender(side: Side) -> Contender:
    return Contender(name=side.name, url=side.url, folder=side.folder, running=side.running, connection=side.connection)
