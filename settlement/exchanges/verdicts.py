"""What a venue's refusal proves, by status, code and filter of the raw answer.

Whatever is not listed is Unknown: an exception's class alone never proves that nothing was executed.
Codes: Binance, "Error codes for Binance" and "Filters" of the spot REST API documentation.
"""

import re
from collections.abc import Mapping
from typing import Final

from settlement.exchanges.protocol import Answer, NotPlaced, Refused, Unknown

_REFUSED_CODES: Final = {
    "-1121": "unknown symbol",
    "-1104": "unknown parameter",
}
_REFUSED_FILTERS: Final = frozenset({"MAX_POSITION", "MAX_NUM_ORDERS"})

_NOT_PLACED_CODES: Final = {
    "-1002": "not authorised",
    "-1003": "rate limit",
    "-1015": "order rate limit",
    "-1021": "clock",
    "-1022": "signature",
    "-2014": "key",
    "-2015": "key or permission",
}
_NOT_PLACED_MESSAGES: Final = (
    "Account has insufficient balance",
    "This action is disabled on this account",
    "This account may not place or cancel orders",
    "Market is closed",
)
_RATE_LIMIT_STATUSES: Final = frozenset({418, 429})
_FILTER = re.compile(r"Filter failure: ([A-Z_]+)")


def judge_refusal(*, status: int, code: str, message: str, headers: Mapping[str, str]) -> Answer:
    """Say what an error answer to a new order proves."""
    reason = f"{status} {code} {message}"[:200]
    if status in _RATE_LIMIT_STATUSES:
        return NotPlaced(reason=reason, retry_after_seconds=_seconds(headers.get("Retry-After")))
    if not 400 <= status < 500:  # noqa: PLR2004  a client error; a 5XX says nothing of the order
        return Unknown(reason=reason)
    found = _FILTER.search(message)
    if code in _REFUSED_CODES or (found and found[1] in _REFUSED_FILTERS):
        return Refused(reason=reason)
    if code in _NOT_PLACED_CODES or found or any(text in message for text in _NOT_PLACED_MESSAGES):
        return NotPlaced(reason=reason)
    return Unknown(reason=reason)


def _seconds(value: str | None) -> float | None:
    return float(value) if value and value.isdigit() else None
