"""The formats of parameters, by name: one name has one format at every endpoint.

Sources: "Error codes for Binance" (11xx, Request issues) and the tables of parameters in the spot REST API
documentation. The legal ranges are those that Binance's own refusals name.
"""

import re
from collections.abc import Callable, Collection, Mapping
from typing import Final
from urllib.parse import parse_qsl

from exchange_site.simulator.errors import (
    DOUBLED,
    INVALID_INTERVAL,
    INVALID_RESTRICTIONS,
    INVALID_SIDE,
    INVALID_STATUS,
    INVALID_STRATEGY_TYPE,
    INVALID_TICKER_TYPE,
    INVALID_TIME_IN_FORCE,
    INVALID_TYPE,
    WINDOW_TOO_LONG,
    VenueError,
    empty,
    illegal,
    not_valid,
    overflowed,
    too_many,
    too_precise,
)

Check = Callable[[str, str], None]
"""Raises VenueError if a value, given after its parameter's name, is not of the format."""

ORDER_TYPES: Final = (
    "LIMIT",
    "MARKET",
    "LIMIT_MAKER",
    "STOP_LOSS",
    "STOP_LOSS_LIMIT",
    "TAKE_PROFIT",
    "TAKE_PROFIT_LIMIT",
)
INTERVALS: Final = frozenset(
    {"1s", "1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "3d", "1w", "1M"}
)
_MOST_SENT: Final = 1000
_MOST_LONG: Final = 2**63 - 1
_MOST_INT: Final = 2**31 - 1
_LONGEST_WINDOW: Final = 60_000
_LEAST_STRATEGY_TYPE: Final = 1_000_000
_SYMBOL_RANGE: Final = r"[\w\-._&&[^a-z]]{1,50}"
_SYMBOL: Final = r"(?:[^\Wa-z]|[-.]){1,50}"
_NAME: Final = r'"(?:[^\Wa-z]|[-.]){1,50}"'


def read_pairs(query: str, body: str) -> dict[str, str]:
    """Return the parameters of a query and a form; the query's value counts where both have one.

    Raises VenueError if either names a parameter twice. Source: "General Information on Endpoints" and -1101, Binance.
    """
    told = [_split(query), _split(body)]
    if any(len(dict(pairs)) < len(pairs) for pairs in told):
        raise VenueError(*DOUBLED)
    return {**dict(told[1]), **dict(told[0])}


def check_formats(given: Mapping[str, str]) -> None:
    """Raise VenueError for the first parameter that is empty or not of its format."""
    for name, value in given.items():
        if name in _FORMATS and not value:
            raise empty(name)
        if name in _FORMATS:
            _FORMATS[name](name, value)


def _split(text: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_SENT)
    except ValueError as error:
        raise too_many(expected=_MOST_SENT, received=text.count("&") + 1) from error


def _text(legal_range: str, pattern: str | None = None) -> Check:
    wanted = re.compile(pattern or legal_range)

    def check(name: str, value: str) -> None:
        if not wanted.fullmatch(value):
            raise illegal(name, f"^{legal_range}$")

    return check


def _whole(most: int) -> Check:
    has_digits = _text("[0-9]{1,20}")

    def check(name: str, value: str) -> None:
        has_digits(name, value)
        if int(value) > most:
            raise overflowed(name)

    return check


def _one_of(values: Collection[str], refusal: tuple[int, str] | None = None) -> Check:
    def check(name: str, value: str) -> None:
        if value not in values:
            raise VenueError(*refusal) if refusal else not_valid(name)

    return check


def check_precision(name: str, value: str, *, places: int) -> None:
    """Raise VenueError for a number with more places than its asset has."""
    if len(value.partition(".")[2]) > places:
        raise too_precise(name)


def _window(name: str, value: str) -> None:
    _is_window(name, value)
    if float(value) > _LONGEST_WINDOW:
        raise VenueError(*WINDOW_TOO_LONG)


def _strategy_type(name: str, value: str) -> None:
    _INT(name, value)
    if int(value) < _LEAST_STRATEGY_TYPE:
        raise VenueError(*INVALID_STRATEGY_TYPE)


def _anything(_name: str, _value: str) -> None:
    pass


def _limit(name: str, value: str) -> None:
    _INT(name, value)
    if not int(value):
        raise not_valid(name)


_LONG: Final = _whole(_MOST_LONG)
_INT: Final = _whole(_MOST_INT)
_DECIMAL: Final = _text(r"([0-9]{1,20})(\.[0-9]{1,20})?")
_is_window: Final = _text(r"([0-9]{1,20})(\.[0-9]{1,3})?")
_CLIENT_ID: Final = _text("[a-zA-Z0-9-_]{1,36}", "[a-zA-Z0-9_-]{1,36}")
_SWITCH: Final = _one_of({"true", "false"})
_FORMATS: Final[Mapping[str, Check]] = {
    "symbol": _text(_SYMBOL_RANGE, _SYMBOL),
    "symbols": _text(rf'\[("{_SYMBOL_RANGE}"(,"{_SYMBOL_RANGE}"){{0,}}){{0,1}}\]', rf"\[(?:{_NAME}(?:,{_NAME})*)?\]"),
    "symbolStatus": _one_of({"TRADING", "HALT", "BREAK"}, INVALID_STATUS),
    "permissions": _text(r'([A-Z0-9_]+|\["[A-Z0-9_]+"(,"[A-Z0-9_]+")*\])'),
    "showPermissionSets": _SWITCH,
    "omitZeroBalances": _SWITCH,
    "computeCommissionRates": _SWITCH,
    "side": _one_of({"BUY", "SELL"}, INVALID_SIDE),
    "type": _anything,  # an order's or a ticker's: the endpoint looks at it
    "timeInForce": _one_of({"GTC", "IOC", "FOK"}, INVALID_TIME_IN_FORCE),
    "newOrderRespType": _one_of({"ACK", "RESULT", "FULL"}),
    "selfTradePreventionMode": _one_of({"NONE"}),
    "cancelRestrictions": _one_of({"ONLY_NEW", "ONLY_PARTIALLY_FILLED"}, INVALID_RESTRICTIONS),
    "interval": _one_of(INTERVALS, INVALID_INTERVAL),
    "timeZone": _text(
        r"[+-]?[0-9]{1,2}(:[0-5][0-9])?", r"(?:-(?:1[0-2]|0?[0-9])|\+?(?:1[0-4]|0?[0-9]))(?::[0-5][0-9])?"
    ),
    **dict.fromkeys(("quantity", "price", "quoteOrderQty", "stopPrice", "icebergQty"), _DECIMAL),
    **dict.fromkeys(("newClientOrderId", "origClientOrderId"), _CLIENT_ID),
    **dict.fromkeys(("orderId", "fromId", "startTime", "endTime", "timestamp"), _LONG),
    **dict.fromkeys(("trailingDelta", "strategyId"), _LONG),
    "strategyType": _strategy_type,
    "limit": _limit,
    "recvWindow": _window,
    "signature": _anything,  # compared before any format is looked at
    "pegPriceType": _one_of({"PRIMARY_PEG", "MARKET_PEG"}),
    "pegOffsetType": _one_of({"PRICE_LEVEL"}),
    "pegOffsetValue": _INT,
}
"""Every parameter that an endpoint knows, with its format."""

check_order_type: Final = _one_of(ORDER_TYPES, INVALID_TYPE)
check_ticker_type: Final = _one_of({"FULL", "MINI"}, INVALID_TICKER_TYPE)
