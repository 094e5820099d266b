"""Binance's spot REST API, as far as ccxt's `binance` class uses it."""

import asyncio
import hashlib
import hmac
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, ClassVar, Final
from urllib.parse import parse_qsl

from aiohttp import web

from exchange_site.simulator.book import Book, NewOrder, now_milliseconds
from exchange_site.simulator.errors import NO_SUCH_ORDER, UNKNOWN_SYMBOL, VenueError, missing
from exchange_site.simulator.faults import Fault, Faults
from exchange_site.simulator.markets import describe

_LONGEST_WINDOW: Final = 60_000
_LONGEST_LIST: Final = 1000
_LONGEST_SPAN: Final = 86_400_000
_HANG_SECONDS: Final = 60.0
_DELAY_SECONDS: Final = 15.0


@dataclass(frozen=True, kw_only=True)
class Venue:
    """What every handler works on."""

    book: Book
    faults: Faults
    api_key: str
    api_secret: str


VENUE: Final = web.AppKey("venue", Venue)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@web.middleware
async def answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """VenueErrors as Binance words them."""
    try:
        return await handler(request)
    except VenueError as error:
        body = {"code": error.code, "msg": error.message}
        return web.json_response(body, status=error.status, headers=error.headers)


def routes() -> list[web.RouteDef]:
    base = "/api/v3"
    return [
        web.get(f"{base}/ping", _ping),
        web.get(f"{base}/time", _time),
        web.get(f"{base}/exchangeInfo", _exchange_info),
        web.get(f"{base}/ticker/24hr", _ticker_24hr),
        web.get(f"{base}/ticker/price", _ticker_price),
        web.get(f"{base}/ticker/bookTicker", _book_ticker),
        web.post(f"{base}/order", _place),
        web.get(f"{base}/order", _query),
        web.delete(f"{base}/order", _cancel),
        web.get(f"{base}/openOrders", _open_orders),
        web.get(f"{base}/allOrders", _all_orders),
        web.get(f"{base}/myTrades", _my_trades),
        web.get(f"{base}/account", _account),
    ]


async def _ping(request: web.Request) -> web.Response:
    await _suffer(request, "ticker", None)
    return web.json_response({})


async def _time(request: web.Request) -> web.Response:
    await _suffer(request, "time", None)
    return web.json_response({"serverTime": now_milliseconds()})


async def _exchange_info(request: web.Request) -> web.Response:
    await _suffer(request, "time", None)
    book = request.app[VENUE].book
    return web.json_response(
        {
            "timezone": "UTC",
            "serverTime": now_milliseconds(),
            "rateLimits": [],
            "exchangeFilters": [],
            "symbols": [describe(symbol, book.filters(symbol)) for symbol in book.prices()],
        }
    )


async def _ticker_24hr(request: web.Request) -> web.Response:
    return await _tickers(request, _day_ticker)


async def _ticker_price(request: web.Request) -> web.Response:
    return await _tickers(request, lambda symbol, price: {"symbol": symbol, "price": f"{price:.8f}"})


async def _book_ticker(request: web.Request) -> web.Response:
    return await _tickers(request, _best_prices)


async def _tickers(request: web.Request, write: Callable[[str, Decimal], dict[str, Any]]) -> web.Response:
    symbol = request.query.get("symbol")
    await _suffer(request, "ticker", symbol)
    prices = request.app[VENUE].book.prices()
    if symbol is not None:
        if symbol not in prices:
            raise VenueError(*UNKNOWN_SYMBOL)
        return web.json_response(write(symbol, prices[symbol]))
    wanted = request.query.get("symbols", "").strip("[]").replace('"', "").split(",")
    chosen = [name for name in wanted if name] or list(prices)
    if not set(chosen) <= prices.keys():
        raise VenueError(*UNKNOWN_SYMBOL)
    return web.json_response([write(name, prices[name]) for name in chosen])


def _best_prices(symbol: str, price: Decimal) -> dict[str, Any]:
    text = f"{price:.8f}"
    return {"symbol": symbol, "bidPrice": text, "bidQty": "1000.0", "askPrice": text, "askQty": "1000.0"}


def _day_ticker(symbol: str, price: Decimal) -> dict[str, Any]:
    text, now = f"{price:.8f}", now_milliseconds()
    return {
        **_best_prices(symbol, price),
        "priceChange": "0.0",
        "priceChangePercent": "0.0",
        "weightedAvgPrice": text,
        "prevClosePrice": text,
        "lastPrice": text,
        "lastQty": "1.0",
        "openPrice": text,
        "highPrice": text,
        "lowPrice": text,
        "volume": "1000.0",
        "quoteVolume": "1000.0",
        "openTime": now - 86_400_000,
        "closeTime": now,
        "firstId": 0,
        "lastId": 0,
        "count": 0,
    }


async def _place(request: web.Request) -> web.StreamResponse:
    arrived = await _authenticated(request)
    order = _read_order(arrived)
    venue = request.app[VENUE]
    fault = venue.faults.take(occasion="place", symbol=order.symbol)
    await _suffer_before(request, fault)
    if fault:
        _check_deadline(arrived)  # time has passed: Binance looks at it when the order reaches the engine
    fraction = fault.fraction if fault and fault.action == "partial" else Decimal(1)
    placed = venue.book.place(order, fraction=fraction)
    return await _suffer_after(request, fault) or web.json_response(_order_answer(placed, with_fills=True))


async def _query(request: web.Request) -> web.StreamResponse:
    arrived = await _authenticated(request)
    symbol = _needed(arrived, "symbol")
    fault = request.app[VENUE].faults.take(occasion="query", symbol=symbol)
    await _suffer_before(request, fault)
    if fault and fault.action == "not_found":
        raise VenueError(*NO_SUCH_ORDER)
    found = _find(request, arrived)
    return await _suffer_after(request, fault) or web.json_response(_order_answer(found))


async def _cancel(request: web.Request) -> web.Response:
    arrived = await _authenticated(request)
    cancelled = request.app[VENUE].book.cancel(_find(request, arrived)["id"])
    return web.json_response(_order_answer(cancelled))


async def _open_orders(request: web.Request) -> web.Response:
    arrived = await _authenticated(request)
    await _suffer(request, "query", arrived.get("symbol"))
    rows = request.app[VENUE].book.orders(symbol=arrived.get("symbol"), only_open=True)
    return web.json_response([_order_answer(row) for row in rows])


async def _all_orders(request: web.Request) -> web.Response:
    arrived = await _authenticated(request)
    await _suffer(request, "query", arrived.get("symbol"))
    since, until = int(arrived.get("startTime", "0")), int(arrived.get("endTime", "0"))
    if since and until - since > _LONGEST_SPAN:
        raise VenueError(-1127, "More than 24 hours between startTime and endTime.")
    first = int(arrived.get("orderId", "0"))
    rows = request.app[VENUE].book.orders(symbol=_needed(arrived, "symbol"))
    wanted = [row for row in rows if row["time"] >= since and row["id"] >= first and not 0 < until < row["time"]]
    limit = min(int(arrived.get("limit", "500")), _LONGEST_LIST)
    return web.json_response([_order_answer(row) for row in (wanted[:limit] if since or first else wanted[-limit:])])


async def _my_trades(request: web.Request) -> web.Response:
    arrived = await _authenticated(request)
    symbol = _needed(arrived, "symbol")
    await _suffer(request, "query", symbol)
    order_id = int(arrived["orderId"]) if "orderId" in arrived else None
    rows = request.app[VENUE].book.trades(order_id=order_id, symbol=symbol)
    return web.json_response([_trade_answer(row) for row in rows])


async def _account(request: web.Request) -> web.Response:
    await _authenticated(request)
    book = request.app[VENUE].book
    rate, _ = book.commission()
    return web.json_response(
        {
            "makerCommission": 10,
            "takerCommission": 10,
            "commissionRates": {"maker": str(rate), "taker": str(rate)},
            "canTrade": True,
            "accountType": "SPOT",
            "balances": [
                {"asset": asset, "free": f"{free:f}", "locked": "0.00000000"} for asset, free in book.balances().items()
            ],
            "permissions": ["SPOT"],
        }
    )


async def _authenticated(request: web.Request) -> dict[str, str]:
    """The parameters of a signed request ("Signed endpoint security", Binance). Raises VenueError."""
    venue = request.app[VENUE]
    if request.headers.get("X-MBX-APIKEY") != venue.api_key:
        raise VenueError(-2015, "Invalid API-key, IP, or permissions for action.", status=401)
    payload = request.query_string + (await request.text())
    unsigned, _, signature = payload.rpartition("signature=")
    expected = hmac.new(venue.api_secret.encode(), unsigned.rstrip("&").encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected.encode(), signature.encode()):
        raise VenueError(-1022, "Signature for this request is not valid.")
    parameters = dict(parse_qsl(unsigned))
    _check_deadline(parameters)
    return parameters


def _check_deadline(parameters: Mapping[str, str]) -> None:
    """A request that arrives after timestamp + recvWindow is refused ("Timing security", Binance)."""
    try:
        timestamp, window = int(_needed(parameters, "timestamp")), int(parameters.get("recvWindow", "5000"))
    except ValueError as error:
        raise missing("timestamp") from error
    if window > _LONGEST_WINDOW:
        raise VenueError(-1131, "recvWindow must be less than 60000.")
    now = now_milliseconds()
    if timestamp > now + 1000:
        raise VenueError(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
    if now - timestamp > window:
        raise VenueError(-1021, "Timestamp for this request is outside of the recvWindow.")


def _read_order(arrived: Mapping[str, str]) -> NewOrder:
    kind = _needed(arrived, "type")
    return NewOrder(
        client_id=arrived.get("newClientOrderId") or f"simulator-{now_milliseconds()}",
        symbol=_needed(arrived, "symbol"),
        side=_needed(arrived, "side"),
        type=kind,
        time_in_force=_needed(arrived, "timeInForce") if kind == "LIMIT" else "IOC",
        price=_number(arrived, "price") if kind == "LIMIT" else None,
        quantity=_number(arrived, "quantity"),
    )


def _find(request: web.Request, arrived: Mapping[str, str]) -> dict[str, Any]:
    book, symbol = request.app[VENUE].book, _needed(arrived, "symbol")
    if "orderId" in arrived:
        return book.get(int(arrived["orderId"]))
    return book.find(symbol=symbol, client_id=_needed(arrived, "origClientOrderId"))


def _needed(arrived: Mapping[str, str], name: str) -> str:
    if not arrived.get(name):
        raise missing(name)
    return arrived[name]


def _number(arrived: Mapping[str, str], name: str) -> Decimal:
    try:
        number = Decimal(_needed(arrived, name))
    except InvalidOperation as error:
        raise missing(name) from error
    if not number.is_finite() or number <= 0:
        raise missing(name)
    return number


def _order_answer(row: Mapping[str, Any], *, with_fills: bool = False) -> dict[str, Any]:
    answer = {
        "symbol": row["symbol"],
        "orderId": row["id"],
        "orderListId": -1,
        "clientOrderId": row["client_id"],
        "price": row["price"],
        "origQty": row["quantity"],
        "executedQty": row["executed"],
        "cummulativeQuoteQty": row["quote"],
        "status": row["status"],
        "timeInForce": row["time_in_force"],
        "type": row["type"],
        "side": row["side"],
        "time": row["time"],
        "updateTime": row["time"],
        "transactTime": row["time"],
        "isWorking": True,
    }
    if with_fills:
        answer["fills"] = [
            {
                "price": trade["price"],
                "qty": trade["quantity"],
                "commission": trade["commission"],
                "commissionAsset": trade["commission_asset"],
                "tradeId": trade["id"],
            }
            for trade in row["trades"]
        ]
    return answer


def _trade_answer(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "symbol": row["symbol"],
        "id": row["id"],
        "orderId": row["order_id"],
        "orderListId": -1,
        "price": row["price"],
        "qty": row["quantity"],
        "quoteQty": row["quote"],
        "commission": row["commission"],
        "commissionAsset": row["commission_asset"],
        "time": row["time"],
        "isBuyer": row["side"] == "BUY",
        "isMaker": False,
        "isBestMatch": True,
    }


async def _suffer(request: web.Request, occasion: str, symbol: str | None) -> None:
    """Apply a fault to a request without an effect."""
    fault = request.app[VENUE].faults.take(occasion=occasion, symbol=symbol)
    await _suffer_before(request, fault)
    if fault and fault.action not in {"delay", "not_found", "partial"}:
        await _cut(request)


async def _suffer_before(request: web.Request, fault: Fault | None) -> None:
    """Faults that strike before anything is accepted."""
    if fault is None:
        return
    if fault.action in {"drop", "down"}:
        await _cut(request)
    if fault.action == "reject":
        raise VenueError(fault.code, fault.msg)
    if fault.action == "rate_limit":
        raise _TooManyRequests
    if fault.action == "delay":
        await asyncio.sleep(fault.wait or _DELAY_SECONDS)


async def _suffer_after(request: web.Request, fault: Fault | None) -> web.StreamResponse | None:
    """Faults that spoil the answer when everything is done; None where there is nothing to spoil."""
    match fault.action if fault else None:
        case "accept_then_drop":
            await _cut(request)
        case "accept_then_hang":
            await asyncio.sleep((fault and fault.wait) or _HANG_SECONDS)
            await _cut(request)
        case "accept_then_500":
            return web.Response(status=502, text="<html>Bad Gateway</html>", content_type="text/html")
        case "garbage":
            return web.Response(text="<html>Welcome</html>", content_type="text/html")
    return None


async def _cut(request: web.Request) -> None:
    """Close the connection without an answer."""
    if request.transport:
        request.transport.abort()
    raise asyncio.CancelledError


class _TooManyRequests(VenueError):
    headers: ClassVar = {"Retry-After": "1"}

    def __init__(self) -> None:
        super().__init__(-1003, "Too many requests; current limit is 6000 request weight per 1 MINUTE.", status=429)
