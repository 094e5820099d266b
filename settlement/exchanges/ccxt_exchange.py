"""Any exchange that ccxt knows, picked by EXCHANGE_ID.

ccxt is used synchronously, with numbers as strings and with every automatism off that could send a
request twice or at a time of its own.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation, localcontext
from typing import Any, Final
from urllib.parse import urlsplit

import ccxt
import urllib3.exceptions
from django.conf import settings
from requests import ConnectionError as RequestsConnectionError
from requests import ConnectTimeout, HTTPError

from settlement.exchanges.protocol import (
    CLIENT_ORDER_ID_PREFIX,
    Answer,
    CoinNotListed,
    ExchangeAway,
    Executed,
    MarketRules,
    NotFound,
    NotPlaced,
    Purchase,
    PurchaseRequest,
    Trouble,
    Unknown,
)
from settlement.exchanges.transport import open_session
from settlement.exchanges.verdicts import judge_rate_limit, judge_refusal

# Venues that refuse a signed request after its timestamp and window have passed.
_WITH_REQUEST_DEADLINE: Final = frozenset({"binance", "binanceus"})
# Venues that list orders by their ids, which grow, and by time for a day at most ("All orders", Binance).
_LISTING_BY_ID: Final = frozenset({"binance", "binanceus"})
_LISTED_AT_ONCE: Final = 500
_DAY_MILLISECONDS: Final = 86_400_000
_FINAL: Final = frozenset({"closed", "canceled", "expired", "rejected"})
_KNOWN: Final = _FINAL | {"open"}
_NO_LIMIT = Decimal(10) ** 15
_BINANCE_ORDER_NOT_FOUND = "-2013"
_STALE_TIMESTAMP = "-1021"

_MARKETS_LIVE_SECONDS: Final = 3600


class _Markets:
    """The markets of the venue, loaded by one thread for all of this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loaded: dict[str, Any] = {}
        self._loaded_at = 0.0

    def get(self, client: Any) -> dict[str, Any]:
        """Raises ExchangeAway."""
        with self._lock:
            if not self._loaded or time.monotonic() > self._loaded_at + _MARKETS_LIVE_SECONDS:
                with _questions():
                    loaded = client.load_markets(True)  # noqa: FBT003  ccxt's signature: anew
                if not loaded:  # a proxy's page, say: it must not look as if every coin were delisted
                    raise ExchangeAway("no markets")
                self._loaded = loaded
                self._loaded_at = time.monotonic()
            return self._loaded

    def forget(self) -> None:
        """Load them again next time."""
        with self._lock:
            self._loaded = {}


_markets = _Markets()


class CcxtExchange:
    """`settlement.exchanges.protocol.Exchange` over one ccxt client. Not for more than one thread."""

    def __init__(self) -> None:
        self.requests_expire = settings.EXCHANGE_ID in _WITH_REQUEST_DEADLINE
        self._client = _build_client()

    def read_rules(self, *, coin: str) -> MarketRules:
        market = self._market(coin)
        if market.get("active") is False:
            raise ExchangeAway(f"the market of {coin} is closed")
        precision, limits = market["precision"], market["limits"]
        return MarketRules(
            quantity_step=self._step(precision["amount"]),
            quantity_minimum=_decimal(limits["amount"].get("min")) or Decimal(0),
            quantity_maximum=_decimal(limits["amount"].get("max")) or _NO_LIMIT,
            price_tick=self._step(precision["price"]),
            notional_minimum=_decimal(limits["cost"].get("min")) or Decimal(0),
        )

    def read_ask(self, *, coin: str) -> Decimal:
        symbol = self._market(coin)["symbol"]
        with _questions():
            ask = _decimal(self._client.fetch_ticker(symbol)["ask"])
        if not ask:
            raise ExchangeAway(f"no ask for {symbol}")
        return ask

    def read_prices(self, *, coins: list[str]) -> dict[str, Decimal]:
        self._ensure_markets()
        symbols = {_symbol(coin): coin for coin in coins if _symbol(coin) in self._client.markets}
        if not symbols:
            return {}
        with _questions():
            tickers = self._client.fetch_tickers(list(symbols))
        prices = {coin: _decimal(tickers[symbol]["last"]) for symbol, coin in symbols.items() if symbol in tickers}
        return {coin: price for coin, price in prices.items() if price}

    def read_time(self) -> datetime:
        with _questions():
            milliseconds = int(self._client.fetch_time())
        # For the questions that ccxt signs itself; an order is signed at the moment we say.
        self._client.options["timeDifference"] = self._client.milliseconds() - milliseconds
        return datetime.fromtimestamp(milliseconds / 1000, tz=UTC)

    def buy(self, *, request: PurchaseRequest) -> Answer:
        parameters: dict[str, Any] = {
            "timeInForce": "IOC",
            "clientOrderId": request.client_order_id,
            "client_order_id": request.client_order_id,  # ccxt's coinbase drops the usual name
        }
        if self.requests_expire:
            parameters["recvWindow"] = int(request.window.total_seconds() * 1000)
            del parameters["client_order_id"]
        try:
            with self._signed_at(request.signed_at), localcontext():
                order = self._client.create_order(
                    _symbol(request.coin),
                    "limit",
                    "buy",
                    f"{request.quantity:f}",
                    f"{request.limit_price:f}",
                    parameters,
                )
        except Exception as error:  # noqa: BLE001  whatever ccxt raises, the order may have been placed
            answer = _judge_failure(error)
            if isinstance(answer, NotPlaced) and "Filter failure" in answer.reason:
                _markets.forget()  # a filter that we did not know: the next attempt will
            return answer
        return self._understand(order, coin=request.coin, client_order_id=request.client_order_id)

    def look_up(self, *, coin: str, client_order_id: str) -> Answer:
        try:
            self._ensure_clock()
            with localcontext():
                order = self._client.fetch_order(
                    None,
                    _symbol(coin),
                    {"clientOrderId": client_order_id, "origClientOrderId": client_order_id},
                )
        except Exception as error:  # noqa: BLE001  a question that failed proves nothing
            return self._judge_failed_look_up(error)
        return self._understand(order, coin=coin, client_order_id=client_order_id)

    def list_purchases(self, *, coin: str, since: datetime) -> list[Purchase]:
        symbol = self._market(coin)["symbol"]
        pages = self._pages_by_id if self._client.id in _LISTING_BY_ID else self._pages_by_time
        try:
            self._ensure_clock()
            with _questions():
                orders = [order for page in pages(symbol, int(since.timestamp() * 1000)) for order in page]
            return [_read_listed(order) for order in orders if _is_ours(order)]
        except ExchangeAway as error:
            self._forget_clock_if_stale(error.__cause__)
            raise
        except (AttributeError, KeyError, TypeError, ValueError) as error:  # a proxy's page, say
            raise ExchangeAway("a list that makes no sense") from error

    def _pages_by_id(self, symbol: str, since: int) -> Iterator[list[Any]]:
        """Find the first order by days, and go on by id: of orders of one millisecond none is passed over."""
        page: list[Any] = []
        while not page and since <= self._client.nonce():
            span = {"startTime": since, "endTime": since + _DAY_MILLISECONDS - 1}
            page = self._client.fetch_orders(symbol, None, _LISTED_AT_ONCE, span)
            since += _DAY_MILLISECONDS
        while page:
            yield page
            after = max(int(order["id"]) for order in page) + 1
            page = self._client.fetch_orders(symbol, None, _LISTED_AT_ONCE, {"orderId": after})

    def _pages_by_time(self, symbol: str, since: int) -> Iterator[list[Any]]:
        """Each page begins with the moment at which the last one ended, until one brings nothing new."""
        if not self._client.has["fetchOrders"]:
            raise ExchangeAway(f"{self._client.id} does not list orders")
        seen: set[str] = set()
        while True:
            page = self._client.fetch_orders(symbol, since, _LISTED_AT_ONCE)
            new = [order for order in page if order["id"] not in seen]
            if not new:
                break
            yield new
            seen |= {order["id"] for order in new}
            since = max(int(order["timestamp"]) for order in new)
        if len(page) >= _LISTED_AT_ONCE:
            raise ExchangeAway("more orders of one moment than a page holds")

    def _ensure_clock(self) -> None:
        """Measure the venue's clock for the questions that ccxt signs itself. Raises ExchangeAway."""
        if not self._client.options.get("timeDifference"):
            self.read_time()

    def _forget_clock_if_stale(self, error: BaseException | None) -> None:
        if error is not None and _raw_error(error)[1] == _STALE_TIMESTAMP:
            self._client.options["timeDifference"] = 0  # measured anew by the next question

    def _judge_failed_look_up(self, error: Exception) -> Answer:
        status, code, message, headers = _raw_error(error)
        if isinstance(error, ccxt.OrderNotFound) and (self._client.id != "binance" or code == _BINANCE_ORDER_NOT_FOUND):
            return NotFound()
        self._forget_clock_if_stale(error)
        wait = judge_rate_limit(status=status, headers=headers)
        return Unknown(reason=f"{type(error).__name__} {code} {message}"[:200], retry_after_seconds=wait)

    def _understand(self, order: Any, *, coin: str, client_order_id: str) -> Answer:
        """Accept an answer only if it is about our order: a proxy's page parses to an order without an id."""
        if not isinstance(order, dict) or order.get("clientOrderId") != client_order_id or not order.get("id"):
            return Unknown(reason="an answer that is not about our order")
        status = order.get("status")
        if status not in _KNOWN:
            return Unknown(reason=f"status {status!r}"[:200])
        quantity, cost = _decimal(order.get("filled")), _decimal(order.get("cost"))
        if quantity is None or cost is None or quantity < 0 or cost < 0:
            return Unknown(reason="an answer without figures")
        try:
            fees = self._fees(order, coin=coin, quantity=quantity) if quantity else {}
        except Exception as error:  # noqa: BLE001  without its commission a fill cannot be booked: ask again
            return Unknown(reason=f"trades: {type(error).__name__}")
        if fees is None:
            return Unknown(reason="trades and order differ")
        foreign = sorted(fees.keys() - {coin, settings.EXCHANGE_QUOTE_ASSET})
        return Executed(
            venue_order_id=str(order["id"]),
            status=str(status),
            final=status in _FINAL,
            quantity=quantity,
            cost=cost + fees.get(settings.EXCHANGE_QUOTE_ASSET, Decimal(0)),
            commission=fees.get(coin, Decimal(0)),
            foreign_commission=foreign[0] if foreign else "",
            answer=order.get("info") or {},
        )

    def _fees(self, order: dict[str, Any], *, coin: str, quantity: Decimal) -> dict[str, Decimal] | None:
        """Commission by asset, from the fills; None when they do not add up to the order (yet)."""
        trades = order.get("trades") or self._client.fetch_my_trades(
            _symbol(coin), None, None, {"orderId": order["id"]}
        )
        if sum((_decimal(trade["amount"]) or Decimal(0) for trade in trades), Decimal(0)) != quantity:
            return None
        fees: dict[str, Decimal] = {}
        for trade in trades:
            fee = trade.get("fee") or {}
            cost = _decimal(fee.get("cost"))
            if cost:
                fees[fee["currency"]] = fees.get(fee["currency"], Decimal(0)) + cost
        return fees

    @contextmanager
    def _signed_at(self, moment: datetime) -> Iterator[None]:
        self._client.fixed_nonce = int(moment.timestamp() * 1000)
        try:
            yield
        finally:
            self._client.fixed_nonce = None

    def _market(self, coin: str) -> dict[str, Any]:
        self._ensure_markets()
        market: dict[str, Any] | None = self._client.markets.get(_symbol(coin))
        if market is None:
            raise CoinNotListed(coin)
        return market

    def _ensure_markets(self) -> None:
        """Use the markets that the process has loaded, anew now and then: filters change."""
        self._client.set_markets(_markets.get(self._client))

    def _step(self, precision: object) -> Decimal:
        value = _decimal(precision)
        if value is None:
            return Decimal("0.00000001")
        if self._client.precisionMode == ccxt.DECIMAL_PLACES:
            return Decimal(1).scaleb(-int(value))
        assert self._client.precisionMode == ccxt.TICK_SIZE, "significant digits are no step"
        return value


def _build_client() -> Any:
    base = getattr(ccxt, settings.EXCHANGE_ID)

    class Client(base):  # type: ignore[misc, valid-type]  # ccxt's classes are made at run time
        number = str
        fixed_nonce: int | None = None

        def nonce(self) -> float:
            """The moment the attempt committed to, while one is being sent."""
            return self.fixed_nonce if self.fixed_nonce is not None else super().nonce()

    client = Client(
        {
            "apiKey": settings.EXCHANGE_API_KEY,
            "secret": settings.EXCHANGE_API_SECRET,
            "password": settings.EXCHANGE_API_PASSWORD,
            "enableRateLimit": True,
            "options": {
                "defaultType": "spot",
                "fetchMarkets": {"types": ["spot"]},
                "fetchCurrencies": False,
                "fetchMargins": False,
                "createOrder": {"quoteOrderQty": False},
                "maxRetriesOnFailure": 0,
                "adjustForTimeDifference": False,
                "recvWindow": int(settings.EXCHANGE_RECV_WINDOW.total_seconds() * 1000),
                "timeDifference": 0,
            },
        }
    )
    if settings.EXCHANGE_SANDBOX:
        client.set_sandbox_mode(True)
    client.session = open_session(production_url=_origin(client))
    return client


def _origin(client: Any) -> str:
    urls = client.urls["api"]
    parts = urlsplit(urls if isinstance(urls, str) else urls.get("private") or next(iter(urls.values())))
    return f"{parts.scheme}://{parts.netloc}"


def _symbol(coin: str) -> str:
    return f"{coin}/{settings.EXCHANGE_QUOTE_ASSET}"


def _is_ours(order: dict[str, Any]) -> bool:
    return str(order["clientOrderId"]).startswith(CLIENT_ORDER_ID_PREFIX)


def _read_listed(order: dict[str, Any]) -> Purchase:
    """Raises ExchangeAway for an order that the list does not tell all of."""
    quantity, cost, status = _decimal(order["filled"]), _decimal(order["cost"]), order["status"]
    if quantity is None or cost is None or quantity < 0 or cost < 0 or status not in _KNOWN:
        raise ExchangeAway(f"order {order['id']} is listed without figures")
    return Purchase(
        client_order_id=order["clientOrderId"],
        venue_order_id=str(order["id"]),
        status=status,
        final=status in _FINAL,
        quantity=quantity,
        cost=cost,
    )


@contextmanager
def _questions() -> Iterator[None]:
    """For requests without consequences: any failure means that the venue is away."""
    try:
        with localcontext():
            yield
    except ccxt.BaseError as error:
        status, _, _, headers = _raw_error(error)
        wait = judge_rate_limit(status=status, headers=headers)
        raise ExchangeAway(type(error).__name__, retry_after_seconds=wait) from error


def _judge_failure(error: Exception) -> Answer:
    """What a failed request to buy proves. The text of a network error may hold the signature: not used."""
    if _was_never_connected(error):
        return NotPlaced(reason="no connection", trouble=Trouble.COIN)
    status, code, message, headers = _raw_error(error)
    if status is None:
        return Unknown(reason=type(error).__name__)
    return judge_refusal(status=status, code=code, message=message, headers=headers)


def _was_never_connected(error: Exception) -> bool:
    """A connection that was never opened carried nothing. ccxt has one class for that and for a cut one."""
    cause = error.__cause__
    if isinstance(cause, ConnectTimeout):
        return True
    reason = (
        getattr(cause.args[0], "reason", None) if isinstance(cause, RequestsConnectionError) and cause.args else None
    )
    return isinstance(reason, urllib3.exceptions.NewConnectionError)


def _raw_error(error: BaseException) -> tuple[int | None, str, str, dict[str, str]]:
    """Status, code, message and headers of the venue's own error answer."""
    http_error = error.__context__
    if not isinstance(http_error, HTTPError) or http_error.response is None:
        return None, "", "", {}
    response = http_error.response
    try:
        body = response.json()
    except ValueError:
        body = {}
    if not isinstance(body, dict):
        body = {}
    return response.status_code, str(body.get("code", "")), str(body.get("msg", "")), dict(response.headers)


def _decimal(value: object) -> Decimal | None:
    try:
        number = Decimal(str(value)) if value is not None else None
    except InvalidOperation:
        return None
    return number if number is None or number.is_finite() else None
