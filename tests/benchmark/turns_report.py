"""Report how a revision compares with another system: as tables, and for docs/performance.md."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from tests.benchmark.goals import Figure, Spread, compare, goal_rows

_GOAL_HEAD: Final = ("goal", "ratio (lowest to highest)", "must", "aim", "")


@dataclass(frozen=True, kw_only=True)
class _Names:
    ours: str
    other: str

    def head(self) -> tuple[str, ...]:
        return (
            "measure",
            f"{self.ours}, a second",
            f"{self.other}, a second",
            f"{self.ours} ÷ {self.other}",
            "p50",
            f"{self.ours}, ms of processor",
            f"{self.other}, ms of processor",
        )


def show(found: dict[str, Any], *, console: Console) -> None:
    """Print the tables."""
    title = f"Ours is {found['ours']}, {found['other']} is {found['theirs']}"
    for head, rows in _tables(found):
        table = Table(*head, title=title)
        for row in rows:
            table.add_row(*row)
        console.print(table)
    for line in _sentences(found):
        console.print(line)


def render_page(found: dict[str, Any]) -> str:
    """Return the tables for docs/performance.md."""
    tables = ("\n".join(_markdown(head, rows)) for head, rows in _tables(found))
    title = f"Ours is {found['ours']}, *{found['other']}* is {found['theirs']}."
    return "\n\n".join([title, *tables, "\n".join(f"- {line}" for line in _sentences(found))])


def _markdown(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    yield "| " + " | ".join(head) + " |"
    yield "|---" * len(head) + "|"
    yield from ("| " + " | ".join(row) + " |" for row in rows)


def _tables(found: dict[str, Any]) -> Iterator[tuple[tuple[str, ...], list[tuple[str, ...]]]]:
    yield _Names(ours="ours", other=found["other"]).head(), list(_rows(found))
    if goals := list(goal_rows(found["rounds"])):
        yield _GOAL_HEAD, goals


def _rows(found: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    rounds, sides = found["rounds"], ("ours", found["other"])
    for measure in rounds[0]:
        if sides[0] not in rounds[0][measure]:
            continue
        rates = (median(_turns(rounds, measure, side, "rate")) for side in sides)
        latencies = (f"{median(_turns(rounds, measure, side, 'p50_ms')):.1f} ms" for side in sides)
        yield (
            measure,
            *(f"{rate:,.0f}" for rate in rates),
            str(rates_compared(rounds, measure=measure, other=sides[1])),
            ", ".join(latencies),
            *(_processor(rounds, measure, side) for side in sides),
        )


def rates_compared(rounds: Sequence[dict[str, Any]], *, measure: str, other: str) -> Spread:
    """Return our rate divided by the other system's."""
    top, bottom = (Figure(measure=measure, system=system, name="rate") for system in ("ours", other))
    return compare(rounds, top=top, bottom=bottom)


def _turns(rounds: Sequence[dict[str, Any]], measure: str, side: str, figure: str) -> list[Any]:
    return [taken[measure][side][figure] for taken in rounds]


def _processor(rounds: Sequence[dict[str, Any]], measure: str, side: str) -> str:
    """Return the medians of the milliseconds in all parts together and in each."""
    turns = _turns(rounds, measure, side, "milliseconds")
    parts = " + ".join(f"{median(turn[part] for turn in turns):.2f}" for part in turns[0])
    return f"{median(sum(turn.values()) for turn in turns):.2f} ({parts})"


def _sentences(found: dict[str, Any]) -> Iterator[str]:
    rounds, extent = found["rounds"], found["extent"]
    for measure in (name for name, turns in rounds[0].items() if "machine" in turns):
        rates = sorted(_turns(rounds, measure, "machine", "rate"))
        took = median(each["Postgres"] for each in _turns(rounds, measure, "machine", "milliseconds"))
        yield (
            f"{measure[0].upper()}{measure[1:]}: {median(rates):,.0f} orders a second ({rates[0]:,.0f} to {rates[-1]:,.0f}), "
            f"{took:.2f} ms of Postgres' processor time each."
        )
    earlier = f", each with {extent['earlier']} orders in the last hour at first" if extent["earlier"] else ""
    yield (
        f"{len(rounds)} rounds of {extent['seconds']:.0f} seconds for each measure and system, "
        f"{extent['customers']:,} customers{earlier}, {found['cores']} cores. "
        "The processor's milliseconds for a request are those of API + Postgres + Redis."
    )
