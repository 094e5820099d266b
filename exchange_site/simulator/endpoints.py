"""The venue's endpoints: their parameters and weights.

Source: the sections of the same names in Binance's spot REST API documentation ("General endpoints", "Market Data
endpoints", "Trading endpoints", "Account Endpoints"), each with its "Weight" and its table of parameters.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from exchange_site.simulator.errors import missing, too_many, unread
from exchange_site.simulator.parameters import check_formats

Weight = Callable[[Mapping[str, str]], int]

BASE: Final = "/api/v3/"
_SIGNED: Final = ("timestamp", "signature")
_SYMBOLS_AT_ONCE: Final = 20
_MANY_SYMBOLS: Final = 100


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """An endpoint's parameters, the mandatory ones among them, and the weight of a request."""

    needed: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    weight: Weight
    is_signed: bool = False
    is_ordering: bool = False

    def check(self, given: Mapping[str, str]) -> None:
        """Refuse parameters that are missing, empty, malformed or not of this endpoint. Raises VenueError.

        More than the endpoint has at all are too many (-1101); others that it does not have are not read (-1104).
        """
        known = {*self.needed, *self.optional}
        if len(given) > len(known):
            raise too_many(expected=len(known), received=len(given))
        for name in self.needed:
            if name not in given:
                raise missing(name)
        read = {name: value for name, value in given.items() if name in known}
        check_formats(read)
        if len(read) < len(given):
            raise unread(read=len(read), sent=len(given))


def find_endpoint(*, method: str, path: str) -> Endpoint | None:
    """Return an endpoint by its method and path, or None if there is no such endpoint."""
    return ENDPOINTS.get(("GET" if method == "HEAD" else method, path.removeprefix(BASE)))


def _public(*needed: str, optional: str = "", weight: Weight | int) -> Endpoint:
    return Endpoint(needed=needed, optional=tuple(optional.split()), weight=_weight(weight))


def _signed(*needed: str, optional: str = "", weight: Weight | int, is_ordering: bool = False) -> Endpoint:
    return Endpoint(
        needed=(*needed, *_SIGNED),
        optional=("recvWindow", *optional.split()),
        weight=_weight(weight),
        is_signed=True,
        is_ordering=is_ordering,
    )


def _weight(weight: Weight | int) -> Weight:
    if not isinstance(weight, int):
        return weight
    return lambda _: weight


def _by_symbol(*, one: int, several: int) -> Weight:
    return lambda given: one if "symbol" in given else several


def _weigh_depth(given: Mapping[str, str]) -> int:
    limit = int(given["limit"][:20]) if given.get("limit", "").isdecimal() else 100
    return next((weight for most, weight in ((100, 5), (500, 25), (1000, 50)) if limit <= most), 250)


def _weigh_day_tickers(given: Mapping[str, str]) -> int:
    count = given.get("symbols", "").count(",") + 1
    if "symbol" in given or ("symbols" in given and count <= _SYMBOLS_AT_ONCE):
        return 2
    return 40 if "symbols" in given and count <= _MANY_SYMBOLS else 80


def _weigh_trades(given: Mapping[str, str]) -> int:
    return 5 if "orderId" in given else 20


def _weigh_test(given: Mapping[str, str]) -> int:
    return 20 if given.get("computeCommissionRates") == "true" else 1


_ORDER: Final = (
    "timeInForce quantity quoteOrderQty price newClientOrderId strategyId strategyType stopPrice trailingDelta"
    " icebergQty newOrderRespType selfTradePreventionMode pegPriceType pegOffsetValue pegOffsetType"
)
_CANDLES: Final = "startTime endTime timeZone limit"
_TICKER: Final = "symbol symbols symbolStatus"

ENDPOINTS: Final[Mapping[tuple[str, str], Endpoint]] = {
    ("GET", "ping"): _public(weight=1),
    ("GET", "time"): _public(weight=1),
    ("GET", "exchangeInfo"): _public(optional=f"{_TICKER} permissions showPermissionSets", weight=20),
    ("GET", "depth"): _public("symbol", optional="limit symbolStatus", weight=_weigh_depth),
    ("GET", "trades"): _public("symbol", optional="limit", weight=25),
    ("GET", "historicalTrades"): _public("symbol", optional="limit fromId", weight=25),
    ("GET", "aggTrades"): _public("symbol", optional="fromId startTime endTime limit", weight=4),
    ("GET", "klines"): _public("symbol", "interval", optional=_CANDLES, weight=2),
    ("GET", "uiKlines"): _public("symbol", "interval", optional=_CANDLES, weight=2),
    ("GET", "avgPrice"): _public("symbol", weight=2),
    ("GET", "ticker/24hr"): _public(optional=f"{_TICKER} type", weight=_weigh_day_tickers),
    ("GET", "ticker/price"): _public(optional=_TICKER, weight=_by_symbol(one=2, several=4)),
    ("GET", "ticker/bookTicker"): _public(optional=_TICKER, weight=_by_symbol(one=2, several=4)),
    ("POST", "order"): _signed("symbol", "side", "type", optional=_ORDER, weight=1, is_ordering=True),
    ("POST", "order/test"): _signed(
        "symbol", "side", "type", optional=f"{_ORDER} computeCommissionRates", weight=_weigh_test
    ),
    ("GET", "order"): _signed("symbol", optional="orderId origClientOrderId", weight=4),
    ("DELETE", "order"): _signed(
        "symbol", optional="orderId origClientOrderId newClientOrderId cancelRestrictions", weight=1
    ),
    ("DELETE", "openOrders"): _signed("symbol", weight=1),
    ("GET", "openOrders"): _signed(optional="symbol", weight=_by_symbol(one=6, several=80)),
    ("GET", "allOrders"): _signed("symbol", optional="orderId startTime endTime limit", weight=20),
    ("GET", "myTrades"): _signed("symbol", optional="orderId startTime endTime fromId limit", weight=_weigh_trades),
    ("GET", "account"): _signed(optional="omitZeroBalances", weight=20),
    ("GET", "account/commission"): _signed("symbol", weight=20),
    ("GET", "rateLimit/order"): _signed(weight=40),
}
