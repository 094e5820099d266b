"""The page of the house's result in the admin, with its chart, and its download as CSV or JSON."""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final

from django.contrib import admin
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.views.decorators.http import require_safe

from settlement.exceptions import BadDays
from settlement.result_days import choose_days, read_day
from settlement.result_texts import COLUMNS, NOTE, SHOWN, Column, as_csv, as_json, in_words, name_of
from settlement.results import Figures, HouseResult, Stock
from settlement.selectors.results import read_result
from trading.loss_rules import day_of
from wallets.models import User
from wallets.runtime.clock import database_now

_MOST_DAYS: Final = 92
_USUAL_DAYS: Final = 30
_CENT: Final = Decimal("0.01")
_LEFT: Final = tuple(column for column in SHOWN if column.name.startswith("inventory"))
_BOOKED: Final = tuple(column for column in SHOWN if column not in _LEFT)


@dataclass(frozen=True, kw_only=True)
class _Bar:
    """A bar of the chart: where it stands, in the units of the chart, and what it says."""

    x: float
    y: float
    width: float
    height: float
    is_loss: bool
    text: str


@dataclass(frozen=True, kw_only=True)
class _Chart:
    """The result of each day as a bar above or below the line of zero, and the days that are named below it."""

    bars: list[_Bar]
    zero: float
    highest: str
    lowest: str
    first: date
    last: date


WIDTH: Final = 960
HEIGHT: Final = 200


def can_view(user: User | AnonymousUser) -> bool:
    """Say whether the user may see the result, which takes the permission to see the losses by day."""
    return user.is_active and user.is_staff and user.has_perm("trading.view_dayloss")


@require_safe
def result(request: HttpRequest) -> HttpResponse:
    """Show the result of some UTC days, by day and by coin; `as` is csv or json for a download."""
    if not can_view(request.user):
        raise PermissionDenied
    today = day_of(database_now())
    asked = {name: request.GET.get(name, "").strip() for name in ("from", "to")}
    try:
        first, last = _choose(asked, today=today)
    except BadDays as error:
        return _page(request, asked, {"refused": str(error)}, status=400)
    found = read_result(first=first, last=last)
    if request.GET.get("as") in _FORMS:
        return _download(found, form=request.GET["as"])
    return _page(request, {"from": first.isoformat(), "to": last.isoformat()}, _context(found, today=today))


def _choose(asked: dict[str, str], *, today: date) -> tuple[date, date]:
    last = read_day(asked["to"]) if asked["to"] else today
    usual = last - min(timedelta(days=_USUAL_DAYS - 1), last - date.min)
    first = read_day(asked["from"]) if asked["from"] else usual
    return choose_days(first=first, last=last, today=today, most=_MOST_DAYS)


_FORMS: Final = {"csv": (as_csv, "text/csv; charset=utf-8"), "json": (as_json, "application/json")}


def _download(found: HouseResult, *, form: str) -> HttpResponse:
    write, content_type = _FORMS[form]
    name = f"result-{found.first}-{found.last}.{form}"
    return HttpResponse(
        write(found), content_type=content_type, headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )


def _page(request: HttpRequest, asked: dict[str, str], found: dict[str, Any], *, status: int = 200) -> HttpResponse:
    context = {
        **admin.site.each_context(request),
        "title": "The house's result",
        "first": asked["from"],
        "last": asked["to"],
        **found,
    }
    return TemplateResponse(request, "exchange_site/result.html", context, status=status)


def _context(found: HouseResult, *, today: date) -> dict[str, Any]:
    by_day = list(found.by_day())
    return {
        "found": found,
        "name": name_of(found),
        "note": NOTE if found.total.used is None or found.stock.worth is None else "",
        "chart": _chart(dict(by_day), first=found.first, last=found.last),
        "titles": [column.title for column in _BOOKED],
        "coins": [(coin, _cells(_BOOKED, figures, stock)) for coin, figures, stock in found.by_coin()],
        "total": _cells(_BOOKED, found.total, found.stock),
        "days": [(day, day == today, _cells(_BOOKED, figures, Stock())) for day, figures in reversed(by_day)],
        "left_titles": [column.title for column in _LEFT],
        "left": [(coin, _cells(_LEFT, figures, stock)) for coin, figures, stock in found.by_coin()],
        "left_total": _cells(_LEFT, found.total, found.stock),
        "meanings": [(column.title or column.name, column.meaning) for column in COLUMNS if column.title],
    }


@dataclass(frozen=True, kw_only=True)
class _Cell:
    title: str
    text: str
    is_loss: bool


def _cells(columns: Any, figures: Figures, stock: Stock) -> list[_Cell]:
    return [_cell(column, figures, stock) for column in columns]


def _cell(column: Column, figures: Figures, stock: Stock) -> _Cell:
    value = column.read(figures, stock)
    is_loss = column.name == "result_usd" and value is not None and value < 0
    return _Cell(title=column.title, text=_in_short(column, value), is_loss=is_loss)


def _in_short(column: Column, value: Decimal | int | None) -> str:
    """Return a value with dollars rounded to the cent. CSV and JSON have all places. Coins of all kinds have no sum."""
    if value is None:
        return "" if column.name.endswith("_coins") else "unknown"
    if not isinstance(value, Decimal) or not column.name.endswith("_usd") or not value:
        return in_words(value)
    if abs(value) < _CENT:
        return "below 0.01" if value > 0 else "above -0.01"
    return in_words(round(value, 2))


def _chart(by_day: dict[date, Figures], *, first: date, last: date) -> _Chart | None:
    """Return the chart of the days whose result is known, or None if there is nothing to draw."""
    results = {day: figures.result for day, figures in by_day.items()}
    values = [value for value in results.values() if value is not None]
    if not any(values):
        return None
    highest, lowest = max([*values, Decimal(0)]), min([*values, Decimal(0)])
    scale = HEIGHT / float(highest - lowest)
    zero, step = float(highest) * scale, WIDTH / ((last - first).days + 1)
    bars = [
        _bar(day, value, x=(day - first).days * step, step=step, zero=zero, scale=scale)
        for day, value in results.items()
        if value
    ]
    texts = [in_words(round(value, 2)) for value in (highest, lowest)]
    return _Chart(bars=bars, zero=zero, highest=texts[0], lowest=texts[1], first=first, last=last)


def _bar(day: date, value: Decimal, *, x: float, step: float, zero: float, scale: float) -> _Bar:
    height = max(abs(float(value)) * scale, 1.0)
    word = "a loss" if value < 0 else "a gain"
    width = min(step * 0.8, 60)
    return _Bar(
        x=round(x + (step - width) / 2, 2),
        y=round(zero if value < 0 else zero - height, 2),
        width=round(width, 2),
        height=round(height, 2),
        is_loss=value < 0,
        text=f"{day}: {word} of {in_words(abs(value))} USD",
    )
