"""Questions about orders: "Query Orders Info", "Get Open Orders" and "Get Closed Orders", Kraken's API documentation.

Only the lists of open and closed orders know client order ids.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from aiohttp import web

from exchange_site.simulator.book.matching import Book
from exchange_site.simulator.book.orders import OPEN_STATUSES
from exchange_site.simulator.kraken.errors import INVALID_ARGUMENTS, KrakenError
from exchange_site.simulator.kraken.ids import ORDER, read_id, write_id
from exchange_site.simulator.kraken.reading import (
    read_client_id,
    read_ids,
    read_offset,
    read_one_of,
    read_reference,
    read_seconds,
    read_switch,
)
from exchange_site.simulator.kraken.signing import read_signed
from exchange_site.simulator.kraken.suffering import answer, in_krakens_words, suffer, without_denied
from exchange_site.simulator.kraken.writing import page, terms_of, write_order
from exchange_site.simulator.venue import VENUE

PAGE: Final = 50
_MOST_IDS: Final = 50
_TIMES: Final = {"open": ("time",), "close": ("closed_at",), "both": ("time", "closed_at")}


def routes() -> list[web.RouteDef]:
    return [
        web.post("/0/private/QueryOrders", in_krakens_words(_query)),
        web.post("/0/private/OpenOrders", in_krakens_words(_open)),
        web.post("/0/private/ClosedOrders", in_krakens_words(_closed)),
    ]


async def _query(request: web.Request) -> web.StreamResponse:
    """Answer with the orders of which transaction ids are given; those that the book does not have are left out."""
    sent, book = await read_signed(request), request.app[VENUE].book
    numbers = [read_id(ORDER, name) for name in read_ids(sent, kind=ORDER, at_most=_MOST_IDS)]
    rows = [row for number in numbers if number is not None and (row := book.terms.find(number))]
    fault = await suffer(request, "query", symbol=rows[0]["symbol"] if rows else None)
    shown = [row for row in without_denied(request, rows, "query") if _is_of(book, row, read_reference(sent))]
    return await answer(request, _write(book, shown, sent), fault)


async def _open(request: web.Request) -> web.StreamResponse:
    sent, book = await read_signed(request), request.app[VENUE].book
    rows, occasions = _find(sent, book)
    fault = await suffer(request, *occasions, symbol=_common_symbol(sent, rows))
    found = [row for row in rows if row["status"] in OPEN_STATUSES]
    shown = without_denied(request, found, occasions[-1])
    return await answer(request, {"open": _write(book, shown, sent)}, fault)


async def _closed(request: web.Request) -> web.StreamResponse:
    """Answer with a page of closed orders between two moments, the newest first, and with their number."""
    sent, book = await read_signed(request), request.app[VENUE].book
    rows, occasions = _find(sent, book)
    fault = await suffer(request, *occasions, symbol=_common_symbol(sent, rows))
    after, until = (_read_bound(sent, book, name) for name in ("start", "end"))
    times = _TIMES[read_one_of(sent, "closetime", tuple(_TIMES), otherwise="both")]
    found = [
        row
        for row in rows
        if row["status"] not in OPEN_STATUSES and any(is_between(row[name], after, until) for name in times)
    ]
    listed = sorted(without_denied(request, found, occasions[-1]), key=_newest_first)
    shown = page(listed, offset=read_offset(sent), size=PAGE)
    count = {} if read_switch(sent, "without_count") else {"count": len(listed)}
    return await answer(request, {"closed": _write(book, shown, sent), **count}, fault)


def is_between(moment: int, after: int | None, until: int | None) -> bool:
    """Say whether a moment is after the one and at most the other, both in milliseconds."""
    return (after is None or moment > after) and (until is None or moment <= until)


def _find(sent: Mapping[str, str], book: Book) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    """Return the orders that a list is about, and the occasions of the question, the one of its denial last."""
    client_id, reference = read_client_id(sent), read_reference(sent)
    if client_id is not None:
        return book.terms.named(client_id), ("query",)
    rows = [row for row in book.terms.rows() if _is_of(book, row, reference)]
    return rows, ("query", "list") if reference is None else ("query",)


def _common_symbol(sent: Mapping[str, str], rows: list[dict[str, Any]]) -> str | None:
    """Return the symbol of a question about one order."""
    return rows[-1]["symbol"] if "cl_ord_id" in sent and rows else None


def _is_of(book: Book, row: Mapping[str, Any], reference: int | None) -> bool:
    return reference is None or terms_of(book, row).reference == reference


def _read_bound(sent: Mapping[str, str], book: Book, name: str) -> int | None:
    """Return a moment in milliseconds: a timestamp, or the time at which an order was opened. Raises KrakenError."""
    number = read_id(ORDER, sent.get(name, ""))
    if number is None:
        return read_seconds(sent, name)
    row = book.terms.find(number)
    if row is None:
        raise KrakenError(INVALID_ARGUMENTS, name)
    return int(row["time"])


def _newest_first(row: Mapping[str, Any]) -> tuple[int, int]:
    return (-row["closed_at"], -row["id"])


def _write(book: Book, rows: Sequence[dict[str, Any]], sent: Mapping[str, str]) -> dict[str, Any]:
    with_trades = read_switch(sent, "trades")
    return {write_id(ORDER, row["id"]): write_order(book, row, with_trades=with_trades) for row in rows}
