"""Questions about trades: "Query Trades Info" and "Get Trades History", Kraken's API documentation."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from aiohttp import web

from exchange_site.simulator.book.matching import Book
from exchange_site.simulator.kraken.ids import TRADE, read_id, write_id
from exchange_site.simulator.kraken.orders import PAGE, is_between
from exchange_site.simulator.kraken.reading import read_ids, read_offset, read_seconds, read_switch
from exchange_site.simulator.kraken.signing import read_signed
from exchange_site.simulator.kraken.suffering import answer, in_krakens_words, suffer, without_denied
from exchange_site.simulator.kraken.writing import page, write_trade
from exchange_site.simulator.venue import VENUE

_MOST_IDS: Final = 20


def routes() -> list[web.RouteDef]:
    return [
        web.post("/0/private/QueryTrades", in_krakens_words(_query)),
        web.post("/0/private/TradesHistory", in_krakens_words(_history)),
    ]


async def _query(request: web.Request) -> web.StreamResponse:
    """Answer with the trades of which ids are given; those that the book does not have are left out."""
    sent, book = await read_signed(request), request.app[VENUE].book
    numbers = {read_id(TRADE, name) for name in read_ids(sent, kind=TRADE, at_most=_MOST_IDS)}
    rows = [trade for trade in book.orders.trades() if trade["id"] in numbers]
    fault = await suffer(request, "query", "trades", symbol=rows[0]["symbol"] if rows else None)
    return await answer(request, _write(book, without_denied(request, rows, "trades")), fault)


async def _history(request: web.Request) -> web.StreamResponse:
    """Answer with a page of trades between two moments, the newest first, and with their number."""
    sent, book = await read_signed(request), request.app[VENUE].book
    fault = await suffer(request, "query", "trades")
    after, until = (_read_bound(sent, book, name) for name in ("start", "end"))
    found = [trade for trade in book.orders.trades() if is_between(trade["time"], after, until)]
    listed = without_denied(request, found, "trades")[::-1]
    shown = page(listed, offset=read_offset(sent), size=PAGE)
    count = {} if read_switch(sent, "without_count") else {"count": len(listed)}
    return await answer(request, {"trades": _write(book, shown), **count}, fault)


def _read_bound(sent: Mapping[str, str], book: Book, name: str) -> int | None:
    """Return a moment in milliseconds: a timestamp, or the time of a trade. Raises KrakenError."""
    number = read_id(TRADE, sent.get(name, ""))
    times = [int(trade["time"]) for trade in book.orders.trades() if trade["id"] == number] if number else []
    return times[0] if times else read_seconds(sent, name)


def _write(book: Book, trades: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {write_id(TRADE, trade["id"]): write_trade(book, trade) for trade in trades}
