"""What a venue's refusal proves, by status, code and filter of the raw answer.

Whatever is not listed is Unknown: an exception's class alone never proves that nothing was executed.
Codes: Binance, "Error codes for Binance" and "Filters" of the spot REST API documentation.
"""

import re
from collections.abc import Mapping
from typing import Final

from settlement.exchanges.protocol import Answer, NotPlaced, Refused, Trouble, Unknown

# This purchase can never succeed: its orders are refunded.
_REFUSED_CODES: Final = frozenset({"-1121"})  # unknown symbol
_REFUSED_FILTERS: Final = frozenset({"MAX_POSITION"})

# Not accepted, and ours to mend or passing. With a trouble, the coin or the venue is paused; without one, the
# request itself was wrong for this moment, and the next attempt is sized and dated anew.
_NOT_PLACED_CODES: Final[Mapping[str, Trouble | None]] = {
    "-1002": Trouble.VENUE,  # not authorised
    "-1003": Trouble.CALLS,  # rate limit
    "-1015": Trouble.VENUE,  # order rate limit
    "-1021": None,  # clock
    "-1022": Trouble.VENUE,  # signature
    "-1111": None,  # precision
    "-2014": Trouble.VENUE,  # key
    "-2015": Trouble.VENUE,  # key, address or permission
}
_NOT_PLACED_MESSAGES: Final[Mapping[str, Trouble]] = {
    "Account has insufficient balance": Trouble.COIN,
    "This action is disabled on this account": Trouble.VENUE,
    "This account may not place or cancel orders": Trouble.VENUE,
    "Market is closed": Trouble.COIN,
}
_RATE_LIMIT_STATUSES: Final = frozenset({418, 429})
_RETRY_AFTER_UNSAID: Final = 10.0
_FILTER = re.compile(r"Filter failure: ([A-Z_]+)")


def judge_refusal(*, status: int, code: str, message: str, headers: Mapping[str, str]) -> Answer:
    """Say what an error answer to a new order proves."""
    reason = f"{status} {code} {message}"[:200]
    if (wait := judge_rate_limit(status=status, headers=headers)) is not None:
        return NotPlaced(reason=reason, trouble=Trouble.CALLS, retry_after_seconds=wait)
    if not 400 <= status < 500:  # noqa: PLR2004  a client error; a 5XX says nothing of the order
        return Unknown(reason=reason)
    found = _FILTER.search(message)
    if code in _REFUSED_CODES or (found and found[1] in _REFUSED_FILTERS):
        return Refused(reason=reason)
    if found or code in _NOT_PLACED_CODES:
        return NotPlaced(reason=reason, trouble=_NOT_PLACED_CODES.get(code))
    for text, trouble in _NOT_PLACED_MESSAGES.items():
        if text in message:
            return NotPlaced(reason=reason, trouble=trouble)
    return Unknown(reason=reason)


def judge_rate_limit(*, status: int | None, headers: Mapping[str, str]) -> float | None:
    """The seconds that the venue wants to be left alone for; None when it said no such thing.

    Calls that go on all the same are answered with a ban ("IP limits", Binance spot REST API documentation).
    """
    if status not in _RATE_LIMIT_STATUSES:
        return None
    value = headers.get("Retry-After", "")
    return float(value) if value.isdigit() else _RETRY_AFTER_UNSAID
