"""Report the results: as tables, as JSON, and in docs/performance.md."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from tests.benchmark import beside_report, cost_report

_DOCS: Final = Path(__file__).resolve().parents[2] / "docs"
_Row = tuple[str, str, str, str, str]

# A measure, the measure that it is compared with, and the lowest ratio that is accepted.
RATIOS: Final = (
    ("large order, 8 clients", "pgbench, 8 clients", 0.25),
    ("large order, 32 clients", "pgbench, 32 clients", 0.25),
    ("large order, hot wallet", "pgbench, hot wallet", 0.4),
    ("large order with a key", "pgbench, 8 clients", None),
    ("small order", "pgbench, 8 clients", None),
    ("wallet", "empty operation", 0.4),
    ("wallet, sign-ins beside it", "wallet", 0.5),
    ("coin list", "empty operation", 0.4),
    ("order list", "empty operation", None),
    ("placed and settled", "placed alone", 0.8),
)


def show(found: dict[str, Any], *, console: Console) -> None:
    """Print the tables."""
    for title, rows in _tables(found):
        table = Table("measure", "a second", "compared with", "ratio (lowest to highest)", "p50, p99", title=title)
        for row in rows:
            table.add_row(*row)
        console.print(table)
    for line in _sentences(found):
        console.print(line)


def _tables(found: dict[str, Any]) -> Iterator[tuple[str, list[_Row]]]:
    if "main" in found:
        yield "Rates", _rows(found["main"]["rounds"])
    for grown in found.get("growth", ()):
        yield f"With {grown['orders']:,} orders of history", _grown_rows(grown["rounds"], grown["without"])
    for run in found.get("processes", ()):
        yield f"{run['web']} web processes, {run['workers']} workers", _rows(run["rounds"])


def _rows(rounds: dict[str, Any]) -> list[_Row]:
    compared = {name: base for name, base, _ in RATIOS}
    return [
        (
            name,
            f"{_rate(taken):,.0f}",
            compared.get(name, ""),
            _ratio(taken, rounds[compared[name]]) if compared.get(name) in rounds else "",
            _latency(taken),
        )
        for name, taken in rounds.items()
    ]


def _grown_rows(rounds: dict[str, Any], without: dict[str, Any]) -> list[_Row]:
    return [
        (
            name,
            f"{_rate(taken):,.0f}",
            f"{_rate(without[name]):,.0f} without",
            _ratio(taken, without[name]),
            _latency(taken),
        )
        for name, taken in rounds.items()
    ]


def _rate(taken: list[dict[str, Any]]) -> float:
    return median(_rate_of(each) for each in taken)


def _rate_of(one: dict[str, Any]) -> float:
    rate: float = one["placed"]["rate"] if "placed" in one else one["rate"]
    return rate


def _ratio(taken: list[dict[str, Any]], base: list[dict[str, Any]]) -> str:
    """Return the median of the rounds' ratios: within a round both measures ran close together in time."""
    ratios = sorted(_rate_of(mine) / _rate_of(theirs) for mine, theirs in zip(taken, base, strict=True))
    return f"{median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"


def _latency(taken: list[dict[str, Any]]) -> str:
    loads = [one.get("placed", one) for one in taken]
    if "p50_ms" not in loads[0]:
        return ""
    return f"{median(load['p50_ms'] for load in loads):.1f} ms, {median(load['p99_ms'] for load in loads):.1f} ms"


def _sentences(found: dict[str, Any]) -> Iterator[str]:
    if "main" not in found:
        return
    main = found["main"]
    backlog = main["backlog"]
    yield (
        f"A backlog of {backlog['orders']:,} large orders of one coin: {backlog['orders'] / backlog['seconds']:,.0f} "
        f"orders/s in {backlog['purchases']} purchases ({backlog['seconds']:.1f} s); an order of another coin placed "
        f"behind it: {backlog['other_coin_seconds']:.1f} s."
    )
    for taken in main["rounds"]["placed and settled"]:
        yield (
            f"Placed {taken['placed']['rate']:,.0f}/s while {taken['settled_rate']:,.0f}/s were settled; "
            f"open before {taken['open_before']:,}, after {taken['open_after']:,}."
        )
    floods = [load["flood"] for load in main["rounds"].get("wallet, sign-ins beside it", ())]
    if floods:
        yield (
            f"While twelve connections signed in without a pause: {median(each['checked_rate'] for each in floods):.0f} "
            f"passwords were checked a second, {median(each['busy_share'] for each in floods):.0%} of the attempts were "
            f"refused as `busy`, and {sum(each['served'] for each in floods)} of "
            f"{sum(each['honest'] for each in floods)} honest sign-ins succeeded within three tries. "
            f"The benchmark itself used {median(each['generator_share'] for each in floods):.0%} of the processors."
        )
    requests = sum(load.get("requests", 0) for taken in main["rounds"].values() for load in taken)
    before, after = main["memory"]
    yield (
        f"Memory (PSS): a web process {before['web']:.0f} MiB before and {after['web']:.0f} MiB after "
        f"{requests:,} requests, a worker {before['worker']:.0f} and {after['worker']:.0f} MiB."
    )


def save(found: dict[str, Any]) -> None:
    """Write docs/performance.json and the marked parts of docs/performance.md. Parts that were not measured stay."""
    kept = _DOCS / "performance.json"
    figures = json.loads(kept.read_text()) if kept.exists() else {}
    figures |= found
    kept.write_text(json.dumps(figures, indent=1) + "\n")
    page = _DOCS / "performance.md"
    text = page.read_text()
    for name, part in _parts(figures):
        marked = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        text = marked.sub(lambda match, part=part: f"{match[1]}{part}\n{match[2]}", text)  # type: ignore[misc]  # bound early
    page.write_text(text)


def _parts(figures: dict[str, Any]) -> Iterator[tuple[str, str]]:
    machine = figures["machine"]
    yield (
        "machine",
        (
            f"{machine['cores']} cores, Python {machine['python']}, PostgreSQL {machine['postgres']}, "
            f"revision {machine['revision']}."
        ),
    )
    tables = dict(_tables(figures))
    if "Rates" in tables:
        yield "rates", "\n".join([_markdown(tables.pop("Rates")), "", *(f"- {line}" for line in _sentences(figures))])
        yield "chart", _chart(figures["main"]["rounds"])
    if "replaced" in figures:
        yield "replaced", beside_report.render_page(figures["replaced"])
    if "cost" in figures:
        yield "cost", cost_report.render_page(figures["cost"])
    yield "more", "\n\n".join(f"**{title}**\n\n{_markdown(rows)}" for title, rows in tables.items())


def _markdown(rows: list[_Row]) -> str:
    head = "| measure | a second | compared with | ratio (lowest to highest) | p50, p99 |\n|---|---|---|---|---|"
    return "\n".join([head, *("| " + " | ".join(row) + " |" for row in rows)])


# Mermaid's own bars are hardly visible on white. The axis names these colours.
_CHART_LOOK: Final = (
    '%%{init: {"xyChart": {"width": 860, "height": 420},'
    ' "themeVariables": {"xyChart": {"plotColorPalette": "#5b8def, #e8710a"}}}}%%'
)


def _chart(rounds: dict[str, Any]) -> str:
    """Return a chart: the bars are the ratios, the line is the lowest that are accepted, both in per cent."""
    shown = [(name, base, least) for name, base, least in RATIOS if least and {name, base} <= rounds.keys()]
    bars = [_percent(_ratio(rounds[name], rounds[base]).split()[0]) for name, base, _ in shown]
    labels = [f"{name} (of {base})" for name, base, _ in shown]
    return "\n".join(
        [
            "```mermaid",
            _CHART_LOOK,
            "xychart-beta horizontal",
            '    title "Speed, in per cent of the measure in brackets"',
            f"    x-axis [{', '.join(json.dumps(label) for label in labels)}]",
            '    y-axis "Blue bar: measured. Orange line: the lowest accepted" 0 --> 100',
            f"    bar [{', '.join(bars)}]",
            f"    line [{', '.join(_percent(least) for _, _, least in shown)}]",
            "```",
        ]
    )


def _percent(ratio: str | float) -> str:
    return f"{100 * float(ratio):.0f}"
