"""What is to be reached: ratios of figures that were measured close together, in the same round."""

from collections.abc import Iterator, Sequence
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
    """The median, the lowest and the highest of the rounds' ratios."""

    middle: float
    lowest: float
    highest: float

    def __str__(self) -> str:
        return f"{self.middle:.2f} ({self.lowest:.2f} to {self.highest:.2f})"


@dataclass(frozen=True, kw_only=True)
class Goal:
    """A ratio that must be reached, and one that is aimed at. If `lower`, they are the highest that are accepted."""

    name: str
    top: Figure
    bottom: Figure
    must: float | None = None
    aim: float | None = None
    lower: bool = False

    def judge(self, ratio: float) -> str:
        if self.aim is not None and self._reaches(ratio, self.aim):
            return "aim reached"
        if self.must is None:
            return "aim not reached"
        return "reached" if self._reaches(ratio, self.must) else "missed"

    def _reaches(self, ratio: float, wanted: float) -> bool:
        return ratio <= wanted if self.lower else ratio >= wanted


def _of_frozen(orders: str, frozen: str, **wanted: float) -> Goal:
    return Goal(
        name=f"large order, {orders} ÷ frozen script, {frozen}",
        top=Figure(measure=f"large order, {orders}", system="ours"),
        bottom=Figure(measure=f"frozen script, {frozen}", system="machine"),
        must=wanted.get("must"),
        aim=wanted.get("aim"),
    )


def _of_other(measure: str, other: str, figure: str = "rate", *, lower: bool = False, **wanted: float) -> Goal:
    named = {"rate": "", "p50_ms": ": p50"}.get(figure, f": processor ms of {figure}")
    top, bottom = (Figure(measure=measure, system=system, name=figure) for system in ("ours", other))
    return Goal(name=f"{measure}{named} ÷ {other}", top=top, bottom=bottom, lower=lower, **wanted)


GOALS: Final = (
    _of_frozen("32 clients", "32 clients", must=0.48, aim=1.0),
    _of_frozen("64 clients", "32 clients", must=0.5, aim=1.0),
    _of_frozen("8 clients", "8 clients", aim=0.5),
    _of_other("large order, 8 clients", "before", must=1.0),
    _of_other("large order, 8 clients", "before", "p50_ms", must=1.0, lower=True),
    _of_frozen("hot wallet", "hot wallet", must=0.55, aim=1.0),
    _of_other("large order, 32 clients", "before", "Postgres", must=0.4, aim=0.25, lower=True),
    _of_other("large order, 32 clients", "before", "API", must=0.8, aim=0.5, lower=True),
    _of_other("order list of 200", "before", must=2.5, aim=4.0),
    _of_other("orders", "replaced", must=3.0, aim=5.0),
    _of_other("wallet", "replaced", must=2.5, aim=4.0),
)


def compare(rounds: Sequence[dict[str, Any]], *, top: Figure, bottom: Figure) -> Spread:
    """Return the ratio of two figures: within a round both were measured close together in time."""
    ratios = [top.read(taken) / bottom.read(taken) for taken in rounds]
    return Spread(middle=median(ratios), lowest=min(ratios), highest=max(ratios))


def goal_rows(rounds: Sequence[dict[str, Any]]) -> Iterator[tuple[str, ...]]:
    """Yield a row for each goal whose figures were measured."""
    for goal in GOALS:
        if goal.top.is_in(rounds[0]) and goal.bottom.is_in(rounds[0]):
            ratio = compare(rounds, top=goal.top, bottom=goal.bottom)
            yield goal.name, str(ratio), _wanted(goal.must), _wanted(goal.aim), goal.judge(ratio.middle)


def _wanted(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.2f}"
