"""Report the processor time of an order on each side, and the ratios: as a table, and for docs/performance.md."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Final

from rich.console import Console
from rich.table import Table

_TOTAL: Final = "total"
_HEAD: Final = ("part", "ours", "theirs", "ratio", "lowest to highest")


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Medians over the rounds: each side's milliseconds per order, and their ratio within one round."""

    part: str
    ours_ms: float
    theirs_ms: float
    ratio: float
    lowest: float
    highest: float


def compare(rounds: Sequence[dict[str, dict[str, float]]]) -> Iterator[Comparison]:
    """Compare each part, then all of them together."""
    for part in rounds[0]["ours"]:
        yield _compare(
            part,
            [taken["ours"][part] for taken in rounds],
            [taken["theirs"][part] for taken in rounds],
        )
    yield _compare(
        _TOTAL,
        [sum(taken["ours"].values()) for taken in rounds],
        [sum(taken["theirs"].values()) for taken in rounds],
    )


def _compare(part: str, ours: Sequence[float], theirs: Sequence[float]) -> Comparison:
    ratios = [mine / other for mine, other in zip(ours, theirs, strict=True)]
    return Comparison(
        part=part,
        ours_ms=median(ours),
        theirs_ms=median(theirs),
        ratio=median(ratios),
        lowest=min(ratios),
        highest=max(ratios),
    )


def show(found: dict[str, Any], *, console: Console) -> None:
    """Print the table."""
    table = Table(*_HEAD, title=f"Processor time an order: {found['ours']} beside {found['theirs']}")
    for row in _rows(found):
        table.add_row(*row)
    console.print(table)
    for line in _sentences(found):
        console.print(line)


def render_page(found: dict[str, Any]) -> str:
    """Return the table and its sentences for docs/performance.md."""
    table = ["| " + " | ".join(row) + " |" for row in (_HEAD, *_rows(found))]
    table.insert(1, "|---" * len(_HEAD) + "|")
    return "\n".join(
        [
            f"Ours is {found['ours']}, theirs {found['theirs']}.",
            "",
            *table,
            "",
            *(f"- {line}" for line in _sentences(found)),
        ]
    )


def _rows(found: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    for one in compare(found["rounds"]):
        yield (
            one.part,
            f"{one.ours_ms:.2f} ms",
            f"{one.theirs_ms:.2f} ms",
            f"{one.ratio:.3f}",
            f"{one.lowest:.3f} to {one.highest:.3f}",
        )


def _sentences(found: dict[str, Any]) -> Iterator[str]:
    rounds, extent = found["rounds"], found["extent"]
    yield (
        f"{len(rounds)} rounds of {extent['turns']} turns. In each turn, each version places {extent['orders']} large "
        f"orders, {extent['rate']:.0f} a second."
    )
    for name, unit, places in (
        ("rate", "orders a second", 0),
        ("postgres_ms", "ms of Postgres' processor time per order", 2),
    ):
        taken = sorted(each["frozen"][name] for each in rounds)
        lowest, middle, highest = (f"{value:,.{places}f}" for value in (taken[0], median(taken), taken[-1]))
        yield f"The frozen script: {middle} {unit} ({lowest} to {highest})."
