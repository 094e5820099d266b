"""Report how many times as fast a revision is as the stand-in: as a table, and for docs/performance.md."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Final

from rich.console import Console
from rich.table import Table

_HEAD: Final = ("measure", "ours", "replaced", "ours ÷ replaced", "ours, ms of processor", "replaced, ms of processor")
_NAMES: Final = {"orders": "orders placed a second", "wallet": "wallet reads a second"}


@dataclass(frozen=True, kw_only=True)
class Spread:
    """The median, the lowest and the highest of the rounds' ratios."""

    middle: float
    lowest: float
    highest: float


def compare(rounds: Sequence[dict[str, Any]], *, measure: str) -> Spread:
    """Return our rate divided by the stand-in's: within a round both were measured close together in time."""
    ratios = [taken[measure]["ours"]["rate"] / taken[measure]["replaced"]["rate"] for taken in rounds]
    return Spread(middle=median(ratios), lowest=min(ratios), highest=max(ratios))


def show(found: dict[str, Any], *, console: Console) -> None:
    """Print the table."""
    table = Table(*_HEAD, title=f"Revision {found['ours']} beside the stand-in for the replaced system")
    for row in _rows(found):
        table.add_row(*row)
    console.print(table)
    console.print(_extent(found))


def render_page(found: dict[str, Any]) -> str:
    """Return the table for docs/performance.md."""
    table = ["| " + " | ".join(row) + " |" for row in (_HEAD, *_rows(found))]
    table.insert(1, "|---" * len(_HEAD) + "|")
    return "\n".join([f"Ours is {found['ours']}. {_extent(found)}", "", *table])


def _rows(found: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    rounds = found["rounds"]
    for measure, name in _NAMES.items():
        ratio = compare(rounds, measure=measure)
        rates = (_middle(rounds, measure, side, "rate") for side in ("ours", "replaced"))
        yield (
            name,
            *(f"{rate:,.0f}" for rate in rates),
            f"{ratio.middle:.2f} ({ratio.lowest:.2f} to {ratio.highest:.2f})",
            *(_processor(rounds, measure, side) for side in ("ours", "replaced")),
        )


def _middle(rounds: Sequence[dict[str, Any]], measure: str, side: str, figure: str) -> float:
    return median(taken[measure][side][figure] for taken in rounds)


def _processor(rounds: Sequence[dict[str, Any]], measure: str, side: str) -> str:
    """Return the medians of the milliseconds in all parts together and in each."""
    turns = [taken[measure][side]["milliseconds"] for taken in rounds]
    parts = " + ".join(f"{median(turn[part] for turn in turns):.2f}" for part in turns[0])
    return f"{median(sum(turn.values()) for turn in turns):.2f} ({parts})"


def _extent(found: dict[str, Any]) -> str:
    extent = found["extent"]
    return (
        f"{len(found['rounds'])} rounds of {extent['seconds']:.0f} seconds for each measure and system, "
        f"{extent['clients']} clients, {extent['customers']:,} customers, {found['cores']} cores. "
        "The processor's milliseconds for an order or a read are those of API + Postgres + Redis."
    )
