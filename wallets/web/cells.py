"""Lines of CSV (RFC 4180) that spreadsheets do not take for formulas."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

_NEEDS_QUOTES: Final = re.compile(r'[",\r\n]|^\s|\s$')
_BEGINS_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""How a spreadsheet's formula may begin, by OWASP's page on CSV injection; some programs take the wide forms too."""

Cell = str | int | datetime | None


def csv_line(cells: Iterable[Cell]) -> str:
    """Return a line with its end. A text that a spreadsheet would take for a formula begins with an apostrophe."""
    return ",".join(map(_cell, cells)) + "\r\n"


def _cell(value: Cell) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return _time(value)
    text = str(value)
    if text.startswith(_BEGINS_FORMULA):
        text = f"'{text}"
    return '"{}"'.format(text.replace('"', '""')) if _NEEDS_QUOTES.search(text) else text


def _time(moment: datetime) -> str:
    """Return a time in UTC, to the millisecond."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z"
