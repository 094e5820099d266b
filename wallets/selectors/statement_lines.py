"""Reads a customer's dollar movements as lines of CSV, some at a time: a statement may have a million."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from wallets.models import Wallet
from wallets.money import USD
from wallets.runtime import sql
from wallets.selectors.ledger import TransactionFilters

COLUMNS: Final = ("id", "created_at", "type", "kind", "amount", "balance_after", "order_id")
_AT_ONCE: Final = 5000
_BIGGEST_ID: Final = 2**63 - 1


@dataclass(frozen=True, kw_only=True)
class Lines:
    """Some lines of a statement, newest first, and the place after them, or None if there is nothing after them."""

    text: str
    place: tuple[datetime, int] | None


def read_lines(*, customer_id: int, filters: TransactionFilters, place: tuple[datetime, int] | None = None) -> Lines:
    """Return the lines after a place, or the first ones. Their columns are COLUMNS. Two queries, whatever came before.

    Movements only ever come in front of the first place, so lines that are read one page after the other are those of
    the moment at which the first page was read.
    """
    before_at, before_id = place or (filters.created_before or "infinity", _BIGGEST_ID)
    if place is None and filters.created_before:
        before_id = 0
    row = sql.fetch_one(
        "wallets.statement_lines",
        customer=customer_id,
        wallet=Wallet.objects.filter(owner_id=customer_id, asset=USD).values_list("pk", flat=True).first(),
        before_at=before_at,
        before_id=before_id,
        after=filters.created_after or "-infinity",
        order=filters.order_id,
        direction=filters.direction,
        most=_AT_ONCE,
    )
    assert row is not None, "an aggregate returns a row"
    text, count, last_at, last_id = row
    return Lines(text=text, place=(last_at, last_id) if count == _AT_ONCE else None)


def follow_lines(*, customer_id: int, filters: TransactionFilters, first: Lines) -> Iterator[str]:
    """Yield the text of the first lines, and then of all that follow. No database transaction is open in between."""
    lines = first
    yield lines.text
    while lines.place is not None:
        lines = read_lines(customer_id=customer_id, filters=filters, place=lines.place)
        yield lines.text
