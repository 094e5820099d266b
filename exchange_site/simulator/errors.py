"""Errors in Binance's wording ("Error codes for Binance" and "Filters", spot REST API documentation)."""

from collections.abc import Mapping
from typing import Any


class VenueError(Exception):
    """An error answer: HTTP status, Binance's code and message."""

    def __init__(self, code: int, message: str, *, status: int = 400, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.headers = dict(headers or {})
        self.code = code
        self.message = message
        self.status = status

    def body(self) -> dict[str, Any]:
        """Return the answer's body."""
        return {"code": self.code, "msg": self.message}


def missing(parameter: str) -> VenueError:
    return VenueError(-1102, f"Mandatory parameter '{parameter}' was not sent, was empty/null, or malformed.")


def both_missing(first: str, second: str) -> VenueError:
    return VenueError(-1102, f"Param '{first}' or '{second}' must be sent, but both were empty/null!")


def illegal(parameter: str, legal_range: str) -> VenueError:
    return VenueError(-1100, f"Illegal characters found in parameter '{parameter}'; legal range is '{legal_range}'.")


def too_many(*, expected: int, received: int) -> VenueError:
    return VenueError(-1101, f"Too many parameters; expected '{expected}' and received '{received}'.")


def unread(*, read: int, sent: int) -> VenueError:
    return VenueError(-1104, f"Not all sent parameters were read; read '{read}' parameter(s) but was sent '{sent}'.")


def empty(parameter: str) -> VenueError:
    return VenueError(-1105, f"Parameter '{parameter}' was empty.")


def not_required(parameter: str) -> VenueError:
    return VenueError(-1106, f"Parameter '{parameter}' sent when not required.")


def overflowed(parameter: str) -> VenueError:
    return VenueError(-1108, f"Parameter '{parameter}' overflowed.")


def too_precise(parameter: str) -> VenueError:
    return VenueError(-1111, f"Parameter '{parameter}' has too much precision.")


def not_valid(parameter: str) -> VenueError:
    return VenueError(-1130, f"Data sent for parameter '{parameter}' is not valid.")


def filter_failure(name: str) -> VenueError:
    return VenueError(-1013, f"Filter failure: {name}")


def not_supported(orders: str) -> VenueError:
    return VenueError(-2010, f"{orders} orders are not supported for this symbol.")


DOUBLED = (-1101, "Duplicate values for a parameter detected.")
NO_VALUE = (-1013, "Price * QTY is zero or less.")
INVALID_TIME_IN_FORCE = (-1115, "Invalid timeInForce.")
INVALID_TYPE = (-1116, "Invalid orderType.")
INVALID_SIDE = (-1117, "Invalid side.")
INVALID_INTERVAL = (-1120, "Invalid interval.")
UNKNOWN_SYMBOL = (-1121, "Invalid symbol.")
INVALID_STATUS = (-1122, "Invalid symbolStatus.")
MORE_THAN_A_DAY = (-1127, "More than 24 hours between startTime and endTime.")
BAD_COMBINATION = (-1128, "Combination of optional parameters invalid.")
WINDOW_TOO_LONG = (-1131, "'recvWindow' must be less than 60000.")
INVALID_STRATEGY_TYPE = (-1134, "strategyType was less than 1000000.")
INVALID_TICKER_TYPE = (-1139, "Invalid ticker type.")
INVALID_RESTRICTIONS = (-1145, "Invalid cancelRestrictions")
DOUBLED_SYMBOL = (-1151, "Symbol is present multiple times in the list.")
OTHER_STATUS = (-1220, "The symbol's status does not match the requested symbolStatus.")
NO_SUCH_ORDER = (-2013, "Order does not exist.")
INSUFFICIENT_BALANCE = (-2010, "Account has insufficient balance for requested action.")
DUPLICATE_ORDER = (-2010, "Duplicate order sent.")
WOULD_TAKE = (-2010, "Order would immediately match and take.")
NO_QUOTE_QUANTITY = (-2010, "Quote order qty market orders are not support for this symbol.")
UNKNOWN_ORDER_SENT = (-2011, "Unknown order sent.")
RESTRICTED = (-2011, "Order was not canceled due to cancel restrictions.")
MARKET_CLOSED = (-2010, "Market is closed.")
