"""What is to be reached: ratios of figures that were measured close together, in the same round, and times to completion."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Final


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A figure of a turn: `rate`, `p50_ms`, or the milliseconds of processor in a part, such as `API`."""

    measure: str
    system: str
    name: str = "rate"

    def is_in(self, taken: dict[str, Any]) -> bool:
        return self.system in taken.get(self.measure, {})

    def read(self, taken: dict[str, Any]) -> float:
        turn = taken[self.measure][self.system]
        value: float = turn["milliseconds"][self.name] if self.name in turn["milliseconds"] else turn[self.name]
        return value


@dataclass(frozen=True, kw_only=True)
class Spread:
    """The median, the lowest and the highest of the rounds' figures."""

    middle: float
    lowest: float
    highest: float

    def __str__(self) -> str:
        return f"{self.middle:.2f} ({self.lowest:.2f} to {self.highest:.2f})"


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """The figure that must be reached, and the one that is aimed at. If `lower`, they are the highest that are accepted."""

    must: float | None = None
    aim: float | None = None
    lower: bool = False

    def judge(self, figure: float) -> str:
        """Return the verdict on a figure; empty if nothing is wanted."""
        if self.aim is not None and self._reaches(figure, self.aim):
            return "aim reached"
        if self.must is None:
            return "" if self.aim is None else "aim not reached"
        return "reached" if self._reaches(figure, self.must) else "missed"

    def cells(self, figure: float) -> tuple[str, str, str]:
        """Return the cells of a table: what must be reached, what is aimed at, the verdict."""
        must, aim = ("" if wanted is None else f"{wanted:.2f}" for wanted in (self.must, self.aim))
        return must, aim, self.judge(figure)

    def _reaches(self, figure: float, wanted: float) -> bool:
        return figure <= wanted if self.lower else figure >= wanted


LARGE_ORDERS: Final[Mapping[str, Wanted]] = {
    "8 clients": Wanted(aim=0.5),
    "32 clients": Wanted(must=0.48, aim=1.0),
    "64 clients": Wanted(must=0.5, aim=1.0),
    "hot wallet": Wanted(must=0.55, aim=1.0),
}
"""Of the rates of large orders, divided by the frozen script's."""
SETTLED_MEANWHILE: Final = Wanted(must=0.85, aim=1.0)
"""Of the rate of placing orders while a worker settles them, divided by the rate without a worker."""
WITH_HISTORY: Final = Wanted(must=0.9, aim=1.0)
"""Of all rates with a long history, divided by those without."""
COMPLETION: Final[Mapping[str, Mapping[str, Wanted]]] = {
    "2 orders a second": {
        "median_seconds": Wanted(must=0.25, aim=0.1, lower=True),
        "p99_seconds": Wanted(must=0.5, aim=0.3, lower=True),
    }
}
"""Of the seconds from placed to completed."""


@dataclass(frozen=True, kw_only=True)
class Goal:
    """A ratio of two figures, and what is wanted of it."""

    name: str
    top: Figure
    bottom: Figure
    wanted: Wanted


def _of_frozen(orders: str, frozen: str) -> Goal:
    return Goal(
        name=f"large order, {orders} ÷ frozen script, {frozen}",
        top=Figure(measure=f"large order, {orders}", system="ours"),
        bottom=Figure(measure=f"frozen script, {frozen}", system="machine"),
        wanted=LARGE_ORDERS[orders],
    )


def _of_other(measure: str, other: str, wanted: Wanted, *, figure: str = "rate") -> Goal:
    named = {"rate": "", "p50_ms": ": p50"}.get(figure, f": processor ms of {figure}")
    top, bottom = (Figure(measure=measure, system=system, name=figure) for system in ("ours", other))
    return Goal(name=f"{measure}{named} ÷ {other}", top=top, bottom=bottom, wanted=wanted)


GOALS: Final = (
    _of_frozen("32 clients", "32 clients"),
    _of_frozen("64 clients", "32 clients"),
    _of_frozen("8 clients", "8 clients"),
    _of_other("large order, 8 clients", "before", Wanted(must=1.0)),
    _of_other("large order, 8 clients", "before", Wanted(must=1.0, lower=True), figure="p50_ms"),
    _of_frozen("hot wallet", "hot wallet"),
    _of_other("large order, 32 clients", "before", Wanted(must=0.4, aim=0.25, lower=True), figure="Postgres"),
    _of_other("large order, 32 clients", "before", Wanted(must=0.8, aim=0.5, lower=True), figure="API"),
    _of_other("order list of 200", "before", Wanted(must=2.5, aim=4.0)),
    _of_other("orders", "replaced", Wanted(must=3.0, aim=5.0)),
    _of_other("wallet", "replaced", Wanted(must=2.5, aim=4.0)),
)


def spread(figures: Iterable[float]) -> Spread:
    """Return the median, the lowest and the highest of some figures."""
    ordered = sorted(figures)
    return Spread(middle=median(ordered), lowest=ordered[0], highest=ordered[-1])


def compare(rounds: Sequence[dict[str, Any]], *, top: Figure, bottom: Figure) -> Spread:
    """Return the ratio of two figures: within a round both were measured close together in time."""
    return spread(top.read(taken) / bottom.read(taken) for taken in rounds)


def goal_rows(rounds: Sequence[dict[str, Any]]) -> Iterator[tuple[str, ...]]:
    """Yield a row for each goal whose figures were measured."""
    for goal in GOALS:
        if goal.top.is_in(rounds[0]) and goal.bottom.is_in(rounds[0]):
            ratio = compare(rounds, top=goal.top, bottom=goal.bottom)
            yield goal.name, str(ratio), *goal.wanted.cells(ratio.middle)
