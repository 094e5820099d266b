"""Report the results: as tables, as JSON, and in docs/performance.md."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from tests.benchmark import cost_report, turns_report
from tests.benchmark.goals import COMPLETION, LARGE_ORDERS, SETTLED_MEANWHILE, WITH_HISTORY, Spread, Wanted, spread
from tests.benchmark.results import merge

_DOCS: Final = Path(__file__).resolve().parents[2] / "docs"
_HEAD: Final = ("measure", "a second", "compared with", "ratio (lowest to highest)", "must", "aim", "", "p50, p99")
_NOTHING: Final = Wanted()
_Row = tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """A measure, the measure that it is compared with, and what is wanted of their ratio."""

    measure: str
    base: str
    wanted: Wanted = _NOTHING


RATIOS: Final = {
    ratio.measure: ratio
    for ratio in (
        Ratio(measure="pgbench, 8 clients", base="frozen script, 8 clients"),
        Ratio(measure="large order, 8 clients", base="frozen script, 8 clients", wanted=LARGE_ORDERS["8 clients"]),
        Ratio(measure="large order with a key", base="frozen script, 8 clients"),
        Ratio(measure="small order", base="frozen script, 8 clients"),
        Ratio(measure="large order, hot wallet", base="frozen script, hot wallet", wanted=LARGE_ORDERS["hot wallet"]),
        Ratio(measure="pgbench, 32 clients", base="frozen script, 32 clients"),
        Ratio(measure="large order, 32 clients", base="frozen script, 32 clients", wanted=LARGE_ORDERS["32 clients"]),
        Ratio(measure="large order, 64 clients", base="frozen script, 32 clients", wanted=LARGE_ORDERS["64 clients"]),
        Ratio(measure="large orders of several coins", base="frozen script, 32 clients"),
        Ratio(measure="wallet", base="empty operation", wanted=Wanted(must=0.4)),
        Ratio(measure="wallet, 8 sign in beside it", base="wallet"),
        Ratio(measure="wallet, strangers sign in beside it", base="wallet", wanted=Wanted(must=0.5)),
        Ratio(measure="coin list", base="empty operation", wanted=Wanted(must=0.4)),
        Ratio(measure="order list", base="empty operation"),
        Ratio(measure="order list of 200", base="empty operation"),
        Ratio(measure="placed and settled", base="placed alone", wanted=SETTLED_MEANWHILE),
    )
}
_PIECES: Final = {"orders": "Orders", "reads": "Reads", "settling": "Settling"}


def show(piece: dict[str, Any], *, console: Console) -> None:
    """Print the tables of a piece."""
    for title, rows in _tables(piece):
        table = Table(*_HEAD, title=title)
        for row in rows:
            table.add_row(*row)
        console.print(table)
    for line in _sentences(piece):
        console.print(line)


def _tables(piece: dict[str, Any]) -> Iterator[tuple[str, list[_Row]]]:
    if "without" in piece:
        yield f"With {piece['orders']:,} orders of history", list(_grown_rows(piece["rounds"], piece["without"]))
    elif "rounds" in piece:
        yield "Rates", _rows(piece["rounds"])
    for title, rounds in piece.get("processes", {}).items():
        yield title, _rows(rounds)


def _rows(rounds: dict[str, Any]) -> list[_Row]:
    return [_row(name, taken, rounds) for name, taken in rounds.items()]


def _row(name: str, taken: list[dict[str, Any]], rounds: dict[str, Any]) -> _Row:
    ratio = RATIOS.get(name)
    if ratio is None or ratio.base not in rounds:
        return name, f"{_rate(taken):,.0f}", "", "", "", "", "", _latency(taken)
    compared = _ratio(taken, rounds[ratio.base])
    wanted = ratio.wanted.cells(compared.middle)
    return name, f"{_rate(taken):,.0f}", ratio.base, str(compared), *wanted, _latency(taken)


def _grown_rows(rounds: dict[str, Any], without: dict[str, Any]) -> Iterator[_Row]:
    for name, taken in rounds.items():
        ratio = _ratio(taken, without[name])
        wanted = WITH_HISTORY.cells(ratio.middle)
        base = f"{_rate(without[name]):,.0f} without"
        yield name, f"{_rate(taken):,.0f}", base, str(ratio), *wanted, _latency(taken)


def _rate(taken: list[dict[str, Any]]) -> float:
    return median(_rate_of(each) for each in taken)


def _rate_of(one: dict[str, Any]) -> float:
    rate: float = one["placed"]["rate"] if "placed" in one else one["rate"]
    return rate


def _ratio(taken: list[dict[str, Any]], base: list[dict[str, Any]]) -> Spread:
    """Return the ratio of the rates of two measures: within a round both ran close together in time."""
    return spread(_rate_of(mine) / _rate_of(theirs) for mine, theirs in zip(taken, base, strict=True))


def _latency(taken: list[dict[str, Any]]) -> str:
    loads = [one.get("placed", one) for one in taken]
    if "p50_ms" not in loads[0]:
        return ""
    return f"{median(load['p50_ms'] for load in loads):.1f} ms, {median(load['p99_ms'] for load in loads):.1f} ms"


def _sentences(piece: dict[str, Any]) -> Iterator[str]:
    rounds = piece.get("rounds", {})
    yield from _about_risk_window(piece)
    for name, took in piece.get("completion", {}).items():
        yield _about_completion(name, took)
    if "backlog" in piece:
        yield _about_backlog(piece["backlog"])
    for taken in rounds.get("placed and settled", ()):
        yield (
            f"Placed {taken['placed']['rate']:,.0f}/s while {taken['settled_rate']:,.0f}/s were settled; "
            f"open before {taken['open_before']:,}, after {taken['open_after']:,}."
        )
    if loads := rounds.get("wallet, 8 sign in beside it"):
        yield _about_sign_ins([load["sign_ins"] for load in loads])
    if loads := rounds.get("wallet, strangers sign in beside it"):
        yield _about_floods([load["flood"] for load in loads])
    if len(piece.get("memory", ())) > 1:
        before, after = piece["memory"]
        yield (
            f"Memory (PSS): a web process {before['web']:.0f} MiB before and {after['web']:.0f} MiB after these loads, "
            f"a worker {before['worker']:.0f} and {after['worker']:.0f} MiB."
        )


def _about_risk_window(piece: dict[str, Any]) -> Iterator[str]:
    if len(piece.get("window", ())) > 1:
        first, last = piece["window"]
        yield f"A customer had {first:.0f} orders in the hour of the risk rules at first, and {last:.0f} at the end."


def _about_completion(name: str, rounds: list[dict[str, Any]]) -> str:
    half, nearly_all = (_seconds(name, rounds, figure) for figure in ("median_seconds", "p99_seconds"))
    return (
        f"From placed to completed, {name}: {half} at the median, {nearly_all} at the 99th percentile, "
        f"{max(each['most_seconds'] for each in rounds):.2f} s at most, of {sum(each['orders'] for each in rounds):,} orders."
    )


def _seconds(name: str, rounds: list[dict[str, Any]], figure: str) -> str:
    """Return a figure with its spread over the rounds, and with what is wanted of it."""
    found = spread(each[figure] for each in rounds)
    shown = f"{found.middle:.2f} s ({found.lowest:.2f} to {found.highest:.2f}"
    if wanted := COMPLETION.get(name, {}).get(figure):
        must, aim, verdict = wanted.cells(found.middle)
        return f"{shown}; must {must}, aim {aim}: {verdict})"
    return f"{shown})"


def _about_backlog(backlog: dict[str, Any]) -> str:
    return (
        f"A backlog of {backlog['orders']:,} large orders of one coin: {backlog['orders'] / backlog['seconds']:,.0f} "
        f"orders/s in {backlog['purchases']} purchases ({backlog['seconds']:.1f} s); an order of another coin placed "
        f"behind it: {backlog['other_coin_seconds']:.1f} s."
    )


def _about_sign_ins(rounds: list[dict[str, Any]]) -> str:
    return (
        f"While eight customers signed in, again and again, with the right password: "
        f"{median(each['rate'] for each in rounds):.1f} sign-ins succeeded a second, and "
        f"{median(each['busy_share'] for each in rounds):.0%} of the attempts were refused as `busy`."
    )


def _about_floods(floods: list[dict[str, Any]]) -> str:
    return (
        f"While twelve connections signed in without a pause: {median(each['checked_rate'] for each in floods):.0f} "
        f"passwords were checked a second, {median(each['busy_share'] for each in floods):.0%} of the attempts were "
        f"refused as `busy`, and {sum(each['served'] for each in floods)} of "
        f"{sum(each['honest'] for each in floods)} honest sign-ins succeeded within three tries. "
        f"The benchmark itself used {median(each['generator_share'] for each in floods):.0%} of the processors."
    )


def save(found: dict[str, Any]) -> None:
    """Write docs/performance.json and the marked parts of docs/performance.md. Parts that were not measured stay."""
    kept = _DOCS / "performance.json"
    figures = merge(json.loads(kept.read_text()) if kept.exists() else {}, found)
    kept.write_text(json.dumps(figures, indent=1) + "\n")
    page = _DOCS / "performance.md"
    text = page.read_text()
    for name, part in render_parts(figures):
        marked = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        text = marked.sub(lambda match, part=part: f"{match[1]}{part}\n{match[2]}", text)  # type: ignore[misc]  # bound early
    page.write_text(text)


def render_parts(figures: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the name and the text of each marked part of the page that is known."""
    measured = {title: figures[name] for name, title in _PIECES.items() if name in figures}
    if measured:
        yield "rates", "\n\n".join(_render(title, piece) for title, piece in measured.items())
        yield "chart", _chart({name: taken for piece in measured.values() for name, taken in piece["rounds"].items()})
    if "replaced" in figures:
        yield "replaced", turns_report.render_page(figures["replaced"])
    if "before" in figures:
        yield "before", turns_report.render_page(figures["before"])
    if "cost" in figures:
        yield "cost", cost_report.render_page(figures["cost"])
    more = [*_in_order(figures.get("growth", {})), *([figures["processes"]] if "processes" in figures else [])]
    yield "more", "\n\n".join(_render(title, piece, rows) for piece in more for title, rows in _tables(piece))


def _in_order(growth: dict[str, Any]) -> list[dict[str, Any]]:
    return sorted(growth.values(), key=lambda piece: int(piece["orders"]))


def _render(title: str, piece: dict[str, Any], rows: list[_Row] | None = None) -> str:
    """Return a table with its title, the machine of the measurement, and its sentences."""
    machine = piece["machine"]
    on = (
        f"{machine['cores']} cores, Python {machine['python']}, PostgreSQL {machine['postgres']}, "
        f"revision {machine['revision']}"
    )
    lines = [f"**{title}** ({on})", "", _markdown(rows if rows is not None else _rows(piece["rounds"]))]
    sentences = [f"- {line}" for line in _sentences(piece)]
    return "\n".join([*lines, *([""] if sentences else []), *sentences])


def _markdown(rows: list[_Row]) -> str:
    head = "| " + " | ".join(_HEAD) + " |\n" + "|---" * len(_HEAD) + "|"
    return "\n".join([head, *("| " + " | ".join(row) + " |" for row in rows)])


# Mermaid's own bars are hardly visible on white. The axis names these colours.
_CHART_LOOK: Final = (
    '%%{init: {"xyChart": {"width": 860, "height": 420},'
    ' "themeVariables": {"xyChart": {"plotColorPalette": "#5b8def, #e8710a"}}}}%%'
)


def _chart(rounds: dict[str, Any]) -> str:
    """Return a chart: the bars are the ratios, the line is the lowest that are accepted, both in per cent."""
    shown = [each for each in RATIOS.values() if each.wanted.must and {each.measure, each.base} <= rounds.keys()]
    bars = [_percent(_ratio(rounds[each.measure], rounds[each.base]).middle) for each in shown]
    labels = [f"{each.measure} (of {each.base})" for each in shown]
    highest = max(100, *map(int, bars)) if bars else 100
    return "\n".join(
        [
            "```mermaid",
            _CHART_LOOK,
            "xychart-beta horizontal",
            '    title "Speed, in per cent of the measure in brackets"',
            f"    x-axis [{', '.join(json.dumps(label) for label in labels)}]",
            f'    y-axis "Blue bar: measured. Orange line: the lowest accepted" 0 --> {highest}',
            f"    bar [{', '.join(bars)}]",
            f"    line [{', '.join(_percent(each.wanted.must or 0) for each in shown)}]",
            "```",
        ]
    )


def _percent(ratio: float) -> str:
    return f"{100 * ratio:.0f}"
