"""The public endpoints about one market: levels, trades, candles, average ("Market Data endpoints", Binance).

The trades are those of the account: nobody else trades here.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from aiohttp import web

from exchange_site.simulator.book.matching import AVERAGE_MINUTES
from exchange_site.simulator.book.orders import now_milliseconds
from exchange_site.simulator.candles import Span, make_candles, read_shift
from exchange_site.simulator.endpoints import BASE
from exchange_site.simulator.levels import ENDLESS
from exchange_site.simulator.numbers import text
from exchange_site.simulator.selecting import ensure_status
from exchange_site.simulator.signing import read_request
from exchange_site.simulator.suffering import said, suffer
from exchange_site.simulator.tickers import SHOWN_QUANTITY
from exchange_site.simulator.venue import VENUE

_USUAL_LEVELS: Final = 100
_MOST_LEVELS: Final = 5000
_USUAL_LIST: Final = 500
_LONGEST_LIST: Final = 1000


def routes() -> list[web.RouteDef]:
    return [
        web.get(f"{BASE}depth", _depth),
        web.get(f"{BASE}trades", _trades),
        web.get(f"{BASE}historicalTrades", _trades),
        web.get(f"{BASE}aggTrades", _aggregate_trades),
        web.get(f"{BASE}klines", _candles),
        web.get(f"{BASE}uiKlines", _candles),
        web.get(f"{BASE}avgPrice", _average_price),
    ]


async def _depth(request: web.Request) -> web.Response:
    """Answer with the levels that orders meet. A frozen ticker does not freeze them."""
    given, book = await read_request(request), request.app[VENUE].book
    ensure_status(given, book.listings)
    fault = await suffer(request, "ticker", given["symbol"])
    now, market = now_milliseconds(), book.pricing.market(given["symbol"])
    asks = [level for level in market.levels(now) if level.quantity]
    limit = min(int(given.get("limit", _USUAL_LEVELS)), _MOST_LEVELS)
    answer = {
        "lastUpdateId": now,
        "bids": [[text(market.now(now).bid), SHOWN_QUANTITY]],
        "asks": [
            [text(level.price), SHOWN_QUANTITY if level.quantity == ENDLESS else text(level.quantity)]
            for level in asks[:limit]
        ],
    }
    return said(answer, fault)


async def _trades(request: web.Request) -> web.Response:
    given = await read_request(request)
    return web.json_response([_describe_trade(row) for row in _select(_all_trades(request, given), given)])


async def _aggregate_trades(request: web.Request) -> web.Response:
    given = await read_request(request)
    return web.json_response([_describe_aggregate(row) for row in _select(_all_trades(request, given), given)])


async def _candles(request: web.Request) -> web.Response:
    given, book, now = await read_request(request), request.app[VENUE].book, now_milliseconds()
    span = Span(
        interval=given["interval"],
        since=int(given["startTime"]) if "startTime" in given else None,
        until=min(int(given.get("endTime", now)), now),
        limit=_limit(given),
        shift=read_shift(given.get("timeZone", "0")),
    )
    last = book.pricing.market(given["symbol"]).now(now).last
    return web.json_response(make_candles(_all_trades(request, given), span, price=last))


async def _average_price(request: web.Request) -> web.Response:
    given, book, now = await read_request(request), request.app[VENUE].book, now_milliseconds()
    symbol = given["symbol"]
    minutes = int(book.listings.filters(symbol).average_minutes) or AVERAGE_MINUTES
    trades = _all_trades(request, given)
    return web.json_response(
        {
            "mins": minutes,
            "price": text(book.average_price(symbol, minutes=minutes, now=now)),
            "closeTime": trades[-1]["time"] if trades else now,
        }
    )


def _all_trades(request: web.Request, given: Mapping[str, str]) -> list[dict[str, Any]]:
    return request.app[VENUE].book.orders.trades(symbol=given["symbol"])


def _select(rows: Sequence[Mapping[str, Any]], given: Mapping[str, str]) -> Sequence[Mapping[str, Any]]:
    """Return the oldest rows since an id or a moment, else the newest."""
    since, until = int(given.get("startTime", 0)), int(given.get("endTime", 2**63))
    least = int(given.get("fromId", 0))
    wanted = [row for row in rows if since <= row["time"] <= until and row["id"] >= least]
    return wanted[: _limit(given)] if given.keys() & {"startTime", "fromId"} else wanted[-_limit(given) :]


def _limit(given: Mapping[str, str]) -> int:
    return min(int(given.get("limit", _USUAL_LIST)), _LONGEST_LIST)


def _describe_trade(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": row["id"],
        "price": text(row["price"]),
        "qty": text(row["quantity"]),
        "quoteQty": text(row["quote"]),
        "time": row["time"],
        "isBuyerMaker": row["side"] == "SELL",
        "isBestMatch": True,
    }


def _describe_aggregate(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "a": row["id"],
        "p": text(row["price"]),
        "q": text(row["quantity"]),
        "f": row["id"],
        "l": row["id"],
        "T": row["time"],
        "m": row["side"] == "SELL",
        "M": True,
    }
