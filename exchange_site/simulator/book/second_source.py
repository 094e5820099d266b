"""What the second source of prices says of its own. Where nothing was set, it follows the book's markets."""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from exchange_site.simulator.book.schema import transaction

_DOWN: Final = "second_source_down"


@dataclass(frozen=True, kw_only=True)
class OwnAnswer:
    """What the second source says of a symbol: a price of its own, or the market's if it is None.

    `age_seconds` is how old its ticker claims to be; below zero it is ahead. A symbol may be missing (`is_listed`).
    """

    price: Decimal | None = None
    age_seconds: Decimal = Decimal(0)
    is_listed: bool = True


class SecondSource:
    """The settings of the second source, by the symbol."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._db = database

    def answers(self) -> dict[str, OwnAnswer]:
        """Return what was set."""
        rows = self._db.execute("SELECT * FROM second_source ORDER BY symbol")
        return {row["symbol"]: _read(row["answer"]) for row in rows}

    def set_all(self, *, down: bool, answers: Mapping[str, OwnAnswer | None]) -> None:
        """Set whether the source answers, and what it says of symbols. None lets a symbol follow the market again."""
        with transaction(self._db):
            self._db.execute("INSERT OR REPLACE INTO setting VALUES (?, ?)", [_DOWN, "yes" if down else "no"])
            for symbol, answer in answers.items():
                self._set_answer(symbol, answer)

    def is_down(self) -> bool:
        """Return True if the source does not answer."""
        row = self._db.execute("SELECT value FROM setting WHERE name = ?", [_DOWN]).fetchone()
        return row is not None and row["value"] == "yes"

    def _set_answer(self, symbol: str, answer: OwnAnswer | None) -> None:
        if answer is None:
            self._db.execute("DELETE FROM second_source WHERE symbol = ?", [symbol])
        else:
            self._db.execute("INSERT OR REPLACE INTO second_source VALUES (?, ?)", [symbol, _text(answer)])


def _text(answer: OwnAnswer) -> str:
    price = None if answer.price is None else f"{answer.price:f}"
    return json.dumps([price, f"{answer.age_seconds:f}", answer.is_listed])


def _read(text: str) -> OwnAnswer:
    price, age, is_listed = json.loads(text)
    return OwnAnswer(price=None if price is None else Decimal(price), age_seconds=Decimal(age), is_listed=is_listed)
